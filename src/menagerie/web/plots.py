"""Plots as SVG, made here so that they need no script: lines, stacked bars and scatters, for pages and for the docs.

Colour never stands alone: each tone has its dashes, its marker and its hatching as well. On a page, the style sheet
colours the classes; `standalone` pictures bring colours that suit light and dark surroundings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from html import escape
from math import ceil, log10
from typing import Final, Literal

from menagerie.core.numbers import number_text
from menagerie.locales import Language
from menagerie.web.ticks import Tick, clock_text, log_ticks, number_ticks, time_ticks

TONES: Final = 6
"""Different looks; more series than that begin again."""
Kind = Literal["lines", "bars", "scatter"]
Point = tuple[float, float | None]
"""Where, and how much; None is a gap."""

_DASHES: Final = ("", "7 4", "1.5 4", "9 3 2 3", "4 3", "12 4")
_MARKERS_A_LINE: Final = 10
_GUTTER_LETTER: Final = 7.2
_LETTER: Final = 7.4
"""The width of a letter of a standalone picture's texts, about."""
_STYLE: Final = """
.plot{font:12px system-ui,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif;
--ink:#18211f;--soft:#4a5653;--line:#d9ded8;--base:#76827e;--surface:#fff}
.tone-0{--tone:#0b5f57}.tone-1{--tone:#4b49b6}.tone-2{--tone:#9a5200}
.tone-3{--tone:#97337f}.tone-4{--tone:#a32a22}.tone-5{--tone:#56636b}
@media(prefers-color-scheme:dark){.plot{--ink:#e6ebe9;--soft:#abb6b2;--line:#2c3533;--base:#7b8884;--surface:#191f1e}
.tone-0{--tone:#7fd3c5}.tone-1{--tone:#b3b4ff}.tone-2{--tone:#f0b866}
.tone-3{--tone:#eba6dc}.tone-4{--tone:#ff9f94}.tone-5{--tone:#b4c1c8}}
.plot-ground{fill:var(--surface)}.plot-title{fill:var(--ink);font-size:15px;font-weight:700}
.plot-text{fill:var(--soft);paint-order:stroke;stroke:var(--surface);stroke-width:3px}.plot-name{fill:var(--ink)}
.plot-grid{stroke:var(--line)}.plot-base{stroke:var(--base)}
.plot-line{fill:none;stroke:var(--tone);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.plot-fill{fill:var(--tone)}.plot-wash{fill:var(--tone);fill-opacity:.2}.plot-hatch{stroke:var(--tone);stroke-width:2.5}
.plot-bar{stroke:var(--tone);stroke-width:.75}
.plot-marker{fill:var(--tone);stroke:var(--surface);stroke-width:1}"""


@dataclass(frozen=True)
class Axis:
    """One axis. With a `zone` its values are Unix seconds, shown as times there; `whole` allows no parts of one.

    `low` and `high` widen the range of the data; an axis of numbers begins at 0 unless it is logarithmic.
    """

    label: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    zone: tzinfo | None = None
    whole: bool = False
    log: bool = False


@dataclass(frozen=True)
class Series:
    """One line, one layer of the bars, or one cloud of points, sorted by where. `tone` says how it looks."""

    name: str
    points: tuple[Point, ...]
    tone: int = 0


@dataclass(frozen=True)
class Plot:
    """All that a picture shows. `name` begins its ids and must be unique on a page; bars are `step` wide."""

    name: str
    kind: Kind
    title: str
    description: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    language: Language
    step: float = 0.0
    nothing: str = ""
    """What stands in a plot without data."""


def svg(plot: Plot, *, standalone: bool = False, width: int = 480, height: int = 210) -> str:
    """The picture: to be put into a page as it is, or with `standalone` a file of its own with title and legend."""
    return "".join(_picture(plot, standalone, width, height))


def swatch(plot: Plot, series: Series) -> str:
    """The look of one series, for a legend that stands beside the picture and names it."""
    identity = f"{plot.name}-key"
    return (
        '<svg class="plot-key" viewBox="0 0 28 14" aria-hidden="true" focusable="false">'
        f"{_patterns(plot, identity, [series])}{_sample(plot, identity, series, 0, 7)}</svg>"
    )


