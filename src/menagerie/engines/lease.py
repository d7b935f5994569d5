"""The right to use an engine for a turn: first a place in the queue, then a slot."""

from __future__ import annotations

import asyncio
from typing import Protocol

from menagerie.core.errors import MenagerieError
from menagerie.engines.engine import RunningEngine


class Landlord(Protocol):
    """Whoever gives leases."""

    def position(self, request: int) -> int:
        """As `Lease.position`."""

    def expected_s(self, request: int) -> float:
        """As `Lease.expected_s`."""

    def adjust(self, request: int, tokens: int) -> None:
        """As `Lease.adjust`."""

    def give_back(self, request: int) -> None:
        """As `Lease.release`."""


class Lease:
    """Released exactly once; releasing again is harmless."""

    def __init__(self, landlord: Landlord) -> None:
        self.request = 0
        self._landlord = landlord
        self._changed = asyncio.Event()
        self._engine: RunningEngine | None = None
        self._refusal: MenagerieError | None = None
        self._released = False

    @property
    def granted(self) -> bool:
        """Whether the turn may generate."""
        return self._engine is not None

    @property
    def engine(self) -> RunningEngine:
        """The engine to generate on, once granted."""
        assert self._engine is not None
        return self._engine

    @property
    def position(self) -> int:
        """The place in the queue, from 1; 0 once granted or released."""
        return self._landlord.position(self.request)

    @property
    def expected_s(self) -> float:
        """Seconds until the turn is likely granted, its engine's load included."""
        return self._landlord.expected_s(self.request)

    async def moved(self, within_s: float) -> bool:
        """Wait until the place changes or the turn is granted; False after `within_s` seconds without either.

        Raises `MenagerieError` when the turn is refused in the end: what the load failed with, `service.stopping`.
        """
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        if self._refusal is not None:
            raise self._refusal
        return True

    async def granted_engine(self) -> RunningEngine:
        """Wait for as long as it takes to be granted. Raises as `moved`."""
        while not self.granted:
            await self.moved(3600)
        return self.engine

    def adjust(self, tokens: int) -> None:
        """A granted turn needs only so many tokens of the engine's pool."""
        if not self._released:
            self._landlord.adjust(self.request, tokens)

    def release(self) -> None:
        """Give the slot, or the place in the queue, to the next."""
        if not self._released:
            self._released = True
            self._landlord.give_back(self.request)

    def grant(self, engine: RunningEngine) -> None:
        """For the landlord alone: the turn may generate."""
        self._engine = engine
        self._changed.set()

    def refuse(self, refusal: MenagerieError) -> None:
        """For the landlord alone: the turn will not be served."""
        self._refusal = refusal
        self._changed.set()

    def nudge(self) -> None:
        """For the landlord alone: the place has changed."""
        self._changed.set()
