"""Every text of the catalogue is asked for somewhere, and every text that is asked for is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import menagerie
from menagerie.locales import catalogue

PACKAGE: Final = Path(menagerie.__file__).parent
ROOT: Final = PACKAGE.parent.parent
WRAPPED: Final = ("cli.", "page.live.", "page.stats.live.", "page.stats.plot.")
"""Beginnings that a wrapper puts before what its callers write."""
ELSEWHERE: Final = ("cli.argparse.", "persona.file.place_")
"""Beginnings of texts that are not found by what is written: those of Python's argparse, and one put together."""
A_KEY: Final = re.compile(r"[a-z_]+(?:\.\w+)+")
QUOTED: Final = re.compile(r"""(?<=["'`])[\w.]+(?=["'`$])|(?<=\btexts\.)\w+""")
ANY: Final = r"[\w.<>-]+"
WHITESPACE: Final = re.compile(r"[\s()]+")


@cache
def _python() -> tuple[frozenset[str], frozenset[str]]:
    """All strings of the Python code, and its f-strings as patterns: what is filled in may be any name."""
    strings, patterns = set(), set()
    for file in [*PACKAGE.rglob("*.py"), ROOT / "script" / "environment.py"]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                patterns.add("".join(_piece(part) for part in node.values))
    return frozenset(strings), frozenset(patterns)


def _piece(part: ast.expr) -> str:
    return re.escape(str(part.value)) if isinstance(part, ast.Constant) else ANY


@cache
def _pages() -> frozenset[str]:
    """All that stands in quotation marks in templates, scripts of the pages and scripts of the shell."""
    files = [*PACKAGE.joinpath("web", "templates").rglob("*.html"), *_scripts(), ROOT / "script" / "setup"]
    found = {word for file in files for word in QUOTED.findall(file.read_text(encoding="utf-8"))}
    return frozenset(found | set(WHITESPACE.split((ROOT / "script" / "setup").read_text(encoding="utf-8"))))


def _scripts() -> Iterator[Path]:
    for file in (ROOT / "ui").rglob("*.[tj]s"):
        if "node_modules" not in file.parts and ".test." not in file.name:
            yield file


def _is_used(key: str, written: frozenset[str], patterns: list[re.Pattern[str]]) -> bool:
    ends = [key.removeprefix(head) for head in WRAPPED if key.startswith(head)]
    named = [pattern for pattern in patterns if not pattern.pattern.startswith("[")]
    return (
        key.startswith(ELSEWHERE)
        or key in written
        or (key.startswith("page.") and key.split(".", 2)[-1] in _pages())
        or any(end in written for end in ends if not key.startswith("page.live."))
        or any(pattern.fullmatch(end) for end in ends for pattern in patterns)
        or any(pattern.fullmatch(key) for pattern in named)
    )


def test_every_text_is_asked_for() -> None:
    strings, filled = _python()
    filled |= {re.escape(word) + ANY for word in _pages() if word.endswith(".")}
    filled -= {re.escape(head) + ANY for head in WRAPPED}
    # A pattern without a name of its own would match everything.
    patterns = [re.compile(one) for one in filled if re.search(r"(?:^|\\\.)[a-z]\w*(?:\\\.|_\[|$)", one)]
    written = strings | _pages()
    assert [key for key in catalogue("en") if not _is_used(key, written, patterns)] == []


def test_every_text_that_is_asked_for_is_there() -> None:
    keys = set(catalogue("en"))
    asked = {key for key in _asked_for() if key not in keys}
    assert asked == set()


def _asked_for() -> Iterator[str]:
    """Keys that are written whole where a text is looked up; in scripts, without their beginning."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                key = node.args[0].value
                if name == "text" and isinstance(key, str) and A_KEY.fullmatch(key):
                    yield key
    for file in PACKAGE.joinpath("web", "templates").rglob("*.html"):
        yield from re.findall(r"""\bt\(\s*["']([\w.]+)["']\s*[,)]""", file.read_text(encoding="utf-8"))
    for file in _scripts():
        for key in re.findall(r"""\bt\(\s*["'`]([\w.]+)["'`]\s*[,)]""", file.read_text(encoding="utf-8")):
            yield next((whole for whole in catalogue("en") if whole.endswith(f".{key}")), key)
