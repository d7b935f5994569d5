"""What a person hands over with a prompt: text, pasted, from the clipboard or in a request's `text`; or a page."""

from __future__ import annotations

from typing import Literal

import msgspec

GivenKind = Literal["context", "content", "text", "page"]


class Given(msgspec.Struct, frozen=True):
    """`context` is pasted text, `content` the clipboard's, `text` that of a structured request, `page` what was
    found at an address; `title` and `address` are that page's."""

    kind: GivenKind
    text: str
    title: str = ""
    address: str = ""
    characters: int = 0
    """How long it was before it was cut; 0 where it was not."""
