"""The docs: links lead somewhere, both languages say as much, and what is shown works."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from menagerie.cli.arguments import parse
from menagerie.personas.directory import PersonaDirectory
from menagerie.settings import Settings
from menagerie.settings_report import described

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FRENCH = [page for page in PAGES if page.name.endswith(".fr.md")]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _twin(french: Path) -> Path:
    plain, numbered = (
        french.with_name(french.name.replace(".fr.md", ".md")),
        french.with_suffix("").with_suffix(".en.md"),
    )
    return plain if plain.exists() else numbered


def _prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def _blocks(page: Path) -> list[tuple[str, str]]:
    return re.findall(
        r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def _untold(block: tuple[str, str]) -> tuple[str, str]:
    """A block without what is written in it for people: quoted texts of several words, and pages in a language."""
    kind, code = block

    def sentence(quoted: re.Match[str]) -> str:
        mark, inside = quoted[1], quoted[2]
        if "{" in inside:
            return mark + re.sub(r'(")([^"\n]*)"', sentence, inside) + mark
        return f"{mark}…{mark}" if " " in inside else quoted[0]

    if kind == "json":
        return block
    code = re.sub(r"canada\.ca/(?:en|fr)/\S+", "canada.ca", code)
    return kind, re.sub(r"""(["'])((?:(?!\1)[^{\n]|\{(?:(?!\1).)*\})*)\1""", sentence, code, flags=re.DOTALL)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _shape(page: Path) -> list[str]:
    """What a translation keeps: the levels of headings, and how many rows, list items and blocks follow each."""
    shape: list[str] = []
    for line in _prose(page).splitlines():
        start = re.match(r"#+ |\||- |> |!\[", line)
        if start:
            shape.append(start[0].strip())
    return shape


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if anchor:
            assert anchor in map(_anchor, re.findall(r"^#+ (.*)$", _prose(found), flags=re.MULTILINE)), target


@pytest.mark.parametrize("page", FRENCH, ids=_name)
def test_a_page_has_the_same_shape_in_both_languages(page: Path) -> None:
    assert _shape(page) == _shape(_twin(page))
    assert [kind for kind, _ in _blocks(page)] == [kind for kind, _ in _blocks(_twin(page))]


@pytest.mark.parametrize("page", FRENCH, ids=_name)
def test_both_languages_show_the_same_commands(page: Path) -> None:
    assert list(map(_untold, _blocks(page))) == list(map(_untold, _blocks(_twin(page))))


def test_every_page_for_users_is_in_both_languages() -> None:
    english = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.en.md")]
    assert sorted(map(_twin, FRENCH)) == sorted(english)


@pytest.mark.parametrize("page", FRENCH, ids=_name)
def test_french_pages_use_french_spacing(page: Path) -> None:
    prose = re.sub(r"`[^`]*`", "", _prose(page))
    assert re.findall(r".{0,20}(?: [:»](?:\s|$)|« |\S[!?]{1} ?»|[^\s\u00a0|/]:\s).{0,20}", prose) == []


def _commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        shown = [line for kind, block in _blocks(page) if kind == "sh" for line in block.splitlines()]
        shown += re.findall(r"`(menagerie [^`]+)`", _prose(page))
        for line in shown:
            if line.startswith("menagerie "):
                yield _name(page), line.partition(" >")[0]


@pytest.mark.parametrize(("page", "line"), sorted(set(_commands())))
def test_every_command_that_the_docs_show_is_one(page: str, line: str) -> None:
    assert parse(shlex.split(line)[1:], "en").command, page


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_variable_that_the_docs_name_is_a_setting(page: Path) -> None:
    known = {facts.variable for facts in described("en")}
    named = set(
        re.findall(r"\b(?:MENAGERIE|LLM|WHISPER)_[A-Z][A-Z0-9_]*[A-Z0-9]\b", page.read_text(encoding="utf-8"))
    )
    named = {re.sub(r"(ENGINES__)[A-Z]+(__)", r"\1<NAME>\2", name) for name in named}
    of_tests = {"MENAGERIE_TEST_POSTGRES"}
    assert named - known - of_tests - {"MENAGERIE_ENGINES__<NAME>"} == set()


def test_the_persona_in_the_readme_is_one(tmp_path: Path) -> None:
    (shown,) = [block for kind, block in _blocks(ROOT / "README.md") if kind == "json"]
    (tmp_path / "10-ours.json").write_text(shown, encoding="utf-8")
    (persona,) = PersonaDirectory([tmp_path], Settings()).all()
    assert persona.name in json.loads(shown)
    assert persona.text("title", "fr") == "Bibliothécaire"


def test_decisions_are_numbered_once_and_have_the_same_sections() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(page.name[:3]) for page in decisions]
    assert all(earlier < later for earlier, later in pairwise(numbers))
    for page in decisions:
        headings = re.findall(r"^#+ .*$", _prose(page), flags=re.MULTILINE)
        assert re.match(rf"# 0*{int(page.name[:3])}\. ", headings[0]), page.name
        assert headings[1:] == ["## Context", "## Decision", "## Consequences"], page.name
