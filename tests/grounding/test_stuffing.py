"""What a persona is given to know follows its source, outlives its failures, and never makes a turn fail."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding import stuffing
from menagerie.grounding.document import Document, Part
from menagerie.grounding.stuffing import NOTHING, Stuffings
from menagerie.net.page import Page
from menagerie.personas.persona import Persona
from menagerie.settings import Settings
from tests.grounding.feeds.examples import ReaderOf

ADDRESS = "https://a.example/facts"
WINDOW = 1000
FITS = int(WINDOW * 3.5 / 2) - 2


class Clock:
    """A clock that a test moves on."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _log_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that was used before keeps the processors that it had then."""
    monkeypatch.setattr(stuffing, "log", structlog.get_logger())


@pytest.fixture
async def reader() -> AsyncIterator[ReaderOf]:
    reader = ReaderOf(Settings(), {ADDRESS: text_page("Open on Mondays.")})
    yield reader
    await reader.close()


@pytest.fixture
async def stuffings(reader: ReaderOf) -> AsyncIterator[Stuffings]:
    made = Stuffings(reader)
    made._clock = Clock()
    yield made
    await made.close()


def text_page(text: str) -> Page:
    return Page(ADDRESS, "text", "", text.encode())


def persona(source: object) -> Persona:
    return Persona.model_validate({"name": "library", "agent_rag_source": source})


def written(file: Path, text: str) -> Persona:
    file.write_text(text, encoding="utf-8")
    return persona(str(file))


async def said(stuffings: Stuffings, of: Persona) -> str:
    return (await stuffings.text(of, "en", WINDOW)).text


async def settled(stuffings: Stuffings) -> None:
    """Wait for what goes on beside the turns."""
    await asyncio.gather(*(held.looking for held in stuffings._held.values() if held.looking))


def later(stuffings: Stuffings, seconds: float) -> None:
    stuffings._clock.now += seconds  # type: ignore[attr-defined]


async def test_a_persona_without_a_source_is_given_nothing(stuffings: Stuffings) -> None:
    assert await stuffings.text(persona(""), "en", WINDOW) == NOTHING


async def test_a_file_is_given_whole_with_its_name_and_date(stuffings: Stuffings, tmp_path: Path) -> None:
    file = tmp_path / "hours.md"
    library = written(file, "\ufeff# Hours\n\nThe library is open on Mondays for all of us.")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    given = await stuffings.text(library, "en", WINDOW)
    assert given.text == "# Hours\n\nThe library is open on Mondays for all of us."
    assert (given.title, given.address, given.language) == ("hours.md", "", "en")
    assert given.read == datetime.fromtimestamp(1_700_000_000, UTC)
    assert not given.too_long
    assert given.passages == ()


async def test_each_language_has_its_own_text(stuffings: Stuffings, tmp_path: Path) -> None:
    written(tmp_path / "a.en.txt", "English")
    written(tmp_path / "a.fr.txt", "Français")
    both = persona({one: str(tmp_path / f"a.{one}.txt") for one in ("en", "fr")})
    assert (await stuffings.text(both, "en", WINDOW)).text == "English"
    assert (await stuffings.text(both, "fr", WINDOW)).text == "Français"


