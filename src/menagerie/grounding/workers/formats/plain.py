"""Text: as it is, as Markdown with headings, or as a table of comma-separated values."""

from __future__ import annotations

import csv
import io
import re
from typing import Final

from menagerie.grounding.workers.formats.encoding import decoded
from menagerie.grounding.workers.formats.outline import Outline, too_large
from menagerie.grounding.workers.formats.tables import markdown

MOST_CELLS: Final = 2_000_000
_BYTES_EACH: Final = 4
_AT_LEAST: Final = 4 * 1024 * 1024
_LONGEST_WORD: Final = 4096
_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE: Final = re.compile(r" {0,3}(```+|~~~+)")
_NO_PARAGRAPH: Final = re.compile(r"\s*$|[ ]{4}|\t|\s*(?:[-*+>|]|\d+[.)])\s?")
_DELIMITERS: Final = ",;\t|"


def read_plain(body: bytes, charset: str, outline: Outline, most: int) -> None:
    """Text as it is."""
    outline.add(_text(body, charset, outline, most))


def read_markdown(body: bytes, charset: str, outline: Outline, most: int) -> None:
    """Markdown: its headings are headings, the rest stays as it is written."""
    fence, block = "", list[str]()

    def flush() -> None:
        outline.add("\n".join(block))
        block.clear()

    for one in _text(body, charset, outline, most).splitlines():
        fenced = _FENCE.match(one)
        if fenced and (not fence or one.strip().startswith(fence)):
            fence = "" if fence else fenced[1]
        found = None if fence else _HEADING.match(one)
        under = None if fence or found else _UNDERLINE.match(one)
        if found:
            flush()
            outline.heading(len(found[1]), found[2])
        elif under and block and not _NO_PARAGRAPH.match(block[-1]):
            name = block.pop()
            flush()
            outline.heading(1 if under[1].startswith("=") else 2, name)
        else:
            block.append(one)
    flush()


def read_csv(body: bytes, charset: str, outline: Outline, most: int) -> None:
    """Comma-separated values, or values separated by semicolons, tabs or bars."""
    text = _text(body, charset, outline, most).replace("\0", "")
    sample = text[:20_000].splitlines()[:20]
    delimiter = max(
        _DELIMITERS,
        key=lambda one: (
            min((row.count(one) for row in sample), default=0),
            sum(row.count(one) for row in sample),
        ),
    )
    csv.field_size_limit(max(len(text), 1))
    rows, cells = list[list[str]](), 0
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        cells += len(row)
        if cells > MOST_CELLS:
            raise too_large(MOST_CELLS, "cells")
        rows.append(row)
    outline.add(markdown(rows))


def _text(body: bytes, charset: str, outline: Outline, most: int) -> str:
    """The text; of one that is much longer than what is wanted, the beginning."""
    enough = max(_BYTES_EACH * (most + 1), _AT_LEAST)
    if len(body) <= enough:
        return decoded(body, charset).replace("\0", "")
    outline.longer = len(body) / enough
    end = max(body.rfind(mark, enough - _LONGEST_WORD, enough) for mark in (b"\n", b" "))
    return decoded(body[: end if end > 0 else enough], charset).replace("\0", "")
