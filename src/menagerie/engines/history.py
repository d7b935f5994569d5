"""What happened lately, period by period: bounded in memory whatever the load, with time as an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import exp2, floor, log2
from typing import Final

import msgspec

MINUTE: Final = 60
QUARTER: Final = 15 * 60
MINUTES_KEPT: Final = 60
QUARTERS_KEPT: Final = 96
EVENTS_KEPT: Final = 240
"""Loads, and failures, remembered one by one."""

_STEPS: Final = 8
"""Steps of a doubling: a quantile is off by a twentieth at most."""
_SHORTEST: Final = 1e-4
_LONGEST: Final = 1e6
_SET_BACK: Final = 2
"""Periods by which a clock may be corrected; set back further, history begins anew."""


class Quantiles(msgspec.Struct, frozen=True):
    """The median and the 95th percentile of so many values, in their unit."""

    count: int
    median: float
    p95: float


class Memory(msgspec.Struct, frozen=True):
    """The most of a device's memory that was in use, in MiB; `measured_mib` is None where it was not told."""

    reserved_mib: int
    measured_mib: int | None = None


class Period(msgspec.Struct, frozen=True):
    """What happened from `start` (Unix seconds) on, for one step. What has no value yet is None or not there."""

    start: float
    hits: int = 0
    misses: int = 0
    refused: int = 0
    loads: int = 0
    unloads: int = 0
    failures: int = 0
    waits_s: Quantiles | None = None
    durations_s: Mapping[str, Quantiles] = {}
    """How long turns held their slots, by kind of engine."""
    memory: Mapping[str, Memory] = {}
    """By device."""
    most_running: int = 0
    most_waiting: int = 0


class Loading(msgspec.Struct, frozen=True):
    """One load that ended well, at `at` (Unix seconds)."""

    at: float
    engine: str
    kind: str
    seconds: float


class Failure(msgspec.Struct, frozen=True):
    """One load or engine that failed, at `at` (Unix seconds)."""

    at: float
    engine: str
    code: str


class History(msgspec.Struct, frozen=True):
    """Periods of `step_s` each without a hole, the oldest first; the last one holds `until` and is not over."""

    step_s: int
    until: float
    periods: tuple[Period, ...]
    loads: tuple[Loading, ...]
    failures: tuple[Failure, ...]

    @property
    def since(self) -> float:
        """When the first period began, in Unix seconds."""
        return self.periods[0].start


class Spread:
    """How values above 0 are spread, in steps of a twelfth: some 270 counters at most, however many the values."""

    __slots__ = ("_counts", "count")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0

    def add(self, value: float) -> None:
        """Count one value; what is too small or too large counts as the smallest or the largest."""
        step = floor(log2(min(max(value, _SHORTEST), _LONGEST)) * _STEPS)
        self._counts[step] = self._counts.get(step, 0) + 1
        self.count += 1

    def merge(self, other: Spread) -> None:
        """Count all that `other` has counted."""
        for step, count in other._counts.items():
            self._counts[step] = self._counts.get(step, 0) + count
        self.count += other.count

    def quantiles(self) -> Quantiles | None:
        """None where nothing was counted."""
        if not self.count:
            return None
        return Quantiles(self.count, self._at(0.5), self._at(0.95))

    def _at(self, share: float) -> float:
        left = share * self.count
        last = 0
        for step, count in sorted(self._counts.items()):
            left, last = left - count, step
            if left <= 0:
                break
        return exp2((last + 0.5) / _STEPS)


