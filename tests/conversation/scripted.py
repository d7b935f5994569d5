"""Turns that a test writes as it goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import msgspec

from menagerie.conversation.running import TurnRequest
from menagerie.core.errors import MenagerieError
from menagerie.core.events import Accepted, AnyEvent, Done, Failed, Token
from menagerie.store.database import Store
from tests.store.examples import PROVENANCE, end, start


@dataclass
class Script:
    """Turns that say a word whenever they are let, and are recorded in a real store."""

    store: Store
    words: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    """`.` ends the turn."""
    begun: int = 0
    stored: list[str] = field(default_factory=list)
    refusal: MenagerieError | None = None
    break_with: Exception | None = None
    meeting: asyncio.Barrier | None = None
    """Where turns wait for one another before they are accepted."""

    async def run(self, request: TurnRequest) -> AsyncGenerator[AnyEvent, None]:
        self.begun += 1
        if self.refusal is not None:
            yield Failed(self.refusal.code.value, "No.")
            return
        if self.meeting is not None:
            await self.meeting.wait()
        beginning = start(request.prompt, user=request.user)
        beginning = msgspec.structs.replace(beginning, request=request.request)
        try:
            session = (await self.store.turns.accept(beginning)).session
        except MenagerieError as failure:
            yield Failed(failure.code.value, "No.")
            return
        turn, said, ended = beginning.turn, "", False
        yield Accepted(turn, session, "owl")
        try:
            if self.break_with is not None:
                raise self.break_with
            while (word := await self.words.get()) != ".":
                said += word
                yield Token(word)
            ended = True
            await self.store.turns.finish(turn, end(request.prompt, said))
            yield Done(turn, session, PROVENANCE)
        finally:
            if not ended:
                left = end(request.prompt, said, outcome="cancelled", code="turn.cancelled")
                self._ending = asyncio.create_task(self._store_end(turn, left))

    async def _store_end(self, turn: str, left: object) -> None:
        await self.store.turns.finish(turn, left)  # type: ignore[arg-type]
        self.stored.append(turn)

    async def ended(self, turn: str) -> None:
        if turn:
            await self._ending