class _Scale:
    """From values to places between `start` and `end`."""

    def __init__(self, low: float, high: float, start: float, end: float, *, log: bool = False) -> None:
        self._of: Callable[[float], float] = log10 if log else float
        self._low, self._high = self._of(low), self._of(high)
        self._start, self._end = start, end
        self._least = low

    def __call__(self, value: float) -> float:
        share = (self._of(max(value, self._least)) - self._low) / ((self._high - self._low) or 1.0)
        return self._start + min(max(share, 0.0), 1.0) * (self._end - self._start)


def _picture(plot: Plot, standalone: bool, width: int, height: int) -> Iterator[str]:
    rows = list(_legend_rows(plot, width)) if standalone else []
    left, right, bottom = (14, width - 14, height - 30) if standalone else (2, width - 2, height - 26)
    bottom -= 18 if standalone and plot.x.label else 0
    top = 78 + 20 * len(rows) if standalone else 22
    y_ticks = _y_ticks(plot)
    gutter = _gutter(y_ticks, width) if _values(plot) else 0
    x_low, x_high = _x_range(plot)
    x = _Scale(x_low, x_high, left + gutter, right, log=plot.x.log)
    y = _Scale(y_ticks[0][0], y_ticks[-1][0], bottom, top, log=plot.y.log)

    size = f' width="{width}" height="{height}" xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    yield f'<svg class="plot" viewBox="0 0 {width} {height}"{size} role="img" '
    yield f'aria-labelledby="{plot.name}-title {plot.name}-desc">'
    yield f'<title id="{plot.name}-title">{escape(plot.title)}</title>'
    yield f'<desc id="{plot.name}-desc">{escape(plot.description)}</desc>'
    if standalone:
        yield f"<style>{_STYLE}</style>"
        yield f'<rect class="plot-ground" width="{width}" height="{height}" rx="10"/>'
        yield f'<text class="plot-title" x="{left}" y="27">{escape(plot.title)}</text>'
        yield from _legend(plot, rows, left)
        middle = f'x="{(left + right) / 2:g}" y="{height - 11}" text-anchor="middle"'
        yield f'<text class="plot-text" {middle}>{escape(plot.x.label)}</text>' if plot.x.label else ""
        yield f'<text class="plot-text" x="{left}" y="{top - 24}">{escape(plot.y.label)}</text>'
    yield _patterns(plot, plot.name, plot.series)
    yield from _grid(y_ticks, y, left, right)
    yield from _data(plot, x, y)
    if _values(plot):
        yield from _labels(y_ticks, y, left)
    yield from _x_axis(plot, x, x_low, x_high, bottom)
    if not _values(plot):
        middle = f'x="{width / 2:.0f}" y="{(top + bottom) / 2:.0f}" text-anchor="middle"'
        yield f'<text class="plot-text" {middle}>{escape(plot.nothing)}</text>'
    yield "</svg>"


def _gutter(ticks: list[Tick], width: int) -> float:
    """The room on the left for what the ticks say; the topmost one stands above all data and needs none."""
    return min(_GUTTER_LETTER * max(len(said) for _, said in ticks[:-1]) + 6, width / 5)


def _values(plot: Plot) -> list[float]:
    if plot.kind != "bars":
        return [value for series in plot.series for _, value in series.points if value is not None]
    heights: dict[float, float] = {}
    for series in plot.series:
        for where, value in series.points:
            heights[where] = heights.get(where, 0.0) + (value or 0.0)
    return [height for height in heights.values() if height > 0]


def _y_ticks(plot: Plot) -> list[Tick]:
    axis = plot.y
    values = [*_values(plot), *(bound for bound in (axis.low, axis.high) if bound is not None)]
    if axis.log:
        positive = [value for value in values if value > 0] or [1.0, 10.0]
        return _with_unit(log_ticks(min(positive), max(positive), plot.language), axis.unit)
    low, high = min(0.0, *values) if values else 0.0, max(values, default=0.0)
    return _with_unit(number_ticks(low, high or 1.0, plot.language, whole=axis.whole), axis.unit)


def _with_unit(ticks: list[Tick], unit: str) -> list[Tick]:
    """The unit stands once, at the top."""
    value, said = ticks[-1]
    return [*ticks[:-1], (value, f"{said}\N{NO-BREAK SPACE}{unit}" if unit else said)]


def _x_range(plot: Plot) -> tuple[float, float]:
    places = [where for series in plot.series for where, _ in series.points]
    low = plot.x.low if plot.x.low is not None else min(places, default=0.0)
    high = plot.x.high if plot.x.high is not None else max(places, default=1.0) + plot.step
    return low, high if high > low else low + 1.0


