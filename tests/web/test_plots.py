"""The pictures: well-formed, true to the data, the same for whoever sees no colour, round at the axes."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.core.numbers import number_text
from menagerie.web.plots import TONES, Axis, Kind, Plot, Point, Series, svg, swatch
from menagerie.web.ticks import clock_text, log_ticks, number_ticks, time_ticks

NOON = 1_700_049_600.0
TORONTO = ZoneInfo("America/Toronto")
NS = "{http://www.w3.org/2000/svg}"


def a_plot(kind: Kind, *points: Point, more: tuple[Series, ...] = (), log: bool = False) -> Plot:
    return Plot(
        name="waits",
        kind=kind,
        title="Waits & <loads>",
        description="How long.",
        x=Axis("time", zone=TORONTO, low=NOON, high=NOON + 3600),
        y=Axis("seconds", "s", log=log),
        series=(Series("a < b", points), *more),
        language="en",
        step=60,
        nothing="Nothing yet",
    )


def drawn(plot: Plot, *, standalone: bool = False) -> ET.Element:
    return ET.fromstring(svg(plot, standalone=standalone))


@pytest.mark.parametrize("kind", ["lines", "bars", "scatter"])
@pytest.mark.parametrize("standalone", [False, True])
def test_a_picture_is_named_described_and_well_formed(kind: Kind, standalone: bool) -> None:
    picture = drawn(a_plot(kind, (NOON, 1.0), (NOON + 60, 3.0)), standalone=standalone)
    namespace = NS if standalone else ""
    assert picture.get("role") == "img"
    named = [picture.find(f"{namespace}{tag}") for tag in ("title", "desc")]
    assert [part.text for part in named if part is not None] == ["Waits & <loads>", "How long."]
    assert picture.get("aria-labelledby") == " ".join(
        part.get("id", "") for part in named if part is not None
    )


def test_a_picture_in_a_page_has_no_style_and_asks_for_nothing() -> None:
    for kind in ("lines", "bars", "scatter"):
        picture = svg(a_plot(kind, (NOON, 1.0), (NOON + 60, 3.0)))
        assert not re.search(r"<style|style=|<script|href|http", picture)


def test_a_standalone_picture_has_a_title_a_legend_and_colours_for_light_and_dark() -> None:
    picture = svg(a_plot("lines", (NOON, 1.0)), standalone=True)
    assert 'class="plot-title"' in picture
    assert ">a &lt; b</text>" in picture
    assert "prefers-color-scheme:dark" in picture


def test_no_value_is_a_gap_and_a_lone_value_is_a_marker() -> None:
    points: tuple[Point, ...] = ((NOON, 1.0), (NOON + 60, 2.0), (NOON + 120, None), (NOON + 180, 4.0))
    picture = drawn(a_plot("lines", *points))
    lines = [path for path in picture.iter("path") if path.get("class") == "plot-line"]
    assert len(lines) == 1
    assert (lines[0].get("d") or "").count("L") == 1
    assert len(list(picture.iter("circle"))) == 3


def test_bars_stand_on_one_another_in_proportion() -> None:
    more = (Series("second", ((NOON, 1.0),), 1), Series("third", ((NOON, 2.0),), 2))
    picture = drawn(a_plot("bars", (NOON, 3.0), more=more))
    bars = [rect for rect in picture.iter("rect") if rect.get("class") == "plot-bar"]
    low, middle, high = ({name: float(bar.get(name, 0)) for name in ("y", "height")} for bar in bars)
    assert middle["y"] + middle["height"] == pytest.approx(low["y"], abs=0.2)
    assert high["y"] + high["height"] == pytest.approx(middle["y"], abs=0.2)
    assert low["height"] == pytest.approx(3 * middle["height"], abs=0.5)


def test_whoever_sees_no_colour_tells_the_series_apart() -> None:
    """Six tones: six dashes or markers, six hatchings."""
    for kind in ("lines", "bars", "scatter"):
        looks = set()
        for tone in range(TONES):
            key = swatch(a_plot(kind), Series("x", (), tone))
            looks.add(re.sub(r"tone-\d|fill-\d", "", key))
        assert len(looks) == TONES


def test_a_plot_without_data_says_so() -> None:
    assert "Nothing yet" in svg(a_plot("lines", (NOON, None)))
    assert "Nothing yet" in svg(a_plot("bars", (NOON, 0)))
    assert "Nothing yet" not in svg(a_plot("lines", (NOON, 0.0)))


@given(
    st.sampled_from(["lines", "bars", "scatter"]),
    st.lists(st.tuples(st.integers(0, 3600), st.one_of(st.none(), st.floats(0, 1e12)))),
    st.booleans(),
)
def test_every_picture_of_any_data_stays_inside_its_frame(
    kind: Kind, data: list[tuple[int, float | None]], log: bool
) -> None:
    points = tuple((NOON + at, value) for at, value in sorted(dict(data).items()))
    picture = drawn(a_plot(kind, *points, log=log and kind != "bars"))
    for mark in [*picture.iter("circle"), *picture.iter("rect"), *picture.iter("text")]:
        for name, most in (("cx", 480), ("x", 480), ("cy", 210), ("y", 210)):
            assert 0 <= float(mark.get(name, 0)) <= most


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e9))
def test_number_ticks_are_few_round_and_hold_the_range(low: float, span: float) -> None:
    high = low + span
    ticks = [value for value, _ in number_ticks(low, high, "en")]
    assert 2 <= len(ticks) <= 6
    assert ticks[0] <= low + span * 1e-6
    assert ticks[-1] >= high - span * 1e-6


def test_ticks_say_numbers_as_each_language_does() -> None:
    assert [said for _, said in number_ticks(0, 1900, "en", unit="s")][-1] == "2,000\u00a0s"
    assert [said for _, said in number_ticks(0, 1.5, "fr", unit="s")][1] == "0,5\u00a0s"
    assert [value for value, _ in number_ticks(0, 2, "en", whole=True)] == [0, 1, 2]
    assert [said for _, said in log_ticks(0.05, 20, "en")] == ["0.01", "0.1", "1", "10", "100"]
    assert number_text(1234.5, "fr", 1) == "1\u00a0234,5"


def test_ticks_of_time_are_round_in_the_zone() -> None:
    """Newfoundland is half an hour off; a day of 96 quarters has marks every four hours."""
    newfoundland = ZoneInfo("America/St_Johns")
    assert next(said for _, said in time_ticks(NOON, NOON + 3600, "en", newfoundland)) == "08:30"
    assert [said for _, said in time_ticks(NOON, NOON + 86400, "fr", TORONTO)][:2] == [
        "8\u00a0h",
        "12\u00a0h",
    ]
    assert clock_text(NOON + 65, "fr", TORONTO, seconds=True) == "7\u00a0h\u00a01\u00a0min\u00a05\u00a0s"


@given(st.floats(1e9, 2e9), st.floats(30, 90 * 86400))
def test_ticks_of_time_are_few_and_inside(low: float, span: float) -> None:
    ticks = time_ticks(low, low + span, "en", TORONTO)
    assert len(ticks) <= 7
    assert all(low <= moment <= low + span for moment, _ in ticks)
