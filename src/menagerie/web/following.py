"""What a socket follows: a turn that it asked for under a name, or one that was asked for elsewhere."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from menagerie.conversation.live import LiveTurns
from menagerie.conversation.live_turn import LiveTurn
from menagerie.conversation.running import TurnRequest
from menagerie.core.errors import MenagerieError
from menagerie.core.events import AnyEvent, Ended, Failed
from menagerie.core.identity import User
from menagerie.locales import Language
from menagerie.web.codecs import Resume


class Following:
    """One turn, as one socket follows it."""

    def __init__(self, live: LiveTurns, user: User, language: Language, wanted: TurnRequest | Resume) -> None:
        self._live = live
        self._user = user
        self._language = language
        self._wanted = wanted
        self._turn: LiveTurn | None = None

    def cancel(self) -> bool:
        """End the turn for all who follow it; False where it does not run here."""
        if self._turn is None:
            return False
        self._turn.cancel()
        return True

    async def events(self) -> AsyncGenerator[tuple[int, AnyEvent], None]:
        """The events that the socket has not seen, up to the last one, with their numbers; without one, 0: what is
        told in their place."""
        try:
            async with aclosing(self._events()) as events:
                async for number, event in events:
                    yield 0 if isinstance(event, Ended) else number, event
        except MenagerieError as failure:
            yield (
                0,
                Failed(failure.code.value, failure.message(self._language), retry_after=failure.retry_after),
            )

    async def _events(self) -> AsyncGenerator[tuple[int, AnyEvent], None]:
        if isinstance(self._wanted, Resume):
            name, seen = self._wanted.name, self._wanted.seen
            self._turn = self._live.find(name, self._user)
        else:
            name, seen = self._wanted.request, 0
            self._turn = self._live.ask(self._wanted)
        if self._turn is not None:
            told = False
            async with aclosing(self._turn.follow(seen)) as events:
                async for numbered in events:
                    told = True
                    yield numbered
            if told:
                return
        yield 0, await self._live.ended(name, self._user, self._language)
