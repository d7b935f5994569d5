"""What is asked of an engine of texts, and what it answers: the same values for a child process and for an address."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from menagerie.core.messages import Message, ToolCall
from menagerie.core.probabilities import TokenLogprob


class ChatRequest(msgspec.Struct, frozen=True):
    """One generation. `grammar` is an LLGuidance grammar; empty: free text. `schema` is the JSON Schema behind
    it, for engines at an address that take a `response_format` and no grammar. `raw`: the one message is text to go
    on with, outside of any chat template."""

    messages: tuple[Message, ...]
    max_tokens: int
    grammar: str = ""
    schema: object = None
    until: float | None = None
    """The event loop's time at which the answer is over, whole or not: then `turn.timeout`."""
    temperature: float | None = None
    seed: int | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    """How many alternatives to tell for each token; None: no probabilities at all."""
    raw: bool = False


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one generation; `cached` of the prompt's were not computed again."""

    prompt: int = 0
    cached: int = 0
    answer: int = 0


class Chunk(msgspec.Struct, frozen=True):
    """A piece of an answer: the text of one token, or of all that had arrived. The last chunk carries `finish`
    (`stop`, `length` or `tool_calls`) and, where the engine tells, `usage`."""

    text: str = ""
    finish: str = ""
    usage: Usage | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    calls: tuple[ToolCall, ...] = ()


class Vectors(msgspec.Struct, frozen=True):
    """The vector of each of some texts, in their order, and the tokens of all of them together."""

    vectors: list[list[float]]
    tokens: int


class Scores(msgspec.Struct, frozen=True):
    """How well each of some documents answers a query, in their order, the higher the better; what the numbers mean
    is the model's own. And the tokens of all pairs together."""

    scores: list[float]
    tokens: int


class TextEngine(Protocol):
    """An engine that chats. Every way to reach one passes `tests/contracts/test_text_engine.py`."""

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Generate. Closing the generator stops the engine's work. Raises `MenagerieError`
        (`engine.lost`, `engine.refused`, `engine.timeout`, `prompt.too_long`, `turn.timeout`)."""
        ...

    async def count(self, text: str) -> int:
        """How many tokens `text` is; an estimate where the engine cannot tell."""
        ...
