"""`/platform/stats`: the page and its JSON, in both languages, on a busy day and on a quiet one."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from menagerie.core.errors import ErrorCode
from menagerie.engines.figures import Figures, shown_name
from menagerie.engines.overview import DeviceView, EngineState, EngineView, Overview
from menagerie.locales import LANGUAGES, catalogue
from menagerie.web.routes import platform
from menagerie.web.stats_words import failure_text, share_text, span_text
from tests.engines.overviews import Clock, SeenEngines, an_overview, lively_figures
from tests.web.serving import Parts, parts, serving

UI = Path(__file__).parents[2] / "ui"
NOON = 1_700_049_600.0
JSON = {"Accept": "application/json"}


def busy(folder: Path) -> Parts:
    """Parts with the engines and figures of a busy day."""
    given = parts(folder)
    given.engines = SeenEngines()
    given.figures = lively_figures(NOON)
    given.routers = (platform.router,)
    return given


async def read(given: Parts, path: str, **headers: str) -> str:
    async with serving(given) as client, client.get(path, headers=headers) as response:
        assert response.status == 200, await response.text()
        return re.sub(r"\s+", " ", (await response.text()).replace("\u00a0", " "))


async def test_the_bare_address_leads_to_the_callers_language(tmp_path: Path) -> None:
    async with serving(busy(tmp_path)) as client:
        asked = {"Accept-Language": "fr-CA"}
        async with client.get("/platform/stats?span=day", headers=asked, allow_redirects=False) as response:
            assert response.status == 307
            assert response.headers["Location"] == "/fr/platform/stats?span=day"
            assert response.headers["Vary"] == "Accept, Accept-Language, Cookie"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/platform/stats", JSON),
        ("/fr/platform/stats", JSON),
        ("/platform/stats.json", {"Accept": "text/html"}),
    ],
)
async def test_programs_get_the_figures_as_json(tmp_path: Path, path: str, headers: dict[str, str]) -> None:
    given = busy(tmp_path)
    async with serving(given) as client, client.get(path, headers=headers) as response:
        assert response.content_type == "application/json"
        told = await response.json()
    assert told["overview"]["hits"] == 1834
    assert told["overview"]["engines"][4]["name"] == "Phi-4-mini-Q4_K_M"
    assert (len(told["hour"]["periods"]), len(told["day"]["periods"])) == (60, 96)
    assert told["day"]["until"] == NOON
    assert "/srv" not in str(told)


async def test_the_page_tells_states_memory_and_troubles_in_words(tmp_path: Path) -> None:
    page = await read(busy(tmp_path), "/en/platform/stats")

    assert '<span class="state state-ill">Set aside</span>' in page
    assert "Because it stopped unexpectedly. Tried again in 9 min." in page
    assert "idle for 1 min 23 s" in page
    assert "reduced form, 2 of 3" in page
    assert "2 of 3 addresses answer" in page
    assert "<dd>25.8 GB</dd>" in page
    assert "98%" in page
    assert "1,834 of 1,875 requests" in page
    for hidden in ("/srv", "engine.lost", "set_aside", "gpu0"):
        assert hidden not in page


async def test_french_has_french_numbers_units_and_times(tmp_path: Path) -> None:
    page = await read(busy(tmp_path), "/fr/platform/stats")

    assert "Parce que il s’est arrêté" not in page
    assert "<dd>25,8 Go</dd>" in page
    assert "98 %" in page
    assert "1 834 sur 1 875" in page
    assert "7 h 0 min 0 s" in page
    assert ">6 h 30</text>" in page


@pytest.mark.parametrize("span", ["hour", "day"])
async def test_each_picture_stands_beside_a_table_of_the_same_data(tmp_path: Path, span: str) -> None:
    page = await read(busy(tmp_path), f"/en/platform/stats?span={span}")
    figures = re.findall(r'<figure class="figure".*?</figure>', page)

    assert len(figures) == 6
    for figure in figures:
        assert figure.count('role="img"') == 1
        assert "<caption>" in figure
        assert '<th scope="col">' in figure
    bars = len(re.findall(r'<rect class="plot-bar"(?=[^>]* width="[\d.]+" height="[\d.]+"/>)', figures[0]))
    rows = re.findall(r'<tr><th scope="row">.*?</th><td>(\d+)</td><td>(\d+)</td>', figures[0])
    legend = 2
    assert bars - legend == sum((hits != "0") + (misses != "0") for hits, misses in rows)


async def test_ids_are_given_once_and_nothing_breaks_the_policy(tmp_path: Path) -> None:
    page = await read(busy(tmp_path), "/en/platform/stats")
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page)


async def test_the_part_that_changes_can_be_asked_for_alone(tmp_path: Path) -> None:
    given = busy(tmp_path)
    whole, part = (
        await read(given, "/en/platform/stats?span=day"),
        await read(given, "/en/platform/stats?span=day&part=live"),
    )
    assert "<html" not in part
    pieces = re.findall(r'id="([^"]+)"[^>]* data-live', part)
    assert len(pieces) > 10
    assert set(pieces) == set(re.findall(r'id="([^"]+)"[^>]* data-live', whole))


async def test_no_live_piece_holds_what_can_have_the_focus(tmp_path: Path) -> None:
    """A piece that is replaced would take the focus away."""
    page = await read(busy(tmp_path), "/en/platform/stats")
    for tag in ("dl", "p", "span", "table"):
        for piece in re.findall(rf"<{tag}\b[^>]* data-live>.*?</{tag}>", page):
            assert not re.search(r"<(a|button|summary|input)\b|tabindex", piece)


async def test_a_span_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    async with serving(busy(tmp_path)) as client, client.get("/en/platform/stats?span=year") as response:
        assert response.status == 400


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_service_on_which_nothing_happened_yet_says_so(tmp_path: Path, language: str) -> None:
    given = busy(tmp_path)
    given.engines.seen = Overview((), (), 0, 0, 8, 0, 0, 0, 0, 0)
    given.figures = Figures(Clock(NOON))
    page = await read(given, f"/{language}/platform/stats")
    assert catalogue("en" if language == "en" else "fr")["page.stats.engines.none"] in page
    assert "NaN" not in page


@pytest.mark.parametrize("state", get_args(EngineState))
@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_state_and_every_failure_has_words(
    tmp_path: Path, state: EngineState, language: str
) -> None:
    given = busy(tmp_path)
    engines = tuple(
        EngineView(code.value, "image", state, False, failure=code.value, retry_in_s=30) for code in ErrorCode
    )
    given.engines.seen = msgspec.structs.replace(an_overview(), engines=engines)
    page = await read(given, f"/{language}/platform/stats")
    assert page.count("30 s") >= len(ErrorCode)


async def test_a_description_is_never_markup(tmp_path: Path) -> None:
    given = busy(tmp_path)
    device = DeviceView("gpu<1>", "<script>alert(1)</script>", 10, 10, 20, 5)
    given.engines.seen = msgspec.structs.replace(an_overview(), devices=(device,))
    given.figures.loaded(engine="<b>bold</b>", kind="<i>", seconds=1)
    given.figures.left(kind="<i>", held_s=1)
    page = await read(given, "/en/platform/stats")
    assert "<script>alert" not in page
    assert "<b>" not in page
    assert "<i>" not in page


@pytest.mark.parametrize(
    ("seconds", "english", "french"),
    [
        (0.0454, "45 ms", "45 ms"),
        (0.25, "0.2 s", "0,2 s"),
        (9.96, "10 s", "10 s"),
        (59.7, "1 min", "1 min"),
        (200, "3 min 20 s", "3 min 20 s"),
        (3599, "1 h", "1 h"),
        (7500, "2 h 5 min", "2 h 5 min"),
        (259_200, "3 d", "3 j"),
    ],
)
def test_spans_are_told_as_people_say_them(seconds: float, english: str, french: str) -> None:
    assert span_text(seconds, "en").replace("\u00a0", " ") == english
    assert span_text(seconds, "fr").replace("\u00a0", " ") == french


def test_a_share_of_nothing_is_a_dash() -> None:
    assert (share_text(1, 2, "en"), share_text(1, 2, "fr"), share_text(0, 0, "en")) == (
        "50%",
        "50\u00a0%",
        "–",
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Llama-3.2-3B", "Llama-3.2-3B"),
        ("/srv/models/owl.gguf", "owl.gguf"),
        ("C:\\models\\owl.gguf", "owl.gguf"),
        ("https://user:key@gpu.example:8000/v1", "gpu.example"),
    ],
)
def test_a_name_shows_no_path_and_no_key(name: str, shown: str) -> None:
    assert shown_name(name) == shown


def test_an_unknown_failure_is_told_without_its_code() -> None:
    assert failure_text("engine.of_tomorrow", "en") == "something went wrong"


def test_no_text_of_this_page_is_unused() -> None:
    folder = resources.files("menagerie.web")
    names = (
        "stats.py",
        "stats_plots.py",
        "stats_words.py",
        "templates/stats.html",
        "templates/stats_live.html",
    )
    sources = "".join(Path(str(folder.joinpath(name))).read_text(encoding="utf-8") for name in names) + (
        UI / "pages/stats/main.ts"
    ).read_text(encoding="utf-8")
    sources = sources.replace("'", '"')
    built = ("tile.", "memory.", "state.", "kind.", "failure.", "span.")
    quantiles = {
        f"plot.{name}.{part}" for name in ("waits", "durations") for part in ("title", "none", "sentence")
    }
    quantiles |= {f"plot.{name}.{part}" for name in ("waits", "durations") for part in ("unit", "turns")}
    quantiles |= {f"plot.{name}.title" for name in ("turns", "loads")}
    quantiles |= {f"plot.memory.{part}" for part in ("reserved", "measured", "budget")}
    for key in catalogue("en"):
        if not key.startswith("page.stats."):
            continue
        name = key.removeprefix("page.stats.")
        parts_of = (name, key, name.removeprefix("plot."), name.removeprefix("engine."))
        used = any(
            f'"{part}"' in sources or f"texts.{name.removeprefix('live.')}" in sources for part in parts_of
        )
        remote = name in {"engine.local", "engine.remote"}
        assert used or remote or name.startswith(built) or name in quantiles, key
