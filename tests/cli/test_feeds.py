"""`menagerie feeds`: what applies, whether it is sound, and whether it answers; in both languages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from aiohttp import web

from menagerie.cli import feeds, main
from menagerie.cli.exits import Exit
from menagerie.locales import LANGUAGES
from menagerie.settings import Settings
from tests.grounding.feeds.examples import ATOM, RSS_20, rss
from tests.net.pages import server

FEED = '[[feed]]\nid = "{name}"\ntitle = "T"\nabout = "A"\n{more}\nurl = {{ en = "{url}" }}\n\n'
CITIES = 'place = [{ id = "x", code = "atom", name = "X" }, { id = "y", code = "gone", name = "Y" }]'


@pytest.fixture(autouse=True)
def _settings_are_those_of_the_test(settings: Settings) -> None:
    del settings


@contextmanager
def serving(delay: float = 0.0) -> Iterator[str]:
    """The address of a server of feeds on the loopback, in a loop of its own: a command has one too."""
    answers = {"/rss": RSS_20, "/atom": ATOM, "/none": rss(""), "/html": "<!doctype html><p>x</p>"}
    ready, done = Event(), Event()
    address = ""

    async def answer(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(delay)
        found = answers.get(request.path)
        return web.Response(text=found) if found else web.Response(status=404)

    async def serve() -> None:
        nonlocal address
        async with server(answer) as started:
            address = str(started.make_url("")).rstrip("/")
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield address
    finally:
        done.set()
        thread.join()


def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, address: str = "") -> Path:
    file = tmp_path / "feeds.toml"
    file.write_text(content, encoding="utf-8")
    monkeypatch.setenv("MENAGERIE_FEEDS", str(file))
    if address:
        monkeypatch.setenv("MENAGERIE_FETCH_ALLOW", "127.0.0.1/32")
        monkeypatch.setenv("MENAGERIE_FETCH_PORTS", address.rpartition(":")[2])
    return file


@pytest.mark.parametrize("language", LANGUAGES)
def test_list_shows_name_title_words_places_and_address_of_every_feed(
    language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["feeds", "list", "--lang", language]) == Exit.DONE
    shown = capsys.readouterr().out
    assert {"en": "weather – Weather", "fr": "weather – Météo"}[language] in shown
    assert {"en": "words: ", "fr": "mots\u00a0: "}[language] in shown
    assert "ottawa, gatineau" in shown
    assert f"/on-118_{language[0]}.xml" in shown
    assert {"en": "a topic of news", "fr": "un sujet de news"}[language] in shown


def test_a_broken_table_ends_with_its_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = configure(monkeypatch, tmp_path, "[[feed]]\nid = 1\n")
    for action in ("list", "check"):
        assert main(["feeds", action, "--lang", "fr"]) == Exit.USAGE
        said = capsys.readouterr()
        assert said.out == ""
        assert f"({file}) est inutilisable\u00a0: feed[1], id\u00a0: il en faut un" in said.err


def test_check_says_of_each_feed_how_many_entries_it_has_or_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving() as address:
        names = ("rss", "atom", "none", "html", "gone")
        table = "".join(FEED.format(name=name, more="", url=f"{address}/{name}") for name in names)
        configure(monkeypatch, tmp_path, table, address)
        assert main(["feeds", "check"]) == Exit.FAILED
        said = capsys.readouterr()
    sound, *lines = said.out.splitlines()
    assert sound.endswith("feeds.toml: sound; feeds: 5.")
    assert lines[:3] == [
        "rss, en: entries: 2; the newest of 2026-03-03 10:00 EST",
        "atom, en: entries: 3; the newest of 2026-03-03 10:00 EST",
        "none, en: no entries",
    ]
    assert re.fullmatch(r"html, en: .+", lines[3])
    assert lines[4] == f"    {address}/html"
    assert re.fullmatch(r"gone, en: .+", lines[5])
    assert said.err == "Feeds that cannot be read: 2 of 5.\n"


def test_check_reads_the_first_place_of_a_feed_and_every_one_where_all_are_wanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving() as address:
        table = FEED.format(name="weather", more=CITIES, url=f"{address}/{{place}}")
        configure(monkeypatch, tmp_path, table, address)
        assert main(["feeds", "check"]) == Exit.DONE
        assert "weather/x, en: entries: 3;" in capsys.readouterr().out
        assert main(["feeds", "check", "--all"]) == Exit.FAILED
        assert "weather/y, en: " in capsys.readouterr().out


def test_check_tells_how_far_it_is_when_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(feeds, "LINE_S", 0.1)
    with serving(delay=0.5) as address:
        table = "".join(FEED.format(name=f"f{n}", more="", url=f"{address}/rss?{n}") for n in range(6))
        configure(monkeypatch, tmp_path, table, address)
        assert main(["feeds", "check", "--lang", "fr"]) == Exit.DONE
        said = capsys.readouterr()
    assert "Fils lus jusqu’ici\u00a0: 0 sur 6." in said.err
    assert "Fils lus jusqu’ici\u00a0: 4 sur 6." in said.err, "four at a time"
    assert said.out.count("articles\u00a0: 2; le plus récent du 2026-03-03 10:00 EST") == 6


@pytest.mark.parametrize("variable", ["MENAGERIE_FETCH", "MENAGERIE_OUTSIDE"])
def test_check_asks_for_nothing_where_nothing_may_be_asked_for(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "off")
    assert main(["feeds", "check"]) == Exit.DONE
    assert "were not asked for" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["feeds"], ["feeds", "check"]])
def test_help_is_in_the_language_of_the_person(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--lang", "fr", "--help"]) == Exit.DONE
    assert "fil" in capsys.readouterr().out
