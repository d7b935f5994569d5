"""What is said to a model and by it."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]


class ToolCall(msgspec.Struct, frozen=True):
    """A function that a model wants called. `arguments` is a JSON object, as text."""

    id: str
    name: str
    arguments: str


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation. `tokens` is its length in the model's tokens, once it is known.

    `calls` are what an assistant's message calls; `answers` is the id of the call that a tool's message answers;
    `images` are `data:` addresses that belong to what a user says.
    """

    role: Role
    content: str
    tokens: int | None = None
    calls: tuple[ToolCall, ...] = ()
    answers: str = ""
    images: tuple[str, ...] = ()
