"""An answer that is JSON and meets its schema, or an error: never anything else.

Where the grammar guarantees the schema, the answer streams, and every piece passes our own matcher before it is
handed on: an engine that ignores the grammar is found out at the first wrong byte. Where it does not, the answer
is held back until it is verified. An answer that is cut off, lost or in a loop is closed by the grammar.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.marks import without_marks
from menagerie.core.messages import Message
from menagerie.core.provenance import SchemaFacts
from menagerie.engines.chat import ChatRequest, Chunk, Usage
from menagerie.locales import Language, text
from menagerie.structured.attempt import Attempt, Ending
from menagerie.structured.schema import CompiledSchema
from menagerie.structured.verification import SchemaViolation

MAX_ATTEMPTS: Final = 3
TOKENS_FACTOR: Final = 3
"""All attempts together may write this many times `max_tokens`."""
_MIN_TOKENS: Final = 16
_QUOTED: Final = 2_000
"""Characters of a wrong answer that are shown to the model again."""

Chat = Callable[[ChatRequest], AsyncGenerator[Chunk, None]]


class Account(msgspec.Struct):
    """How an answer came about; `constrained` fills it in as it goes."""

    attempts: int = 0
    closed: bool = False
    """We wrote the end: the engine had stopped short, died, or repeated itself."""
    repaired: bool = False
    """We left out or trimmed what broke the schema."""
    written: int = 0
    """Pieces that the engine has written so far, whatever became of them."""

    def facts(self, compiled: CompiledSchema) -> SchemaFacts:
        """For the provenance."""
        return SchemaFacts(
            verdict="guaranteed" if compiled.guaranteed else "verified",
            strength=compiled.step,
            guaranteed=compiled.enforced,
            verified=compiled.unguaranteed,
            attempts=self.attempts,
            closed=self.closed,
            repaired=self.repaired,
        )


async def constrained(
    chat: Chat,
    request: ChatRequest,
    compiled: CompiledSchema,
    *,
    language: Language = "en",
    account: Account | None = None,
) -> AsyncGenerator[Chunk, None]:
    """Ask `chat` for JSON under `compiled`. The pieces together are one JSON text, without blanks between its
    tokens, that meets the schema; the last chunk carries `finish` (`length` where we had to close it) and the usage
    of all attempts. A `request` for a repair is worded in `language`.

    Raises SCHEMA_NOT_MET (`keyword`, `path`), and what the engine raises as long as nothing was handed on. After
    an error, what was handed on is no complete JSON.
    """
    asking = _Asking(chat, request, compiled, account or Account())
    answer = _streamed(asking) if compiled.guaranteed else _held_back(asking, language)
    async with aclosing(answer):
        async for chunk in answer:
            yield chunk


class _Asking:
    """The attempts at one answer, and what they cost together."""

    def __init__(self, chat: Chat, request: ChatRequest, compiled: CompiledSchema, account: Account) -> None:
        self._chat = chat
        self._request = request
        self._compiled = compiled
        self._account = account
        self._usage = Usage()
        self._messages = request.messages
        self._grammar = compiled.grammar

    @property
    def may_go_on(self) -> bool:
        return self._account.attempts < MAX_ATTEMPTS and self._tokens_left >= min(
            _MIN_TOKENS, self._request.max_tokens
        )

    @property
    def _tokens_left(self) -> int:
        return self._request.max_tokens * TOKENS_FACTOR - self._usage.answer

    def attempt(self) -> Attempt:
        """The next attempt, with what the earlier ones left of the tokens."""
        seed = self._request.seed
        request = msgspec.structs.replace(
            self._request,
            messages=self._messages,
            grammar=self._grammar,
            schema=self._compiled.schema,
            max_tokens=min(self._request.max_tokens, self._tokens_left),
            seed=None if seed is None else seed + self._account.attempts,
        )
        self._account.attempts += 1
        return Attempt(self._counted(request), self._compiled)

    async def _counted(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        async with aclosing(self._chat(request)) as chunks:
            async for chunk in chunks:
                self._account.written += 1
                yield chunk

    def count(self, attempt: Attempt) -> None:
        """Add what `attempt` cost. One that ignored the grammar from the start will do so again: the next one
        asks by the schema alone."""
        one, sum_ = attempt.usage, self._usage
        self._usage = Usage(sum_.prompt + one.prompt, sum_.cached + one.cached, sum_.answer + one.answer)
        if attempt.refused and not attempt.text:
            self._grammar = ""

    def can_do_without_grammar(self, lost: MenagerieError) -> bool:
        """Whether the engine refused a request that had our grammar: the next one has only the schema."""
        refused = lost.code is ErrorCode.ENGINE_REFUSED and bool(self._grammar)
        self._grammar = "" if refused else self._grammar
        return refused

    def ask_again(self, wrong: str, violation: SchemaViolation, language: Language) -> None:
        """Tell the model what was wrong."""
        problem = text(
            "structured.repair",
            language,
            message=violation.message,
            keyword=violation.keyword,
            path=violation.path,
        )
        answer = wrong if len(wrong) <= _QUOTED else wrong[:_QUOTED] + " …"
        again = (Message("assistant", without_marks(answer) or "…"), Message("user", without_marks(problem)))
        self._messages = (*self._request.messages, *again)

    def repaired(self, attempt: Attempt, text: str) -> Chunk:
        self._account.repaired = True
        return Chunk(text=text, finish="stop" if attempt.stopped else "length", usage=self._usage)

    def last(self, ending: Ending, rest: str) -> Chunk:
        self._account.closed = ending.closed
        return Chunk(text=rest, finish="length" if ending.closed else "stop", usage=self._usage)


async def _streamed(asking: _Asking) -> AsyncGenerator[Chunk, None]:
    violation = _NOTHING
    while asking.may_go_on:
        attempt, passed, waiting = asking.attempt(), "", ""
        async with aclosing(attempt.pieces()) as pieces:
            async for piece in pieces:
                waiting += piece
                if attempt.ready:
                    yield Chunk(waiting)
                    passed, waiting = passed + waiting, ""
        asking.count(attempt)
        ending = await asyncio.to_thread(attempt.end, passed)
        if ending.violation is None:
            yield asking.last(ending, ending.text[len(passed) :])
            return
        violation = ending.violation
        if passed:
            break
        if attempt.lost is not None and not asking.can_do_without_grammar(attempt.lost):
            raise attempt.lost
    raise _not_met(violation)


async def _held_back(asking: _Asking, language: Language) -> AsyncGenerator[Chunk, None]:
    violation = _NOTHING
    attempt: Attempt | None = None
    while asking.may_go_on:
        previous, attempt = attempt, asking.attempt()
        async with aclosing(attempt.pieces()) as pieces:
            async for _ in pieces:
                pass
        asking.count(attempt)
        if attempt.lost is not None:
            if asking.can_do_without_grammar(attempt.lost):
                continue
            if previous is None:
                raise attempt.lost
            attempt = previous
            break
        ending = await asyncio.to_thread(attempt.end)
        if ending.violation is None:
            yield asking.last(ending, ending.text)
            return
        violation = ending.violation
        if ending.repaired is not None and (ending.hardly_changed or not asking.may_go_on):
            yield asking.repaired(attempt, ending.repaired)
            return
        asking.ask_again(ending.text, violation, language)
    if attempt is not None:
        shortened = await asyncio.to_thread(attempt.cut_back)
        if shortened is not None:
            yield asking.last(shortened, shortened.text)
            return
    raise _not_met(violation)


_NOTHING: Final = SchemaViolation("json", "/", "no answer")


def _not_met(violation: SchemaViolation) -> MenagerieError:
    return MenagerieError(ErrorCode.SCHEMA_NOT_MET, keyword=violation.keyword, path=violation.path)
