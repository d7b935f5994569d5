"""ODT, ODS and ODP: paragraphs under their headings, lists, sheets and slides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from zipfile import BadZipFile

from menagerie.grounding.workers.formats.archive import Archive
from menagerie.grounding.workers.formats.outline import Outline, UnreadableError, too_large
from menagerie.grounding.workers.formats.tables import MOST_COLUMNS, markdown

MOST_CELLS: Final = 2_000_000
_MOST_REPEATED: Final = 1_000
"""Rows alike that are written; applications fill a sheet to its end with one that is repeated a million times."""
_AROUND: Final = frozenset(
    {
        "text:section",
        "text:index-body",
        "text:table-of-content",
        "draw:frame",
        "draw:text-box",
        "draw:g",
        "draw:custom-shape",
        "table:table-header-rows",
        "table:table-row-group",
        "table:table-rows",
        "presentation:notes",
    }
)


def read_opendocument(archive: Archive, outline: Outline) -> None:
    """The body of an OpenDocument. Raises `broken`, `too_large`."""
    import odfdo

    try:
        document: Any = odfdo.Document(archive.rewritten())
        body = document.body
        outline.title = document.meta.title or ""
    except (BadZipFile, KeyError, ValueError, TypeError, SyntaxError, AttributeError, OSError) as fault:
        raise UnreadableError("broken") from fault
    writer = _Writer(outline)
    if body.tag == "office:spreadsheet":
        sheets = [one for one in body.children if one.tag == "table:table"]
        outline.pages = len(sheets)
        for number, sheet in enumerate(sheets, 1):
            outline.section(sheet.get_attribute_string("table:name") or "", number)
            writer.table(sheet)
    elif body.tag == "office:presentation":
        slides = [one for one in body.children if one.tag == "draw:page"]
        outline.pages = len(slides)
        for number, slide in enumerate(slides, 1):
            outline.section(_title(slide), number)
            writer.blocks(slide)
    else:
        writer.blocks(body)
    outline.end()


def _title(slide: Any) -> str:
    """The title of a slide, which stands in the frame for it."""
    for frame in slide.children:
        if frame.tag == "draw:frame" and frame.get_attribute_string("presentation:class") == "title":
            return " ".join(frame.text_recursive.split())
    return ""


class _Writer:
    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._left = MOST_CELLS

    def blocks(self, parent: Any) -> None:
        """All that stands in `parent`, in order."""
        for child in parent.children:
            match child.tag:
                case "text:h":
                    level = child.get_attribute_string("text:outline-level") or "1"
                    self._outline.heading(int(level) if level.isdecimal() else 1, child.text_recursive)
                case "text:p":
                    self._outline.add(child.text_recursive)
                    for frame in child.children:
                        if frame.tag == "draw:frame" and not child.text_recursive.strip():
                            self.blocks(frame)
                case "text:list":
                    self._list(child, 0)
                case "table:table":
                    self.table(child)
                case tag if tag in _AROUND:
                    self.blocks(child)

    def _list(self, items: Any, depth: int) -> None:
        for item in items.children:
            for child in item.children:
                if child.tag == "text:list":
                    self._list(child, depth + 1)
                elif text := child.text_recursive.strip():
                    self._outline.add("  " * depth + "- " + text, tight=True)

    def table(self, table: Any) -> None:
        """A table, of which what is repeated is written as often as it makes sense."""
        rows: list[list[str]] = []
        for row in _rows(table):
            cells = self._cells(row)
            if any(cells):
                times = min(_times(row, "table:number-rows-repeated"), _MOST_REPEATED)
                self._count(len(cells) * (times - 1))
                rows.extend([cells] * times)
        self._outline.add(markdown(rows))

    def _cells(self, row: Any) -> list[str]:
        cells: list[str] = []
        for cell in row.children:
            if cell.tag not in {"table:table-cell", "table:covered-table-cell"}:
                continue
            self._count(1)
            text = " ".join(cell.text_recursive.split()) if cell.tag == "table:table-cell" else ""
            times = _times(cell, "table:number-columns-repeated")
            cells.extend([text] * min(times, MOST_COLUMNS))
            if len(cells) >= MOST_COLUMNS:
                break
        return cells

    def _count(self, cells: int) -> None:
        self._left -= cells
        if self._left < 0:
            raise too_large(MOST_CELLS, "cells")


def _rows(table: Any) -> Iterator[Any]:
    for child in table.children:
        if child.tag == "table:table-row":
            yield child
        elif child.tag in _AROUND:
            yield from _rows(child)


def _times(element: Any, attribute: str) -> int:
    said = element.get_attribute_string(attribute) or "1"
    return int(said) if said.isdecimal() and len(said) < 10 else 1
