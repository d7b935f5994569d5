"""How long a turn will wait: pure arithmetic over what the engine's turns have taken so far."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Final

FIRST_GUESS_S: Final = 8.0
"""What a turn holds its slot for, before any has ended."""
_SMOOTHING: Final = 0.25
_CROWDING: Final = 0.7
"""A turn takes n^0.7 times as long beside n − 1 others, until it has been seen: slots share the work, but batches
are cheaper than their parts."""
_AT_LEAST: Final = 0.1
"""Share of a usual turn that any turn is expected to take still."""
_OVERRUN: Final = 0.5
"""A turn that has taken longer than usual by so much is expected to take half of that still: the longer a turn has
run already, the longer it will run on."""


class Holds:
    """How long turns hold their slots on one engine, by the number of turns beside them."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def note(self, held_s: float, beside: float) -> None:
        """A turn has held its slot; `beside` is the mean number of turns that ran meanwhile, itself included."""
        crowd = max(1, round(beside))
        before = self._seconds.get(crowd, held_s)
        self._seconds[crowd] = before + _SMOOTHING * (held_s - before)

    def expected_s(self, crowd: int) -> float:
        """Seconds for which a turn is likely to hold its slot when as many run."""
        if not self._seconds:
            return FIRST_GUESS_S
        crowd = max(1, crowd)
        nearest = min(self._seconds, key=lambda seen: abs(seen - crowd))
        return self._seconds[nearest] * float((crowd / nearest) ** _CROWDING)


def remaining_s(held_s: float, hold_s: float) -> float:
    """Seconds that a turn is likely to hold its slot still, after `held_s`, where turns usually do for `hold_s`."""
    return max(hold_s - held_s, hold_s * _AT_LEAST, (held_s - hold_s) * _OVERRUN)


def expected_waits(held_s: Sequence[float], free: int, hold_s: float, waiting: int) -> list[float]:
    """Seconds until each of `waiting` requests gets a slot, in their order.

    `held_s`: for how long each running turn has held its slot; `free`: slots that nobody holds; `hold_s`: for how
    long a turn usually does.
    """
    ends = [0.0] * free + [remaining_s(held, hold_s) for held in held_s]
    heapq.heapify(ends)
    waits = []
    for _ in range(waiting):
        begins = ends[0]
        waits.append(begins)
        heapq.heapreplace(ends, begins + hold_s)
    return waits
