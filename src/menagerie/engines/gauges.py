"""An `Overview` as Prometheus reads it: what is so at the moment of the reading. Memory in bytes, as is its custom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from menagerie.engines.figures import NAMES_KEPT, shown_name
from menagerie.engines.overview import EngineState, EngineView, Overview
from menagerie.engines.plan import MIB
from menagerie.locales import text


class Gauges(Collector):
    """What `registry` has, and after it one overview."""

    def __init__(self, registry: CollectorRegistry, overview: Overview) -> None:
        self._registry = registry
        self._overview = overview

    def collect(self) -> Iterator[object]:  # type: ignore[override]
        """All families of both."""
        yield from self._registry.collect()
        yield from _totals(self._overview)
        yield from _devices(self._overview)
        yield from _engines(self._overview.engines[:NAMES_KEPT])


def _totals(overview: Overview) -> Iterator[GaugeMetricFamily]:
    yield _family("turns_running", (), [((), overview.running)])
    yield _family("turns_waiting", (), [((), overview.waiting)])
    yield _family("queue_length", (), [((), overview.queue_length)])
    states = Counter(engine.state for engine in overview.engines)
    yield _family("engines", ("state",), [((state,), states[state]) for state in get_args(EngineState)])


def _devices(overview: Overview) -> Iterator[GaugeMetricFamily]:
    devices = overview.devices
    for name, values in (
        ("memory_total_bytes", [(device.name, device.total_mib) for device in devices]),
        ("memory_budget_bytes", [(device.name, device.budget_mib) for device in devices]),
        ("memory_reserved_bytes", [(device.name, device.reserved_mib) for device in devices]),
        (
            "memory_measured_bytes",
            [(device.name, device.measured_mib) for device in devices if device.measured_mib is not None],
        ),
    ):
        yield _family(name, ("device",), [((device,), mib * MIB) for device, mib in values])


def _engines(engines: Iterable[EngineView]) -> Iterator[GaugeMetricFamily]:
    """By name: one model under two kinds of parameters is two engines of one name, told together."""
    told: dict[str, Counter[str]] = {}
    for engine in engines:
        told.setdefault(shown_name(engine.name), Counter()).update(
            engine_slots=engine.slots,
            engine_running=engine.running,
            engine_waiting=engine.waiting,
            engine_reserved_bytes=sum(engine.reserved_mib) * MIB,
        )
    for name in ("engine_slots", "engine_running", "engine_waiting", "engine_reserved_bytes"):
        yield _family(name, ("engine",), [((engine,), values[name]) for engine, values in told.items()])


def _family(
    name: str, labels: tuple[str, ...], values: list[tuple[tuple[str, ...], int]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"menagerie_{name}", text(f"metrics.{name}", "en"), labels=labels)
    for of, value in values:
        family.add_metric(of, value)
    return family
