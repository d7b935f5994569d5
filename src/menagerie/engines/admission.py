"""Who may generate now, on one engine: so many slots, and so many tokens in the pool that the slots share.

An engine whose pool fills up fails every running generation, so a turn is admitted only when its prompt and the
longest answer it may give fit beside those already admitted. First come, first served; a turn waits for its own
turn only, never behind a lock.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from menagerie.core.errors import ErrorCode, MenagerieError

_FIRST_GUESS_SECONDS: Final = 8.0
_SMOOTHING: Final = 0.2
"""Weight of the newest turn in the running mean of how long a turn holds its slot."""


class Ticket:
    """A place in the queue of one engine, then a slot of it. Released exactly once; releasing again is harmless."""

    def __init__(self, admission: Admission, tokens: int) -> None:
        self.tokens = tokens
        self._admission = admission
        self._changed = asyncio.Event()
        self._granted_at: float | None = None
        self._released = False

    @property
    def granted(self) -> bool:
        """Whether the turn may generate."""
        return self._granted_at is not None

    @property
    def position(self) -> int:
        """The place in the queue, from 1; 0 once granted or released."""
        return self._admission.position(self)

    @property
    def expected_s(self) -> float:
        """Seconds until this turn is likely granted."""
        return self._admission.expected_s(self)

    async def moved(self, within_s: float) -> bool:
        """Wait until the place changes or the ticket is granted; False after `within_s` seconds without either."""
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    def release(self) -> None:
        """Give the slot, or the place in the queue, to the next."""
        if not self._released:
            self._released = True
            self._admission.leave(self)

    def grant(self, now: float) -> None:
        """For the admission alone: the turn may generate from `now` on."""
        self._granted_at = now
        self._changed.set()

    def nudge(self) -> None:
        """For the admission alone: the place has changed."""
        self._changed.set()

    def held_s(self, now: float) -> float:
        """Seconds since the grant."""
        return now - self._granted_at if self._granted_at is not None else 0.0


class Admission:
    """The slots and the pool of one engine. `tokens` None: the engine keeps its own account. `clock` gives seconds."""

    def __init__(
        self,
        slots: int,
        tokens: int | None,
        queue_length: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slots = slots
        self.tokens = tokens
        self._queue_length = queue_length
        self._clock = clock
        self._running: set[Ticket] = set()
        self._waiting: deque[Ticket] = deque()
        self._used = 0
        self._mean_s = _FIRST_GUESS_SECONDS

    @property
    def busy(self) -> bool:
        """Whether any turn holds or awaits a slot."""
        return bool(self._running or self._waiting)

    @property
    def running(self) -> int:
        """Turns that generate."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Turns that wait."""
        return len(self._waiting)

    def enter(self, tokens: int) -> Ticket:
        """Ask for a slot and `tokens` of the pool.

        Raises `MenagerieError`: `queue.full` when as many wait as may, `prompt.too_long` for more than the pool.
        """
        if self.tokens is not None and tokens > self.tokens:
            raise MenagerieError(ErrorCode.PROMPT_TOO_LONG, tokens=tokens, window=self.tokens)
        ticket = Ticket(self, tokens)
        if not self._waiting and self._fits(ticket):
            self._admit(ticket)
            return ticket
        if len(self._waiting) >= self._queue_length:
            raise MenagerieError(ErrorCode.QUEUE_FULL, retry_after=max(1.0, round(self._mean_s)))
        self._waiting.append(ticket)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Take a ticket back, and admit whoever can be."""
        if ticket in self._running:
            self._running.remove(ticket)
            self._used -= ticket.tokens
            self._mean_s += _SMOOTHING * (ticket.held_s(self._clock()) - self._mean_s)
            self._advance(moved_from=len(self._waiting))
        elif ticket in self._waiting:
            place = self._waiting.index(ticket)
            del self._waiting[place]
            self._advance(moved_from=place)

    def position(self, ticket: Ticket) -> int:
        """The place of a waiting ticket, from 1; 0 for one that waits no more."""
        if ticket.granted or ticket not in self._waiting:
            return 0
        return self._waiting.index(ticket) + 1

    def expected_s(self, ticket: Ticket) -> float:
        """A waiting ticket's likely wait: slots come free one after the other over a mean turn."""
        return self.position(ticket) * self._mean_s / self.slots

    def _advance(self, moved_from: int) -> None:
        """Admit from the head whoever fits. Those behind `moved_from` have moved up even if nobody does."""
        while self._waiting and self._fits(self._waiting[0]):
            self._admit(self._waiting.popleft())
            moved_from = 0
        for ticket in itertools.islice(self._waiting, moved_from, None):
            ticket.nudge()

    def _fits(self, ticket: Ticket) -> bool:
        if len(self._running) >= self.slots:
            return False
        return self.tokens is None or self._used + ticket.tokens <= self.tokens

    def _admit(self, ticket: Ticket) -> None:
        self._running.add(ticket)
        self._used += ticket.tokens
        ticket.grant(self._clock())
