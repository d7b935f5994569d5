"""What is counted of the engines and their turns: for Prometheus since the start, for the page the last day."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from menagerie import __version__
from menagerie.engines.history import Chronicle, Failure, History, Loading, Memory
from menagerie.engines.overview import Overview, Reason
from menagerie.locales import text

NAMES_KEPT: Final = 200
"""Different values of one label; further ones are counted together, as `other`."""
OTHER: Final = "other"

_WAITS_S: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
_HOLDS_S: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
_LOADS_S: Final = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600)


class Figures:
    """An `Observer` of the engines. For the event loop only; no event costs more than some microseconds.

    `clock` gives Unix seconds. Memory is bounded: by the periods kept, by `NAMES_KEPT`, and by the buckets.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self._chronicle = Chronicle()
        self._names = _Bounded()
        self._codes = _Bounded()
        self._kinds = _Bounded()
        ProcessCollector(registry=self.registry)
        build = Gauge("menagerie_build", _help("build"), ("version", "python"), registry=self.registry)
        build.labels(__version__, platform.python_version()).set(1)
        self._entered = self._counter("turns_entered", "kind", "hit")
        self._refused = self._counter("turns_refused", "code")
        self._waits = self._histogram("turn_wait_seconds", _WAITS_S)
        self._holds = self._histogram("turn_hold_seconds", _HOLDS_S)
        self._loads = self._histogram("load_seconds", _LOADS_S, "engine")
        self._unloads = self._counter("unloads", "engine", "reason")
        self._failures = self._counter("failures", "engine", "code")

    def entered(self, *, kind: str, hit: bool) -> None:
        """A turn has come; `hit`: its engine was ready."""
        self._entered.labels(self._kinds(kind), "true" if hit else "false").inc()
        tally = self._chronicle.at(self._clock())
        if hit:
            tally.hits += 1
        else:
            tally.misses += 1

    def granted(self, *, kind: str, waited_s: float) -> None:
        """A turn got its slot after so many seconds."""
        self._waits.labels(self._kinds(kind)).observe(waited_s)
        self._chronicle.at(self._clock()).waits.add(waited_s)

    def left(self, *, kind: str, held_s: float) -> None:
        """A turn has given its slot back."""
        kind = self._kinds(kind)
        self._holds.labels(kind).observe(held_s)
        self._chronicle.at(self._clock()).held(kind, held_s)

    def refused(self, *, code: str) -> None:
        """A turn was not let in, or was turned away while it waited."""
        self._refused.labels(self._codes(code)).inc()
        self._chronicle.at(self._clock()).refused += 1

    def loaded(self, *, engine: str, kind: str, seconds: float) -> None:
        """An engine was loaded."""
        engine, kind, now = self._names(shown_name(engine)), self._kinds(kind), self._clock()
        self._loads.labels(engine).observe(seconds)
        self._chronicle.at(now).loads += 1
        self._chronicle.loads.append(Loading(now, engine, kind, seconds))

    def unloaded(self, *, engine: str, reason: Reason) -> None:
        """An engine was ended, or has ended."""
        self._unloads.labels(self._names(shown_name(engine)), reason).inc()
        self._chronicle.at(self._clock()).unloads += 1

    def failed(self, *, engine: str, code: str) -> None:
        """A load failed, or an engine died."""
        engine, code, now = self._names(shown_name(engine)), self._codes(code), self._clock()
        self._failures.labels(engine, code).inc()
        self._chronicle.at(now).failures += 1
        self._chronicle.failures.append(Failure(now, engine, code))

    def sample(self, overview: Overview, now: float | None = None) -> None:
        """Note how much memory is in use and how many run and wait, at `now` (Unix seconds)."""
        tally = self._chronicle.at(self._clock() if now is None else now)
        for device in overview.devices:
            tally.used(device.name, Memory(device.reserved_mib, device.measured_mib))
        tally.most_running = max(tally.most_running, overview.running)
        tally.most_waiting = max(tally.most_waiting, overview.waiting)

    def hour(self) -> History:
        """The last hour, minute by minute."""
        return self._chronicle.hour(self._clock())

    def day(self) -> History:
        """The last day, quarter of an hour by quarter of an hour."""
        return self._chronicle.day(self._clock())

    def _counter(self, name: str, *labels: str) -> Counter:
        return Counter(f"menagerie_{name}", _help(name), labels, registry=self.registry)

    def _histogram(self, name: str, buckets: tuple[float, ...], label: str = "kind") -> Histogram:
        return Histogram(f"menagerie_{name}", _help(name), (label,), buckets=buckets, registry=self.registry)


def shown_name(name: str) -> str:
    """An engine's name as everybody may see it: of an address only the host, of a path only the last part."""
    if "://" in name:
        return urlsplit(name).hostname or ""
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2]


class _Bounded:
    """The first names as they are, `NAMES_KEPT` of them; all others as `other`."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        if name in self._known:
            return name
        if len(self._known) >= NAMES_KEPT:
            return OTHER
        self._known.add(name)
        return name


def _help(name: str) -> str:
    return text(f"metrics.{name}", "en")
