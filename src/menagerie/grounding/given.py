"""What a person hands over with a prompt: text, pasted, from the clipboard or in a request's `text`."""

from __future__ import annotations

from typing import Literal

import msgspec

GivenKind = Literal["context", "content", "text"]


class Given(msgspec.Struct, frozen=True):
    """`context` is pasted text, `content` the clipboard's, `text` that of a structured request."""

    kind: GivenKind
    text: str
