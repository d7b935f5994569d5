"""What is said to a model and by it."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["system", "user", "assistant"]


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation. `tokens` is its length in the model's tokens, once it is known."""

    role: Role
    content: str
    tokens: int | None = None
