"""The plots of `/platform/stats`, each with the table of the same data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from menagerie.core.numbers import number_text
from menagerie.engines.history import History, Period, Quantiles
from menagerie.engines.overview import DeviceView
from menagerie.engines.plan import MIB
from menagerie.locales import text
from menagerie.web.plots import TONES, Axis, Kind, Plot, Point, Series, svg, swatch
from menagerie.web.stats_words import (
    NONE,
    When,
    device_title,
    kind_text,
    memory_text,
    span_text,
)

MOST_DEVICES: Final = 8
_GB: Final = 1e9


@dataclass(frozen=True)
class Figure:
    """A picture, what it shows in a sentence, its legend (swatch and name), and the same data as a table."""

    identity: str
    title: str
    sentence: str
    unit: str
    legend: tuple[tuple[str, str], ...]
    picture: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def figures(history: History, devices: Sequence[DeviceView], when: When) -> Iterator[Figure]:
    """All plots of one span, in the order of the page."""
    drawing = _Drawing(history, when)
    yield drawing.turns()
    yield drawing.waits()
    yield drawing.durations()
    yield drawing.loads()
    for number, device in enumerate(devices[:MOST_DEVICES]):
        yield drawing.memory(number, device)


class _Drawing:
    def __init__(self, history: History, when: When) -> None:
        self._history = history
        self._when = when
        self._language = when.language

    def turns(self) -> Figure:
        periods = self._history.periods
        hits, misses = sum(one.hits for one in periods), sum(one.misses for one in periods)
        names = (self._say("turns.hits"), self._say("turns.misses"))
        return self._figure(
            "turns",
            "bars",
            self._say("turns.sentence", turns=self._number(hits + misses), hits=self._number(hits)),
            (
                Series(names[0], tuple((one.start, one.hits) for one in periods), 0),
                Series(names[1], tuple((one.start, one.misses) for one in periods), 1),
            ),
            Axis(self._say("turns.unit"), whole=True),
            (*names, self._say("turns.refused")),
            [
                (one.start, (self._number(one.hits), self._number(one.misses), self._number(one.refused)))
                for one in periods
                if one.hits or one.misses or one.refused
            ],
        )

    def waits(self) -> Figure:
        return self._quantiles("waits", {"": lambda period: period.waits_s})

    def durations(self) -> Figure:
        turns: Counter[str] = Counter()
        for period in self._history.periods:
            turns.update({kind: one.count for kind, one in period.durations_s.items()})
        kinds = [kind for kind, _ in turns.most_common(TONES // 2)] or ["text"]
        return self._quantiles("durations", {kind: _of_kind(kind) for kind in kinds})

    def loads(self) -> Figure:
        loads = [(load.at, load.engine, load.seconds) for load in self._history.loads]
        common = [engine for engine, _ in Counter(engine for _, engine, _ in loads).most_common()]
        named = common if len(common) <= TONES else common[: TONES - 1]
        series = [
            Series(name, tuple((at, seconds) for at, engine, seconds in loads if engine == name), tone)
            for tone, name in enumerate(named)
        ]
        if rest := tuple((at, seconds) for at, engine, seconds in loads if engine not in named):
            series.append(Series(self._say("loads.others"), rest, TONES - 1))
        longest = max((seconds for _, _, seconds in loads), default=0.0)
        sentence = self._say("loads.none")
        if loads:
            sentence = self._say(
                "loads.sentence", loads=self._number(len(loads)), longest=span_text(longest, self._language)
            )
        return self._figure(
            "loads",
            "scatter",
            sentence,
            tuple(series),
            Axis(self._say("loads.unit"), "s"),
            (self._say("loads.engine"), self._say("loads.seconds")),
            [(at, (engine, span_text(seconds, self._language))) for at, engine, seconds in loads],
        )

    def memory(self, number: int, device: DeviceView) -> Figure:
        seen = [(period.start, period.memory.get(device.name)) for period in self._history.periods]
        budget = device.budget_mib * MIB / _GB
        names = tuple(self._say(f"memory.{part}") for part in ("reserved", "measured", "budget"))
        known = [memory for _, memory in seen if memory is not None]
        most = max((memory.reserved_mib for memory in known), default=device.reserved_mib)
        ends = (self._history.since, self._history.until)
        series = (
            Series(names[0], tuple((at, _gb(one.reserved_mib if one else None)) for at, one in seen), 0),
            Series(names[1], tuple((at, _gb(one.measured_mib if one else None)) for at, one in seen), 1),
            Series(names[2], tuple((at, budget) for at in ends), 5),
        )
        return self._figure(
            "memory",
            "lines",
            self._say(
                "memory.sentence",
                most=self._memory(most),
                budget=self._memory(device.budget_mib),
            ),
            tuple(one for one in series if any(value is not None for _, value in one.points)),
            Axis(self._say("memory.unit"), "GB" if self._language == "en" else "Go"),
            names[:2],
            [
                (at, (self._memory(memory.reserved_mib), self._memory(memory.measured_mib)))
                for at, memory in seen
                if memory is not None
            ],
            suffix=f"-{number}",
            device=device_title(device.name, self._language),
        )

    def _quantiles(self, name: str, by_kind: dict[str, Callable[[Period], Quantiles | None]]) -> Figure:
        periods = self._history.periods
        series: list[Series] = []
        heads: list[str] = [self._say(f"{name}.turns")]
        highest: tuple[float, float] | None = None
        for kind, quantiles in by_kind.items():
            found = [(period.start, quantiles(period)) for period in periods]
            medians: tuple[Point, ...] = tuple((at, one.median if one else None) for at, one in found)
            tails: tuple[Point, ...] = tuple((at, one.p95 if one else None) for at, one in found)
            series.append(Series(self._of_kind("median", kind, by_kind), medians, len(series)))
            series.append(Series(self._of_kind("p95", kind, by_kind), tails, len(series)))
            heads += [series[-2].name, series[-1].name]
            for at, one in found:
                if one and (highest is None or one.p95 > highest[0]):
                    highest = (one.p95, at)
        sentence = self._say(f"{name}.none")
        if highest:
            sentence = self._say(
                f"{name}.sentence",
                p95=span_text(highest[0], self._language),
                at=self._when.moment(highest[1]),
            )
        rows = []
        for period in periods:
            told = [quantiles(period) for quantiles in by_kind.values()]
            if any(told):
                cells = [self._number(sum(one.count for one in told if one))]
                for one in told:
                    cells += [
                        span_text(one.median, self._language) if one else NONE,
                        span_text(one.p95, self._language) if one else NONE,
                    ]
                rows.append((period.start, tuple(cells)))
        return self._figure(
            name, "lines", sentence, tuple(series), Axis(self._say(f"{name}.unit"), "s"), tuple(heads), rows
        )

    def _figure(
        self,
        name: str,
        kind: Kind,
        sentence: str,
        series: tuple[Series, ...],
        y: Axis,
        heads: tuple[str, ...],
        rows: Sequence[tuple[float, tuple[str, ...]]],
        *,
        suffix: str = "",
        device: str = "",
    ) -> Figure:
        title = device or self._say(f"{name}.title")
        step, since = self._history.step_s, self._history.since
        plot = Plot(
            name=f"plot-{name}{suffix}",
            kind=kind,
            title=title,
            description=sentence,
            x=Axis("", low=since, high=since + step * len(self._history.periods), zone=self._when.zone),
            y=y,
            series=series,
            language=self._language,
            step=step,
            nothing=self._say("nothing"),
        )
        return Figure(
            identity=plot.name,
            title=title,
            sentence=sentence,
            unit=y.label,
            legend=tuple((swatch(plot, one), one.name) for one in series),
            picture=svg(plot),
            heads=(self._say("time"), *heads),
            rows=tuple((self._when.moment(at), *cells) for at, cells in reversed(rows)),
        )

    def _of_kind(self, what: str, kind: str, kinds: Collection[str]) -> str:
        """What a line shows, and of which kind of engine where there are several."""
        if len(kinds) == 1:
            return self._say(what)
        words = kind_text(kind, self._language)
        return self._say("of_kind", kind=words[:1].upper() + words[1:], what=self._say(what).lower())

    def _say(self, key: str, **values: object) -> str:
        return text(f"page.stats.plot.{key}", self._language, **values)

    def _memory(self, mib: int | None) -> str:
        return memory_text(mib, self._language)

    def _number(self, value: float) -> str:
        return number_text(value, self._language)


def _of_kind(kind: str) -> Callable[[Period], Quantiles | None]:
    return lambda period: period.durations_s.get(kind)


def _gb(mib: int | None) -> float | None:
    return None if mib is None else mib * MIB / _GB