async def test_a_file_that_changes_is_read_again_and_one_that_does_not_is_not(
    stuffings: Stuffings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    plain = stuffing._plain

    def counted(file: Path) -> Document:
        nonlocal reads
        reads += 1
        return plain(file)

    monkeypatch.setattr(stuffing, "_plain", counted)
    library = written(tmp_path / "a.txt", "before")
    assert [await said(stuffings, library) for _ in range(3)] == ["before"] * 3
    written(tmp_path / "a.txt", "and after")
    assert await said(stuffings, library) == "and after"
    assert reads == 2


async def test_a_file_that_goes_leaves_the_last_text_until_it_is_back(
    stuffings: Stuffings, tmp_path: Path
) -> None:
    file = tmp_path / "a.txt"
    library = written(file, "before")
    assert await said(stuffings, library) == "before"
    await asyncio.to_thread(file.unlink)
    with capture_logs() as logs:
        assert [await said(stuffings, library) for _ in range(3)] == ["before"] * 3
    assert [line["event"] for line in logs] == ["persona.stuffing_unreadable"], "once, and no turn fails"
    written(file, "it is back")
    assert await said(stuffings, library) == "it is back"


async def test_a_file_that_is_not_there_is_nothing_and_a_warning(
    stuffings: Stuffings, tmp_path: Path
) -> None:
    with capture_logs() as logs:
        assert await stuffings.text(persona(str(tmp_path / "no.txt")), "en", WINDOW) == NOTHING
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("persona.stuffing_unreadable", "warning")
    ]


async def test_documents_are_read_by_who_can_and_what_they_cannot_read_is_tried_again_later(
    reader: ReaderOf, tmp_path: Path
) -> None:
    fails = True

    async def read(file: Path) -> Document:
        if fails:
            raise MenagerieError(ErrorCode.DOCUMENT_BROKEN)
        return Document(title="A law", parts=(Part("Article 1", page=1), Part("Article 2", page=2)))

    stuffings = Stuffings(reader, read)
    stuffings._clock = Clock()
    law = written(tmp_path / "law.pdf", "%PDF-1.7")
    assert await said(stuffings, law) == ""
    fails = False
    assert await said(stuffings, law) == "", "not at once"
    later(stuffings, stuffing.RETRY_S)
    given = await stuffings.text(law, "en", WINDOW)
    assert (given.title, given.text) == ("A law", "Article 1\n\nArticle 2")
    await stuffings.close()


async def test_an_address_is_waited_for_once_and_then_looked_at_beside_the_turns(
    stuffings: Stuffings, reader: ReaderOf
) -> None:
    library = persona(ADDRESS)
    reader.delay = 0.1
    first, second = await asyncio.gather(said(stuffings, library), said(stuffings, library))
    assert first == second == "Open on Mondays."
    assert len(reader.asked) == 1, "two turns ask once"
    later(stuffings, stuffing.FRESH_S - 1)
    assert await said(stuffings, library) == "Open on Mondays."
    assert len(reader.asked) == 1, "not before it is due"

    reader.pages[ADDRESS], reader.delay = text_page("Open on Tuesdays."), 0.3
    later(stuffings, 1)
    began = time.monotonic()
    assert await said(stuffings, library) == "Open on Mondays."
    assert time.monotonic() - began < 0.2, "nobody waits for a refresh"
    await settled(stuffings)
    given = await stuffings.text(library, "en", WINDOW)
    assert (given.text, given.address) == ("Open on Tuesdays.", ADDRESS)
    assert given.read is not None
    assert len(reader.asked) == 2


async def test_an_address_that_fails_leaves_the_last_text_and_is_tried_again(
    stuffings: Stuffings, reader: ReaderOf
) -> None:
    library = persona(ADDRESS)
    assert await said(stuffings, library) == "Open on Mondays."
    reader.pages.clear()
    later(stuffings, stuffing.FRESH_S)
    with capture_logs() as logs:
        await said(stuffings, library)
        await settled(stuffings)
        assert await said(stuffings, library) == "Open on Mondays."
    assert [line["event"] for line in logs] == ["persona.stuffing_unreadable"]
    reader.pages[ADDRESS] = text_page("Open again.")
    later(stuffings, stuffing.RETRY_S)
    await said(stuffings, library)
    await settled(stuffings)
    assert await said(stuffings, library) == "Open again."


async def test_an_address_that_fails_at_first_makes_no_later_turn_wait(
    stuffings: Stuffings, reader: ReaderOf
) -> None:
    reader.pages.clear()
    library = persona(ADDRESS)
    assert await stuffings.text(library, "en", WINDOW) == NOTHING
    reader.delay = 0.3
    for _ in range(2):
        later(stuffings, stuffing.RETRY_S)
        began = time.monotonic()
        assert await said(stuffings, library) == ""
        assert time.monotonic() - began < 0.2


