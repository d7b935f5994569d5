"""`menagerie facts`, alone and beside a running service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from menagerie.cli import main
from menagerie.cli.exits import Exit
from menagerie.settings import Settings
from tests.grounding.files import word
from tests.service import Service, running_service
from tests.tiny_bert import write_embedder

MOOSE = "Moose are the largest deer, and they swim well."


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    (folder / "animals").mkdir(parents=True)
    (folder / "animals" / "moose.txt").write_text(MOOSE)
    (folder / "permits.docx").write_bytes(word(title="Permits"))
    return folder


@pytest.fixture
def facts(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs `menagerie facts`; gives status, output, and what was said beside it."""

    def run(*words: str) -> tuple[int, str, str]:
        status = main(["facts", *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


Facts = Callable[..., tuple[int, str, str]]


def test_a_folder_becomes_a_collection_that_is_searched_listed_and_removed(
    facts: Facts, papers: Path
) -> None:
    (papers / "photo.jpg").write_bytes(b"\xff\xd8")
    status, out, err = facts("add", "hr", str(papers), "--title", "People", "--reader", "everyone")
    assert status == Exit.DONE
    assert "hr: documents: 2 (not readable: 0)" in out
    assert "of a kind without text that is known here: 1" in err
    assert "menagerie models pull embedding" in err
    status, out, _ = facts("search", "hr", "largest deer")
    assert status == Exit.DONE
    assert out.startswith("1. [")
    assert "moose" in out.splitlines()[0]
    assert MOOSE in out
    assert facts("search", "hr", "xylophone")[0] == Exit.FAILED
    assert "People" in facts("list")[1]
    listed = facts("list", "hr")[1]
    assert str(papers) in listed
    assert "animals/moose.txt" in listed
    assert facts("remove", "hr")[0] == Exit.DONE
    status, _, err = facts("list", "hr")
    assert (status, "“hr”" in err) == (Exit.FAILED, True)


def test_what_is_unchanged_is_not_read_again(facts: Facts, papers: Path) -> None:
    facts("add", "hr", str(papers))
    before = facts("list", "hr")[1]
    assert facts("add", "hr", str(papers))[0] == Exit.DONE
    (papers / "animals" / "moose.txt").unlink()
    _, _, err = facts("reindex", "hr")
    assert "Removed, because the file is gone: 1" in err
    assert "moose" in before
    assert "moose" not in facts("list", "hr")[1]


def test_a_document_is_removed_by_its_id_name_or_path_and_a_folder_with_all_of_them(
    facts: Facts, papers: Path
) -> None:
    one = papers / "animals" / "moose.txt"
    facts("add", "hr", str(one), str(papers / "permits.docx"))
    assert facts("remove", "hr", "moose.txt")[0] == Exit.DONE
    facts("add", "hr", str(one))
    assert facts("remove", "hr", str(one))[0] == Exit.DONE
    line = next(line for line in facts("list", "hr")[1].splitlines() if "permits" in line)
    assert facts("remove", "hr", line.split()[0])[0] == Exit.DONE
    assert "no documents" in facts("list", "hr")[1]
    facts("add", "hr", str(papers))
    status, out, _ = facts("remove", "hr", "animals/moose.txt")
    assert (status, "stays out" in out) == (Exit.DONE, True)
    assert "moose" not in facts("list", "hr")[1]
    status, out, _ = facts("remove", "hr", str(papers))
    assert (status, out.strip()[-1]) == (Exit.DONE, "1")
    assert facts("remove", "hr", "nothing")[0] == Exit.FAILED


def test_what_cannot_be_read_is_said_and_fails_the_command_but_stops_nothing(
    facts: Facts, papers: Path
) -> None:
    (papers / "broken.pdf").write_bytes(b"%PDF-1.7 and no more")
    status, out, err = facts("add", "hr", str(papers), str(papers / "missing"))
    assert status == Exit.FAILED
    assert "broken.pdf: This file could not be read" in err
    assert "missing is neither a folder nor a file" in err
    assert "documents: 3 (not readable: 1)" in out
    assert "not readable" in facts("list", "hr")[1]


def test_a_document_that_cannot_be_read_is_listed_with_the_reason_in_french_typography(
    facts: Facts, papers: Path
) -> None:
    (papers / "broken.pdf").write_bytes(b"%PDF-1.7 and no more")
    facts("add", "hr", str(papers))
    assert "broken.pdf\u00a0: Ce fichier" in facts("list", "hr", "--lang", "fr")[1]


def test_an_address_that_is_none_of_the_web_is_told_as_one(facts: Facts) -> None:
    status, _, err = facts("add", "hr", "ftp://x/y")
    assert (status, "nor an address that begins with http" in err) == (Exit.FAILED, True)
    assert "kept" not in err


def test_an_address_inside_is_refused_with_the_setting_that_allows_it_and_without_log_lines(
    facts: Facts,
) -> None:
    status, _, err = facts("add", "hr", "http://127.0.0.1:8/")
    assert (status, "MENAGERIE_FETCH_ALLOW" in err) == (Exit.FAILED, True)
    assert "level" not in err
    assert "event" not in err


def test_readers_are_set_and_taken_away_and_what_they_lack_is_said(facts: Facts) -> None:
    _, _, err = facts("add", "hr")
    assert "only the person who administers" in err
    _, _, err = facts("add", "hr", "--reader", "user:Bob", "--reader", "persona:beaver")
    assert "add facts:hr to its sources" in err
    assert "user:bob, persona:beaver" in facts("list")[1]
    _, _, err = facts("add", "hr", "--reader", "persona:unicorn")
    assert "no persona called “unicorn”" in err
    facts("add", "hr", "--reader", "nobody")
    assert "nobody" in facts("list")[1]


@pytest.mark.parametrize(
    "words",
    [
        ("add",),
        ("add", "hr", "--reader", "bob"),
        ("add", "hr", "--title", "a\nb"),
        ("search", "hr"),
        ("search", "hr", "x", "--most", "0"),
        ("reindex",),
        ("remove",),
    ],
)
def test_a_wrong_command_line_is_a_wrong_command_line(facts: Facts, words: tuple[str, ...]) -> None:
    assert facts(*words)[0] == Exit.USAGE


def test_a_name_that_is_none_is_refused_in_french_too(facts: Facts) -> None:
    status, _, err = facts("add", "HR", "--lang", "fr")
    assert (status, "lettres minuscules" in err) == (Exit.FAILED, True)


# Beside a service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("facts")
    (folder / "embedder").mkdir()
    embedder = write_embedder(folder / "embedder")
    with running_service(
        folder / "data",
        tiny_model,
        WHISPER_EMBEDDING_MODEL=str(embedder),
        MENAGERIE_FACTS_WATCH="0.2",
        MENAGERIE_TRUSTED_PROXIES="127.0.0.1",
    ) as running:
        yield running


def beside(service: Service, *words: str) -> subprocess.CompletedProcess[str]:
    embedder = next((service.data.parent / "embedder").glob("*.gguf"))
    return subprocess.run(
        [sys.executable, "-P", "-m", "menagerie", "facts", *words],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(service.data),
            "MENAGERIE_DATA": str(service.data),
            "WHISPER_EMBEDDING_MODEL": str(embedder),
            "LANG": "en_CA.UTF-8",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def asked(service: Service, path: str, body: object = None, user: str = "bob") -> Any:
    request = urllib.request.Request(
        f"{service.url}{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json", "X-Forwarded-User": user},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.mark.engine
def test_beside_a_service_it_finds_what_was_added_embeds_it_and_follows_its_folder(
    service: Service, papers: Path
) -> None:
    added = beside(service, "add", "hr", str(papers), "--watch", "--reader", "user:bob")
    assert added.returncode == Exit.DONE, added.stderr
    assert "(embedded: 0)" not in added.stdout
    assert "engine.ready" not in added.stderr, "the service embeds, not the command"
    question = {"question": "largest deer"}
    found = asked(service, "/facts/hr/search", question)["passages"]
    assert MOOSE in [one["text"] for one in found]
    (papers / "geese.txt").write_text("Geese fly in a V.")
    (papers / "animals" / "moose.txt").unlink()
    names: set[str] = set()
    deadline = time.monotonic() + 30
    while names != {"geese.txt", "permits.docx"} and time.monotonic() < deadline:
        time.sleep(0.1)
        names = {one["name"] for one in asked(service, "/facts/hr/documents")["documents"]}
    assert names == {"geese.txt", "permits.docx"}
    found = asked(service, "/facts/hr/search", question)["passages"]
    assert MOOSE not in [one["text"] for one in found]
    assert beside(service, "remove", "hr").returncode == Exit.DONE
    assert asked(service, "/facts")["collections"] == []