def _grid(ticks: list[Tick], y: _Scale, left: float, right: float) -> Iterator[str]:
    for number, (value, _) in enumerate(ticks):
        look = "plot-grid" if number else "plot-base"
        yield f'<path class="{look}" d="M{left} {y(value):.1f}H{right}"/>'


def _labels(ticks: list[Tick], y: _Scale, left: float) -> Iterator[str]:
    """Above their lines, on the left."""
    for value, said in ticks[1:]:
        yield f'<text class="plot-text plot-y" x="{left}" y="{y(value) - 5:.1f}">{escape(said)}</text>'


def _x_axis(plot: Plot, x: _Scale, low: float, high: float, bottom: float) -> Iterator[str]:
    axis = plot.x
    if axis.zone is not None:
        ticks = time_ticks(low, high, plot.language, axis.zone)
    elif axis.log:
        ticks = [
            tick for tick in log_ticks(low, high, plot.language, unit=axis.unit) if low <= tick[0] <= high
        ]
    else:
        found = number_ticks(low, high, plot.language, unit=axis.unit, whole=axis.whole, most=7)
        ticks = [tick for tick in found if low <= tick[0] <= high]
    start, end = x(low), x(high)
    for number, (value, said) in enumerate(ticks):
        place = x(value)
        anchor = "start" if place - start < 20 else "end" if end - place < 20 else "middle"
        seldom = " plot-seldom" if number % 2 else ""
        yield f'<path class="plot-base" d="M{place:.1f} {bottom}v4"/>'
        yield f'<text class="plot-text plot-x{seldom}" x="{place:.1f}" y="{bottom + 18}" '
        yield f'text-anchor="{anchor}">{escape(said)}</text>'


def _data(plot: Plot, x: _Scale, y: _Scale) -> Iterator[str]:
    if plot.kind == "bars":
        yield from _bars(plot, x, y)
        return
    for series in plot.series:
        tone = series.tone % TONES
        yield f'<g class="tone-{tone}">'
        if plot.kind == "scatter":
            yield from _cloud(plot, series, x, y)
        else:
            yield from _line(series, x, y)
        yield "</g>"


def _bars(plot: Plot, x: _Scale, y: _Scale) -> Iterator[str]:
    below: dict[float, float] = {}
    for series in plot.series:
        tone = series.tone % TONES
        yield f'<g class="tone-{tone}">'
        for where, value in series.points:
            if not value:
                continue
            base = below.get(where, 0.0)
            below[where] = base + value
            start, end = x(where), x(where + plot.step)
            low, high = y(base), y(base + value)
            width = max(end - start - 1.5, 1.0)
            yield f'<rect class="plot-bar" fill="url(#{plot.name}-fill-{tone})" x="{start + 0.75:.1f}" '
            yield f'y="{high:.1f}" width="{width:.1f}" height="{max(low - high, 0.5):.1f}"/>'
        yield "</g>"


def _line(series: Series, x: _Scale, y: _Scale) -> Iterator[str]:
    tone = series.tone % TONES
    dash = f' stroke-dasharray="{_DASHES[tone]}"' if _DASHES[tone] else ""
    every = ceil(len(series.points) / _MARKERS_A_LINE) or 1
    for run in _runs(series.points):
        places = [(x(where), y(value)) for where, value in run]
        if len(places) > 1:
            course = "L".join(f"{across:.1f} {up:.1f}" for across, up in places)
            yield f'<path class="plot-line"{dash} d="M{course}"/>'
        for number, (across, up) in enumerate(places):
            if len(places) == 1 or number == len(places) - 1 or number % every == every // 2:
                yield _marker(tone, across, up)


def _cloud(plot: Plot, series: Series, x: _Scale, y: _Scale) -> Iterator[str]:
    for where, value in series.points:
        if value is None:
            continue
        at = (
            clock_text(where, plot.language, plot.x.zone)
            if plot.x.zone is not None
            else number_text(where, plot.language, 2, plot.x.unit)
        )
        said = f"{series.name}, {at}, {number_text(value, plot.language, 1, plot.y.unit)}"
        yield f"<g>{_marker(series.tone % TONES, x(where), y(value), 4.5)}<title>{escape(said)}</title></g>"