async def test_an_address_that_hangs_is_waited_for_within_a_limit_and_once(
    stuffings: Stuffings, reader: ReaderOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stuffing, "WAIT_S", 0.2)
    reader.delay = 30
    library = persona(ADDRESS)
    took = []
    for _ in range(2):
        began = time.monotonic()
        assert await said(stuffings, library) == ""
        took.append(time.monotonic() - began)
    assert 0.15 < took[0] < 1
    assert took[1] < 0.1


async def test_a_turn_that_goes_away_does_not_end_the_look_of_others(
    stuffings: Stuffings, reader: ReaderOf
) -> None:
    reader.delay = 0.2
    gone = asyncio.create_task(said(stuffings, persona(ADDRESS)))
    other = asyncio.create_task(said(stuffings, persona(ADDRESS)))
    await asyncio.sleep(0.05)
    gone.cancel()
    assert await other == "Open on Mondays."


async def test_whatever_goes_wrong_no_turn_fails(stuffings: Stuffings, tmp_path: Path) -> None:
    async def broken(file: Path) -> Document:
        raise RuntimeError(file)

    stuffings._read_file = broken
    with capture_logs() as logs:
        assert await stuffings.text(written(tmp_path / "a.docx", "x"), "en", WINDOW) == NOTHING
        assert await stuffings.text(persona(str(tmp_path)), "en", WINDOW) == NOTHING
        assert await stuffings.text(persona("http://127.0.0.1:1/"), "en", WINDOW) == NOTHING
    assert [line["log_level"] for line in logs] == ["error", "warning", "warning"]


async def test_what_takes_more_than_half_of_the_window_becomes_passages(
    stuffings: Stuffings, tmp_path: Path
) -> None:
    sentence = "The library is open on Mondays for all of us. "
    library = written(tmp_path / "a.txt", (sentence * 100)[:FITS])
    given = await stuffings.text(library, "en", WINDOW)
    assert (len(given.text), given.too_long) == (FITS, False)
    library = written(tmp_path / "a.txt", (sentence * 100)[: FITS + 1])
    given = await stuffings.text(library, "en", WINDOW)
    assert given.too_long
    assert given.text == ""
    assert len(given.passages) > 1
    assert " ".join(one.text for one in given.passages) == (sentence * 100)[: FITS + 1]
    assert {(one.kind, one.title, one.language) for one in given.passages} == {("document", "a.txt", "en")}
    again = await stuffings.text(library, "en", WINDOW)
    assert again.passages is given.passages, "cut once"
    assert not (await stuffings.text(library, "en", 2 * WINDOW)).too_long, "as the window is"


async def test_passages_follow_the_text_that_they_are_of(stuffings: Stuffings, tmp_path: Path) -> None:
    for said_first in ("Before.", "And after."):
        library = written(tmp_path / "a.txt", f"{said_first} " + "It is long. " * 1000)
        given = await stuffings.text(library, "en", WINDOW)
        assert given.passages[0].text.startswith(said_first)


async def test_a_text_has_a_greatest_length(
    stuffings: Stuffings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stuffing, "LONGEST", 1000)
    with capture_logs() as logs:
        assert await said(stuffings, written(tmp_path / "a.txt", "é" * 5000)) == "é" * 1000
    assert [(line["event"], line["characters"]) for line in logs] == [("persona.stuffing_cut", 5000)]


async def test_texts_that_nobody_wants_are_forgotten(
    stuffings: Stuffings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stuffing, "_MOST", 2)
    for number in range(5):
        assert await said(stuffings, written(tmp_path / f"{number}.txt", str(number))) == str(number)
    assert [Path(where).name for where in stuffings._held] == ["3.txt", "4.txt"]
