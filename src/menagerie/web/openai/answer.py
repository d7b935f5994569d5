"""A turn's events gathered to one answer, for whoever wants it whole."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import Any

import msgspec

from menagerie.conversation.running import TurnRequest
from menagerie.conversation.turn import Turns
from menagerie.core.events import Accepted, AnyEvent, Called, Done, Failed, Token
from menagerie.core.messages import ToolCall
from menagerie.core.probabilities import TokenLogprob
from menagerie.core.provenance import Provenance


class TurnFailedError(Exception):
    """The turn ended in `failure`."""

    def __init__(self, failure: Failed) -> None:
        super().__init__(failure.code)
        self.failure = failure


class Answer:
    """What is known of an answer so far."""

    def __init__(self) -> None:
        self.turn = ""
        self.session = ""
        self.created = int(time.time())
        self.pieces: list[str] = []
        self.logprobs: list[TokenLogprob] = []
        self.calls: list[ToolCall] = []
        self.provenance: Provenance | None = None
        self.failure: Failed | None = None

    @property
    def text(self) -> str:
        """What was said in words."""
        return "".join(self.pieces)

    @property
    def finish(self) -> str:
        """`stop`, `length` or `tool_calls`."""
        finish = self.provenance.finish if self.provenance else "stop"
        return finish if finish in {"stop", "length", "tool_calls"} else "stop"

    def take(self, event: AnyEvent) -> None:
        """Add what an event tells."""
        match event:
            case Accepted(turn=turn, session=session):
                self.turn, self.session = turn, session
            case Token(text=text, logprobs=logprobs):
                self.pieces.append(text)
                self.logprobs += logprobs
            case Called(id=call, name=name, arguments=arguments):
                self.calls.append(ToolCall(call, name, arguments))
            case Done(provenance=provenance):
                self.provenance = provenance
            case Failed():
                self.failure = event
            case _:
                pass

    def usage(self) -> dict[str, Any]:
        """Its tokens, as `chat.completion` tells them."""
        known = self.provenance
        prompt, cached, answer = (
            (known.prompt_tokens, known.cached_tokens, known.answer_tokens) if known else (0, 0, 0)
        )
        return {
            "prompt_tokens": prompt,
            "completion_tokens": answer,
            "total_tokens": prompt + answer,
            "prompt_tokens_details": {"cached_tokens": cached},
        }

    def account(self) -> dict[str, Any]:
        """How it came about: a field of ours beside OpenAI's."""
        return {"turn": self.turn, "provenance": msgspec.to_builtins(self.provenance)}

    def fingerprint(self) -> str | None:
        """What tells one set of weights from another."""
        sha256 = self.provenance.model.sha256 if self.provenance else ""
        return f"fp_{sha256[:16]}" if sha256 else None


async def gather(turns: Turns, request: TurnRequest) -> Answer:
    """The whole answer of one turn. Raises `TurnFailedError`."""
    answer = Answer()
    async with aclosing(turns.run(request)) as events:
        async for event in events:
            answer.take(event)
    if answer.failure is not None:
        raise TurnFailedError(answer.failure)
    return answer
