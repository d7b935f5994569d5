"""What is counted of the engines: right, bounded, cheap, and exposed as Prometheus reads it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from menagerie.engines.figures import NAMES_KEPT, Figures
from menagerie.engines.gauges import Gauges
from menagerie.engines.history import (
    EVENTS_KEPT,
    MINUTE,
    MINUTES_KEPT,
    QUARTER,
    QUARTERS_KEPT,
    Chronicle,
    History,
    Memory,
    Spread,
)
from menagerie.engines.overview import Observer, Overview
from tests.engines.overviews import Clock, an_overview, lively_figures

NOON = 1_700_049_600.0


def exposed(figures: Figures, overview: Overview | None = None) -> dict[tuple[str, tuple[str, ...]], float]:
    """All samples, by name and the values of their labels in the labels' order."""
    source = Gauges(figures.registry, overview) if overview else figures.registry
    families = text_string_to_metric_families(generate_latest(source).decode())
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def figures(clock: Clock) -> Figures:
    return Figures(clock)


def test_figures_are_an_observer(figures: Figures) -> None:
    observer: Observer = figures
    assert observer is figures


def test_what_happens_is_counted_in_its_minute_and_in_its_quarter(figures: Figures, clock: Clock) -> None:
    figures.entered(kind="text", hit=True)
    figures.granted(kind="text", waited_s=0.2)
    clock.now += MINUTE
    figures.entered(kind="text", hit=False)
    figures.refused(code="queue.full")
    figures.left(kind="text", held_s=3.0)
    figures.loaded(engine="owl", kind="text", seconds=2.5)
    figures.unloaded(engine="owl", reason="evicted")
    figures.failed(engine="owl", code="engine.lost")

    before, last = figures.hour().periods[-2:]
    assert (before.start, before.hits, before.misses) == (NOON, 1, 0)
    assert before.waits_s is not None
    assert before.waits_s.median == pytest.approx(0.2, rel=0.05)
    assert (last.hits, last.misses, last.refused, last.loads, last.unloads, last.failures) == (
        0,
        1,
        1,
        1,
        1,
        1,
    )
    assert last.waits_s is None
    assert last.durations_s["text"].p95 == pytest.approx(3.0, rel=0.05)

    quarter = figures.day().periods[-1]
    assert (quarter.start, quarter.hits, quarter.misses, quarter.loads) == (NOON, 1, 1, 1)
    assert [(load.at, load.engine, load.seconds) for load in figures.day().loads] == [(NOON + 60, "owl", 2.5)]
    assert [failure.code for failure in figures.hour().failures] == ["engine.lost"]


def test_reading_changes_nothing(figures: Figures) -> None:
    figures.entered(kind="text", hit=True)
    assert figures.day() == figures.day()
    assert figures.day().periods[-1].hits == 1


def test_a_history_has_every_period_and_what_is_too_old_is_gone(figures: Figures, clock: Clock) -> None:
    figures.entered(kind="text", hit=True)
    figures.loaded(engine="owl", kind="text", seconds=1)
    clock.now += 60 * MINUTE

    assert _starts(figures.hour()) == [NOON + MINUTE * number for number in range(1, 61)]
    assert sum(period.hits for period in figures.hour().periods) == 0
    assert figures.hour().loads == ()
    assert len(figures.day().periods) == QUARTERS_KEPT
    assert sum(period.hits for period in figures.day().periods) == 1

    clock.now = NOON + 24 * 3600 + QUARTER
    assert sum(period.hits for period in figures.day().periods) == 0


def _starts(history: History) -> list[float]:
    return [period.start for period in history.periods]


def test_memory_is_told_at_its_highest(figures: Figures) -> None:
    overview = an_overview()
    figures.sample(overview, NOON)
    ram = overview.devices[0]
    assert figures.hour().periods[-1].memory["ram"] == Memory(ram.reserved_mib, ram.measured_mib)

    figures.sample(Overview((), (), 1, 9, 10, 0, 0, 0, 0, 0), NOON + 1)
    last = figures.hour().periods[-1]
    assert last.memory["ram"].reserved_mib == ram.reserved_mib
    assert (last.most_running, last.most_waiting) == (overview.running, 9)


def test_a_clock_that_is_corrected_loses_nothing_and_one_that_is_set_back_begins_anew(
    figures: Figures, clock: Clock
) -> None:
    figures.entered(kind="text", hit=True)
    clock.now -= MINUTE
    figures.entered(kind="text", hit=True)
    assert sum(period.hits for period in figures.hour().periods) == 2

    clock.now -= 3600
    figures.entered(kind="text", hit=True)
    assert sum(period.hits for period in figures.hour().periods) == 1


