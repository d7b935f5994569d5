"""XLSX: a part for each sheet, its values as a table."""

from __future__ import annotations

import datetime
from typing import Any, Final

from menagerie.grounding.workers.formats.archive import Archive
from menagerie.grounding.workers.formats.outline import Outline, UnreadableError, too_large
from menagerie.grounding.workers.formats.tables import MOST_COLUMNS, markdown

MOST_CELLS: Final = 2_000_000
MOST_SHEETS: Final = 1_000


def read_sheets(archive: Archive, outline: Outline) -> None:
    """The sheets of a workbook of Excel's, as they were last calculated. Raises `broken`, `too_large`."""
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book: Any = openpyxl.load_workbook(
            archive.rewritten(), read_only=True, data_only=True, keep_links=False
        )
    except (
        InvalidFileException,
        KeyError,
        ValueError,
        TypeError,
        SyntaxError,
        AttributeError,
        IndexError,
    ) as fault:
        raise UnreadableError("broken") from fault
    if len(book.worksheets) > MOST_SHEETS:
        raise too_large(MOST_SHEETS, "sheets")
    outline.title = book.properties.title or ""
    outline.pages = len(book.worksheets)
    left = MOST_CELLS
    for number, sheet in enumerate(book.worksheets, 1):
        outline.section(sheet.title, number)
        sheet.reset_dimensions()  # what a file says of its own size is not to be relied on
        rows: list[list[str]] = []
        for row in sheet.iter_rows(values_only=True):
            left -= len(row) + 1
            if left < 0:
                raise too_large(MOST_CELLS, "cells")
            if any(value is not None for value in row):
                rows.append([_written(value) for value in row[:MOST_COLUMNS]])
        outline.add(markdown(rows))
    outline.end()


def _written(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case float():
            return f"{value:.12g}"
        case datetime.datetime():
            return value.isoformat(" ", "minutes").removesuffix(" 00:00")
        case _:
            return str(value)