def _runs(points: tuple[Point, ...]) -> Iterator[list[tuple[float, float]]]:
    """The stretches without a gap."""
    run: list[tuple[float, float]] = []
    for where, value in points:
        if value is not None:
            run.append((where, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _marker(tone: int, x: float, y: float, size: float = 3.5) -> str:
    """A disc, square, triangle, diamond, flat triangle or bar, about as large as each other."""
    tip = size * 1.4
    shapes = (
        "",
        f"m{-size:g} {-size:g}h{2 * size:g}v{2 * size:g}h{-2 * size:g}z",
        f"m0 {-size * 1.25:g}l{size * 1.2:g} {size * 2.1:g}h{-size * 2.4:g}z",
        f"m0 {-tip:g}l{tip:g} {tip:g}l{-tip:g} {tip:g}l{-tip:g} {-tip:g}z",
        f"m0 {size * 1.25:g}l{size * 1.2:g} {-size * 2.1:g}h{-size * 2.4:g}z",
        f"m{-size / 2:g} {-size * 1.3:g}h{size:g}v{size * 2.6:g}h{-size:g}z",
    )
    if not tone:
        return f'<circle class="plot-marker" cx="{x:.1f}" cy="{y:.1f}" r="{size:g}"/>'
    return f'<path class="plot-marker" d="M{x:.1f} {y:.1f}{shapes[tone]}"/>'


def _patterns(plot: Plot, identity: str, series: tuple[Series, ...] | list[Series]) -> str:
    """The hatchings of bars: full, oblique lines, dots, crossed lines, upright lines, level lines."""
    if plot.kind != "bars":
        return ""
    hatches = (
        '<rect class="plot-fill" width="6" height="6"/>',
        '<rect class="plot-wash" width="6" height="6"/><path class="plot-hatch" d="M-1 1l2 -2M0 6l6 -6M5 7l2 -2"/>',
        '<rect class="plot-wash" width="6" height="6"/><circle class="plot-fill" cx="3" cy="3" r="1.6"/>',
        '<rect class="plot-wash" width="6" height="6"/><path class="plot-hatch" d="M0 3h6M3 0v6"/>',
        '<rect class="plot-wash" width="6" height="6"/><path class="plot-hatch" d="M3 0v6"/>',
        '<rect class="plot-wash" width="6" height="6"/><path class="plot-hatch" d="M0 3h6"/>',
    )
    tones = sorted({one.tone % TONES for one in series})
    return "".join(
        f'<pattern class="tone-{tone}" id="{identity}-fill-{tone}" patternUnits="userSpaceOnUse" width="6" height="6">'
        f"{hatches[tone]}</pattern>"
        for tone in tones
    )


def _sample(plot: Plot, identity: str, series: Series, x: float, y: float) -> str:
    """A piece of a series, 28 wide and centred on `y`."""
    tone = series.tone % TONES
    if plot.kind == "bars":
        place = f'x="{x + 6}" y="{y - 6}" width="16" height="12"'
        drawn = f'<rect class="plot-bar" fill="url(#{identity}-fill-{tone})" {place}/>'
    else:
        dash = f' stroke-dasharray="{_DASHES[tone]}"' if _DASHES[tone] else ""
        line = f'<path class="plot-line"{dash} d="M{x + 1} {y}H{x + 27}"/>' if plot.kind == "lines" else ""
        drawn = line + _marker(tone, x + 14, y, 4)
    return f'<g class="tone-{tone}">{drawn}</g>'


def _legend_rows(plot: Plot, width: int) -> Iterator[list[tuple[Series, float]]]:
    """The names of the series in rows, each with where it begins."""
    row: list[tuple[Series, float]] = []
    across = 0.0
    for series in plot.series:
        wide = 36 + len(series.name) * _LETTER + 18
        if row and across + wide > width - 28:
            yield row
            row, across = [], 0.0
        row.append((series, across))
        across += wide
    if row:
        yield row


def _legend(plot: Plot, rows: list[list[tuple[Series, float]]], left: float) -> Iterator[str]:
    for number, row in enumerate(rows):
        height = 50 + 20 * number
        for series, across in row:
            yield _sample(plot, plot.name, series, left + across, height - 4)
            yield f'<text class="plot-text plot-name" x="{left + across + 36:.1f}" y="{height}">'
            yield f"{escape(series.name)}</text>"
