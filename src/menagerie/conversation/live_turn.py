"""One turn that can be followed by any number of connections, from any of its events on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

import msgspec

from menagerie.conversation.running import TurnRequest
from menagerie.core.events import LAST, Accepted, AnyEvent, Token

_AT_ONCE: Final = 64
"""Events that one follower gets before the others are seen to."""
_EACH: Final = 96
"""Bytes that even the shortest event takes."""


class LiveTurn:
    """The events of a turn, numbered from 1, and who follows it. `changed` is called when somebody comes or goes."""

    def __init__(self, request: TurnRequest, changed: Callable[[LiveTurn], None]) -> None:
        self.owner = request.user.id
        self.share = request.user.share
        self.language = request.language
        self.request = request.request
        self.turn = ""
        self.session = ""
        self.conversation = ""
        self.size = 0
        """Bytes that its events take, about."""
        self.over = False
        self.followers = 0
        self.work: asyncio.Task[None] | None = None
        self._changed = changed
        self._cancelled = False
        self._events: list[AnyEvent] = []
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def refused(self) -> bool:
        """Whether it ended before it was recorded."""
        return self.over and not self.turn

    def add(self, event: AnyEvent) -> None:
        """The next event. After the last one, nothing is added."""
        if self.over:
            return
        if type(event) is Token:
            self.size += _EACH + len(event.text)
        else:
            self.size += _EACH + len(msgspec.json.encode(event))
            self.over = isinstance(event, LAST)
            if isinstance(event, Accepted):
                self.turn, self.session = event.turn, event.session
                self.conversation = event.conversation or event.session
        self._events.append(event)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def follow(self, seen: int = 0) -> AsyncGenerator[tuple[int, AnyEvent], None]:
        """The events after number `seen` with their numbers, up to the last one; nothing where that was seen.

        Whoever reads slowly keeps nobody waiting, the turn neither.
        """
        self.followers += 1
        self._changed(self)
        try:
            while True:
                while seen < len(self._events):
                    seen += 1
                    yield seen, self._events[seen - 1]
                    if not seen % _AT_ONCE:
                        await asyncio.sleep(0)
                if self.over:
                    return
                more = asyncio.get_running_loop().create_future()
                self._waiting.append(more)
                await more
        finally:
            self.followers -= 1
            self._changed(self)

    def cancel(self) -> None:
        """End it for all who follow it, who are told once its end is stored. The second time it does nothing."""
        if self.work is not None and not self._cancelled:
            self._cancelled = True
            self.work.cancel()
