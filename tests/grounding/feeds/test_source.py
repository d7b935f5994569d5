"""The source `feeds`: what it serves, what it suggests, and what it finds in the feeds that are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.grounding.registry import Sources
from menagerie.grounding.source import Kit, Lookup
from menagerie.grounding.sources.feeds import Feeds
from menagerie.locales import Language
from menagerie.net.page import Page
from menagerie.settings import Settings
from tests.grounding.feeds.examples import ATOM, RSS_20, ReaderOf, item, page, rss

WEATHER = "https://weather.gc.ca/rss/city/{}_e.xml"
TABLE = """
[[feed]]
id = "first"
title = { en = "First", fr = "Premier" }
about = { en = "fish and chips", fr = "des poissons" }
words = { en = ["fish"], fr = ["poisson"] }
url = { en = "https://a.example/en", fr = "https://a.example/fr" }

[[feed]]
id = "second"
title = "Second"
about = { en = "birds", fr = "des oiseaux" }
words = { en = ["birds"] }
url = "https://b.example/"
"""
EXAMPLES: Mapping[str, Page | MenagerieError] = {
    "https://a.example/en": page(
        rss(
            item("Cod", "Sun, 01 Mar 2026 10:00:00 GMT", "https://a.example/cod", "A fish.")
            + item("Trout in the Ottawa River", "Mon, 02 Mar 2026 10:00:00 GMT", "/trout", "Another fish.")
            + item("Perch", "Tue, 03 Mar 2026 10:00:00 GMT", "", ""),
            "<title>Fish daily</title><language>en</language>",
        ),
        "https://a.example/en",
    ),
    "https://a.example/fr": page(RSS_20, "https://a.example/fr"),
    "https://b.example/": page(
        rss(item("Owl", "Mon, 02 Mar 2026 10:00:00 GMT", "/owl")), "https://b.example/"
    ),
}


def made(reader: ReaderOf, **settings: Any) -> Feeds:
    chosen = Settings(timezone="America/Toronto", **settings)
    return Feeds(Kit(chosen, reader, cast("Any", None), cast("Any", None)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "feeds.toml"
    file.write_text(TABLE, encoding="utf-8")
    return file


def asking(question: str, *where: str, language: Language = "en", most: int = 8, terms: str = "") -> Lookup:
    return Lookup(question=question, terms=terms, language=language, user=User(), where=where, most=most)


def reader_of(pages: Mapping[str, Page | MenagerieError] = EXAMPLES) -> ReaderOf:
    return ReaderOf(Settings(), pages)


async def found(source: Feeds, lookup: Lookup) -> list[str]:
    return [candidate.title for candidate in await source.search(lookup)]


async def test_it_is_registered_and_serves_what_is_in_the_table() -> None:
    reader = reader_of()
    kit = Kit(Settings(), reader, cast("Any", None), cast("Any", None))
    sources = Sources.installed(kit)
    for where in ("feeds", "feed:weather", "feed:weather/toronto", "feed:news-politics"):
        assert isinstance(sources.of(where), Feeds), where
    for where in ("feed:", "feed:none", "feed:weather/", "feed:weather/atlantis", "feed:news/x", "feed"):
        assert not Feeds(kit).serves(where), where


async def test_a_model_may_choose_from_all_feeds_by_what_they_are_about(file: Path) -> None:
    source = made(reader_of(), feeds=file)
    assert [(one.where, one.about) for one in source.options("feeds", "fr")] == [
        ("feed:first", "Premier – des poissons"),
        ("feed:second", "Second – des oiseaux"),
    ]
    assert [one.where for one in source.options("feed:second", "en")] == ["feed:second"]
    assert source.options("feed:none", "en") == []
    ours = made(reader_of())
    (toronto,) = ours.options("feed:weather/toronto", "fr")
    assert toronto.about.startswith("Météo – Toronto")


async def test_words_of_either_language_suggest_a_feed(file: Path) -> None:
    source = made(reader_of(), feeds=file)
    assert source.suggested("Poisson?", "en") == ["feed:first"]
    assert source.suggested("Are there birds and fish?", "fr") == ["feed:first", "feed:second"]
    assert source.suggested("Fishing", "en") == []


async def test_no_words_suggest_a_feed_where_none_may_be_read() -> None:
    for closed in ({"fetch": "off"}, {"outside": "off"}):
        assert made(reader_of(), **closed).suggested("What is the weather?", "en") == []
    inside = made(reader_of(), outside="off", fetch_allow="127.0.0.1/32")
    assert inside.suggested("What is the weather?", "en") == ["feed:weather"]


async def test_an_entry_is_a_candidate_with_its_passage_title_address_date_and_language(file: Path) -> None:
    source = made(reader_of(), feeds=file)
    first, *_ = await source.search(asking("What is new?", "feed:first"))
    assert (first.kind, first.title, first.address) == ("feed", "Perch", "https://a.example/en")
    second = (await source.search(asking("What is new?", "feed:first")))[1]
    assert second.date == datetime(2026, 3, 2, 10, tzinfo=UTC)
    (passage,) = second.passages
    assert passage.text == "Trout in the Ottawa River\n2026-03-02 05:00 EST\nAnother fish."
    assert (passage.title, passage.address) == ("Trout in the Ottawa River", "https://a.example/trout")
    assert (passage.heading, passage.language, passage.kind) == ("First › Fish daily", "en", "feed")
    assert passage.read is not None
    assert passage.read.tzinfo is not None


async def test_entries_come_newest_first_but_those_with_words_of_the_question_before(file: Path) -> None:
    source = made(reader_of(), feeds=file)
    assert await found(source, asking("Any fish?", "feed:first")) == [
        "Perch",
        "Trout in the Ottawa River",
        "Cod",
    ]
    asked = asking("Any fish in the Ottawa river?", "feed:first")
    assert await found(source, asked) == ["Trout in the Ottawa River", "Perch", "Cod"]
    assert await found(source, asking("Any fish?", "feed:first", most=1)) == ["Perch"]


async def test_several_feeds_take_turns_in_the_language_of_the_person(file: Path) -> None:
    reader = reader_of()
    source = made(reader, feeds=file)
    both = asking("Quoi de neuf?", "feed:first", "feed:second", "feed:first", language="fr")
    assert await found(source, both) == ["Deux", "Owl", "Un"]
    assert sorted(reader.asked) == ["https://a.example/fr", "https://b.example/"]


async def test_at_feeds_the_question_chooses_by_words_and_then_by_what_feeds_are_about(file: Path) -> None:
    source = made(reader_of(), feeds=file)
    assert await found(source, asking("Which birds are there?", "feeds")) == ["Owl"]
    assert (await found(source, asking("Where can I get chips?", "feeds")))[0] == "Perch"
    assert await found(source, asking("Quantum gravity", "feeds")) == []


@pytest.mark.parametrize(
    ("question", "where", "codes"),
    [
        ("What is the weather?", "feed:weather", ["on-118"]),
        ("What is the weather in Halifax?", "feed:weather", ["ns-19"]),
        ("Is it colder in Halifax or in Regina?", "feed:weather", ["ns-19", "sk-32"]),
        ("What is the weather?", "feed:weather/toronto", ["on-143"]),
        ("What is the weather in Halifax?", "feed:weather/toronto", ["on-143"]),
        ("weather in Gatineau", "feeds", ["qc-126"]),
    ],
)
async def test_the_weather_is_that_of_the_city_that_is_named(
    question: str, where: str, codes: list[str]
) -> None:
    places = ("on-118", "ns-19", "sk-32", "on-143", "qc-126")
    reader = reader_of({WEATHER.format(code): page(ATOM) for code in places})
    source = made(reader)
    titles = await found(source, asking(question, where))
    assert sorted(reader.asked) == sorted(WEATHER.format(code) for code in codes)
    assert titles[0] == "Current Conditions: Snow, -4.2°C"


async def test_a_feed_that_fails_is_left_out_and_told_where_none_is_left(file: Path) -> None:
    broken: dict[str, Page | MenagerieError] = {
        "https://a.example/en": page("<html></html>"),
        "https://b.example/": EXAMPLES["https://b.example/"],
    }
    source = made(reader_of(broken), feeds=file)
    assert await found(source, asking("x", "feed:first", "feed:second")) == ["Owl"]
    with pytest.raises(MenagerieError) as caught:
        await source.search(asking("x", "feed:first"))
    assert caught.value.code is ErrorCode.SOURCE_UNREADABLE


async def test_reading_a_candidate_reads_the_page_of_its_entry(file: Path) -> None:
    pages = dict(EXAMPLES) | {
        "https://a.example/cod": Page("https://a.example/cod", "text", "", b"All about cod.")
    }
    source = made(reader_of(pages), feeds=file)
    lookup = asking("cod", "feed:first")
    cod, *_ = await source.search(lookup)
    assert cod.title == "Cod"
    assert (await source.read(cod, lookup)).text == "All about cod."
