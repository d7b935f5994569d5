"""The waits and loads of the simulated days as a picture for the docs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from bench.simulate.results import Result
from menagerie.web.plots import Axis, Plot, Series, svg

_NAMES: Final = {
    "ours": "menagerie",
    "lru": "LRU, in order",
    "lru_overtaking": "LRU, overtaking without bound",
    "reference": "one model, one turn",
}
_LEAST_S: Final = 0.1
_WIDTH: Final = 720
_HEIGHT: Final = 360


def picture(days: Iterable[Result]) -> str:
    """Median waits, 95th percentiles and loads by the number of users, one under the other, as one SVG."""
    days = list(days)
    users, waits = Axis("users", log=True), Axis(f"s, {_LEAST_S} or less at the bottom", log=True)
    plots = [
        _plot("median", "Median wait", days, users, waits, lambda day: max(day.median_s, _LEAST_S)),
        _plot(
            "p95",
            "95th percentile of waits",
            days,
            users,
            Axis("s", log=True),
            lambda day: max(day.p95_s, _LEAST_S),
        ),
        _plot("loads", "Loads an hour", days, users, Axis("loads"), lambda day: day.loads_per_hour),
    ]
    parts = [svg(plot, standalone=True, width=_WIDTH, height=_HEIGHT) for plot in plots]
    placed = [part.replace("<svg", f'<svg y="{n * _HEIGHT}"', 1) for n, part in enumerate(parts)]
    height = _HEIGHT * len(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}">{"".join(placed)}</svg>\n'
    )


def _plot(
    name: str, title: str, days: list[Result], x: Axis, y: Axis, value: Callable[[Result], float]
) -> Plot:
    series = tuple(
        Series(
            shown,
            tuple((float(day.users), value(day)) for day in days if day.scheduler == scheduler),
            tone,
        )
        for tone, (scheduler, shown) in enumerate(_NAMES.items())
    )
    return Plot(f"simulation-{name}", "lines", title, f"{title} by number of users", x, y, series, "en")