class Tally:
    """A period while it lasts."""

    __slots__ = (
        "durations",
        "failures",
        "hits",
        "loads",
        "memory",
        "misses",
        "most_running",
        "most_waiting",
        "refused",
        "unloads",
        "waits",
    )

    def __init__(self) -> None:
        self.hits = self.misses = self.refused = self.loads = self.unloads = self.failures = 0
        self.most_running = self.most_waiting = 0
        self.waits = Spread()
        self.durations: dict[str, Spread] = {}
        self.memory: dict[str, Memory] = {}

    def held(self, kind: str, seconds: float) -> None:
        """A turn of this kind held its slot for so long."""
        if (spread := self.durations.get(kind)) is None:
            spread = self.durations[kind] = Spread()
        spread.add(seconds)

    def used(self, device: str, memory: Memory) -> None:
        """So much of a device's memory is in use."""
        before = self.memory.get(device)
        self.memory[device] = memory if before is None else _higher(before, memory)

    def merge(self, other: Tally) -> None:
        """Count all that `other` has counted."""
        for name in ("hits", "misses", "refused", "loads", "unloads", "failures"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.most_running = max(self.most_running, other.most_running)
        self.most_waiting = max(self.most_waiting, other.most_waiting)
        self.waits.merge(other.waits)
        for kind, spread in other.durations.items():
            self.durations.setdefault(kind, Spread()).merge(spread)
        for device, memory in other.memory.items():
            self.used(device, memory)

    def period(self, start: float) -> Period:
        """What was counted, as of a period that began at `start`."""
        durations = ((kind, spread.quantiles()) for kind, spread in sorted(self.durations.items()))
        return Period(
            start=start,
            hits=self.hits,
            misses=self.misses,
            refused=self.refused,
            loads=self.loads,
            unloads=self.unloads,
            failures=self.failures,
            waits_s=self.waits.quantiles(),
            durations_s={kind: quantiles for kind, quantiles in durations if quantiles},
            memory=dict(self.memory),
            most_running=self.most_running,
            most_waiting=self.most_waiting,
        )


class Chronicle:
    """The last hour by minute and the last day by quarter of an hour. Times are Unix seconds.

    What happens is counted once, in the minute; a minute that is over joins its quarter.
    """

    def __init__(self) -> None:
        self._minute = 0
        self._open = Tally()
        self._minutes: dict[int, Tally] = {}
        self._quarters: dict[int, Tally] = {}
        self.loads: deque[Loading] = deque(maxlen=EVENTS_KEPT)
        self.failures: deque[Failure] = deque(maxlen=EVENTS_KEPT)

    def at(self, now: float) -> Tally:
        """The tally in which what happens now is counted."""
        minute = int(now // MINUTE)
        if minute != self._minute:
            self._turn_to(minute)
        return self._open

    def hour(self, now: float) -> History:
        """The last hour, minute by minute."""
        self.at(now)
        return self._history(now, MINUTE, MINUTES_KEPT, {**self._minutes, self._minute: self._open})

    def day(self, now: float) -> History:
        """The last day, quarter of an hour by quarter of an hour."""
        self.at(now)
        quarter = self._minute * MINUTE // QUARTER
        current = Tally()
        current.merge(self._quarters.get(quarter, Tally()))
        current.merge(self._open)
        return self._history(now, QUARTER, QUARTERS_KEPT, {**self._quarters, quarter: current})

    def _turn_to(self, minute: int) -> None:
        if minute < self._minute:
            if self._minute - minute > _SET_BACK:
                self._begin_anew(minute)
            return
        if self._minute:
            self._minutes[self._minute] = self._open
            quarter = self._minute * MINUTE // QUARTER
            self._quarters.setdefault(quarter, Tally()).merge(self._open)
        self._open = Tally()
        self._minute = minute
        _forget(self._minutes, minute - MINUTES_KEPT)
        _forget(self._quarters, minute * MINUTE // QUARTER - QUARTERS_KEPT)

    def _begin_anew(self, minute: int) -> None:
        self._minute, self._open = minute, Tally()
        for kept in (self._minutes, self._quarters, self.loads, self.failures):
            kept.clear()

    def _history(self, now: float, step: int, kept: int, tallies: Mapping[int, Tally]) -> History:
        last = self._minute * MINUTE // step
        empty = Tally()
        periods = tuple(
            tallies.get(number, empty).period(float(number * step))
            for number in range(last - kept + 1, last + 1)
        )
        since = periods[0].start
        return History(
            step_s=step,
            until=now,
            periods=periods,
            loads=tuple(load for load in self.loads if load.at >= since),
            failures=tuple(failure for failure in self.failures if failure.at >= since),
        )


def _higher(one: Memory, other: Memory) -> Memory:
    measured = [memory.measured_mib for memory in (one, other) if memory.measured_mib is not None]
    return Memory(max(one.reserved_mib, other.reserved_mib), max(measured, default=None))


def _forget(tallies: dict[int, Tally], up_to: int) -> None:
    for number in [number for number in tallies if number <= up_to]:
        del tallies[number]
