"""Every error has a text in both languages, and whoever raises it gives what the text needs."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

import menagerie
from menagerie.core.errors import ErrorCode
from menagerie.locales import LANGUAGES, Language, catalogue
from tests.locales.test_catalogues import placeholders, read

SOURCES: Final = sorted(Path(menagerie.__file__).parent.rglob("*.py"))
REASONS: Final = "error.request.invalid."
REASONS_OF: Final = {
    "InvalidRequestError": REASONS,
    "BatchError": "batch.invalid.",
    "FileError": "batch.invalid.",
    "RowError": "row.invalid.",
}
PASSED_ON: Final = frozenset({"retry_after", "status"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_a_text_and_every_text_a_code(language: Language) -> None:
    keys = {key for key in read(language, "errors") if not key.startswith(REASONS)}
    assert keys == {f"error.{code}" for code in ErrorCode}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_is_short_and_ends_as_a_sentence(language: Language) -> None:
    for key, said in read(language, "errors").items():
        assert len(said) < 200, key
        assert said.endswith((".", "}", "list")), key


def _raised() -> list[tuple[str, str, set[str]]]:
    """Where an error is made: the place, the key of its text, and the names of the values it is given."""
    found = []
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            if any(keyword.arg is None for keyword in node.keywords):
                continue
            key = _key(node)
            if key:
                names = {keyword.arg or "" for keyword in node.keywords}
                found.append((f"{source.name}:{node.lineno}", key, names - PASSED_ON))
    return found


def _key(call: ast.Call) -> str:
    first = call.args[0]
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name in REASONS_OF and isinstance(first, ast.Constant) and isinstance(first.value, str):
        return f"{REASONS_OF[name]}{first.value}"
    of_code = (
        isinstance(first, ast.Attribute)
        and isinstance(first.value, ast.Name)
        and first.value.id == "ErrorCode"
    )
    if of_code and (name.endswith("Error") or name == "__init__"):
        assert isinstance(first, ast.Attribute)
        return f"error.{ErrorCode[first.attr]}"
    return ""


def test_whoever_raises_an_error_gives_what_its_text_needs() -> None:
    raised = _raised()
    assert len(raised) > 40
    missing = [
        (place, key, sorted(lacking))
        for place, key, names in raised
        if (lacking := placeholders(catalogue("en")[key]) - names)
    ]
    assert missing == []


def test_every_reason_of_an_invalid_request_is_used() -> None:
    sources = "\n".join(source.read_text(encoding="utf-8") for source in SOURCES)
    unused = [
        key
        for key in read("en", "errors")
        if key.startswith(REASONS) and f'"{key.removeprefix(REASONS)}"' not in sources
    ]
    assert unused == []


@pytest.mark.parametrize("reasons", ["batch.invalid.", "row.invalid."])
def test_every_reason_of_an_invalid_batch_or_row_is_used(reasons: str) -> None:
    made = {key for _, key, _ in _raised()}
    told = {key for key in read("en", "batches") if key.startswith(reasons)}
    assert told <= made
