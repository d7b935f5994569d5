"""How fast a batch goes, and how many of its rows are asked at once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

SPARE: Final = 2
"""Rows that wait in the engine's line beyond its slots, so that no slot waits for the next row to come."""
MOST: Final = 256
UNKNOWN: Final = 8
"""Slots of an engine that does not tell."""
_SPAN_S: Final = 60.0
_KEPT: Final = 1000
_STEADY: Final = 32
"""Ends that are looked at even where they took longer than a minute: a few slow rows tell little."""


class Progress(msgspec.Struct, frozen=True):
    """Where a batch is. `rate` is in rows a second of late, `remaining_s` at that rate; None where that cannot be said
    yet."""

    done: int
    failed: int
    total: int
    rate: float | None = None
    remaining_s: float | None = None


class Pace:
    """Measures rows a second over the last minute."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._clock = clock
        self._ends = deque([clock()], maxlen=_KEPT)

    def row_ended(self) -> None:
        """One more has been answered, or has failed after it was asked."""
        self._ends.append(self._clock())

    def progress(self, done: int, failed: int) -> Progress:
        """Where the batch is now."""
        now = self._clock()
        while len(self._ends) > _STEADY and self._ends[0] < now - _SPAN_S:
            self._ends.popleft()
        ended, span = len(self._ends) - 1, now - self._ends[0]
        rate = ended / span if ended and span > 0 else None
        left = self._total - done - failed
        return Progress(done, failed, self._total, rate, left / rate if rate else None)


class Window:
    """How many rows may be asked at once: what fills the engine's slots, less where the service is full."""

    def __init__(self, slots: int = UNKNOWN) -> None:
        self._most = 0
        self._limit = 0
        self._inside = 0
        self._freed = asyncio.Event()
        self.fill(slots)

    @property
    def limit(self) -> int:
        """Rows at once."""
        return self._limit

    def fill(self, slots: int) -> None:
        """The engine has so many slots."""
        most = min(max(1, slots) + SPARE, MOST)
        if most != self._most:
            self._most = self._limit = most
            self._freed.set()

    def shrink(self) -> None:
        """The service has no more places to wait."""
        self._limit = max(1, self._limit // 2)

    def grow(self) -> None:
        """A row was answered: there may be room for one more."""
        self._limit = min(self._limit + 1, self._most)

    async def enter(self) -> None:
        """Wait for a place."""
        while self._inside >= self._limit:
            self._freed.clear()
            await self._freed.wait()
        self._inside += 1

    def leave(self) -> None:
        """Give the place back."""
        self._inside -= 1
        self._freed.set()