@given(st.lists(st.floats(min_value=0.001, max_value=10_000), min_size=1, max_size=200))
def test_quantiles_are_those_of_the_values_but_for_a_twentieth(values: list[float]) -> None:
    spread = Spread()
    for value in values:
        spread.add(value)
    found = spread.quantiles()
    assert found is not None
    ordered = sorted(values)
    for share, quantile in ((0.5, found.median), (0.95, found.p95)):
        exact = ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
        assert quantile == pytest.approx(exact, rel=0.05)


@given(st.lists(st.tuples(st.integers(-3, 40), st.sampled_from(["hit", "wait", "left", "read"]))))
def test_nothing_is_lost_or_counted_twice_whatever_the_order(steps: list[tuple[int, str]]) -> None:
    """Within a day: the minutes that went by are all in the quarters."""
    chronicle, now, hits = Chronicle(), NOON, 0
    for ahead, what in steps:
        now += max(ahead, 0) * 20
        tally = chronicle.at(now)
        if what == "hit":
            tally.hits += 1
            hits += 1
        elif what == "wait":
            tally.waits.add(0.1)
        elif what == "left":
            tally.held("text", 1.0)
        else:
            chronicle.hour(now)
    assert sum(period.hits for period in chronicle.day(now).periods) == hits


def test_memory_is_bounded_however_long_and_whatever_names_come(clock: Clock) -> None:
    figures, chance = Figures(clock), Random(3)
    for number in range(NAMES_KEPT + 500):
        clock.now += 400
        figures.loaded(engine=f"engine {number}", kind=f"kind {number}", seconds=chance.random() * 100)
        figures.failed(engine=f"engine {number}", code=f"code {number}")
        figures.left(kind=f"kind {number}", held_s=chance.random() * 1e9)
    samples = exposed(figures)
    engines = {labels[0] for (name, labels) in samples if name == "menagerie_load_seconds_count"}
    assert len(engines) == NAMES_KEPT + 1
    assert samples["menagerie_load_seconds_count", ("other",)] == 500
    assert len(figures.day().loads) <= EVENTS_KEPT
    chronicle = figures._chronicle
    assert len(chronicle._minutes) <= MINUTES_KEPT
    assert len(chronicle._quarters) <= QUARTERS_KEPT


def test_what_prometheus_reads_adds_up() -> None:
    figures = lively_figures(NOON)
    samples = exposed(figures, an_overview())
    entered = sum(value for (name, _), value in samples.items() if name == "menagerie_turns_entered_total")
    granted = sum(
        value for (name, _), value in samples.items() if name == "menagerie_turn_wait_seconds_count"
    )
    assert entered == granted > 1000
    assert samples["menagerie_failures_total", ("engine.lost", "Phi-4-mini-Q4_K_M")] == 1
    assert samples["menagerie_engines", ("ready",)] == 3
    assert samples["menagerie_engines", ("stopped",)] == 0
    assert samples["menagerie_engine_running", ("big",)] == 5
    assert samples["menagerie_memory_reserved_bytes", ("gpu0",)] == 7 * 1024**3
    assert ("menagerie_memory_measured_bytes", ("gpu0",)) not in samples
    assert samples["menagerie_queue_length", ()] == 256
    assert next(_named(samples, "process_resident_memory_bytes"), 1) > 0
    assert next(_named(samples, "menagerie_build")) == 1


def _named(samples: dict[tuple[str, tuple[str, ...]], float], wanted: str) -> Iterator[float]:
    return (value for (name, _), value in samples.items() if name == wanted)


def test_two_engines_of_one_name_are_told_together() -> None:
    overview = an_overview()
    twins = Overview((), overview.engines[:1] * 2, 0, 0, 0, 0, 0, 0, 0, 0)
    assert exposed(Figures(), twins)["menagerie_engine_slots", (overview.engines[0].name,)] == 16


def test_an_event_costs_some_microseconds(figures: Figures) -> None:
    rounds = 5000
    began = time.perf_counter()
    for _ in range(rounds):
        figures.entered(kind="text", hit=True)
        figures.granted(kind="text", waited_s=0.1)
        figures.left(kind="text", held_s=2.0)
    assert (time.perf_counter() - began) / (3 * rounds) < 50e-6
