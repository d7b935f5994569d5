"""PDF: text page by page, under the headings of its outline; running heads are dropped, scanned pages are counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_raw

from menagerie.grounding.workers.formats.outline import (
    LONGEST_HEADING,
    Outline,
    UnreadableError,
    line,
    too_large,
)

MOST_PAGES: Final = 5_000
_MOST_BOOKMARKS: Final = 10_000
_MOST_DEPTH: Final = 6
_MOST_ON_PAGE: Final = 200_000
_LITTLE: Final = 16
"""Characters of a page below which its pictures are what is to be seen."""
_FEW: Final = 4
"""Pages below which no line is a running head."""
_OFTEN: Final = 0.6
_EDGE: Final = 2
_HYPHEN: Final = re.compile("[\ufffe\x02]\r?\n?")
_DIGITS: Final = re.compile(r"\d+")
_PASSWORD: Final = pdfium_raw.FPDF_ERR_PASSWORD


def read_pdf(body: bytes, outline: Outline) -> None:
    """The pages of a PDF. Raises `broken`, `encrypted`, `scanned`, `too_large`."""
    try:
        document = pdfium.PdfDocument(body)
    except pdfium.PdfiumError as fault:
        raise UnreadableError("encrypted" if fault.err_code == _PASSWORD else "broken") from fault
    outline.pages = len(document)
    if outline.pages > MOST_PAGES:
        raise too_large(MOST_PAGES, "pages")
    outline.title = line(document.get_metadata_value("Title") or "")
    texts = []
    for index in range(outline.pages):
        text, is_picture = _page(document, index)
        outline.pages_without_text += is_picture
        texts.append(text)
    if outline.pages_without_text and not any(texts):
        raise UnreadableError("scanned", pages=outline.pages_without_text)
    bookmarks = _bookmarks(document)
    path: tuple[str, ...] = ()
    for number, lines in enumerate(_without_running_heads(texts), 1):
        path = _write(outline, number, lines, path, bookmarks.get(number - 1, []))
    outline.end()


def _page(document: Any, index: int) -> tuple[str, bool]:
    """The text of a page, and whether it is a picture only. One that is broken has none."""
    try:
        page = document[index]
        found = page.get_textpage()
        text = found.get_text_range(0, min(found.count_chars(), _MOST_ON_PAGE)) if found.count_chars() else ""
        is_picture = False
        if len(text.split()) < 3 and len(text.strip()) < _LITTLE:
            pictures = page.get_objects(filter=[pdfium_raw.FPDF_PAGEOBJ_IMAGE], max_depth=4)
            is_picture = next(iter(pictures), None) is not None
        page.close()
    except pdfium.PdfiumError:
        return "", False
    return ("" if is_picture else _HYPHEN.sub("", text).strip()), is_picture


def _without_running_heads(texts: list[str]) -> Iterator[list[str]]:
    """The lines of each page, but for those at its edges that most pages have there, whatever their number."""
    pages = [text.splitlines() for text in texts]
    counted = Counter(
        place for lines in pages for place in {_place(lines, index) for index in _edges(lines)} if place[1]
    )
    filled = sum(1 for lines in pages if lines)
    often = max(_FEW, _OFTEN * filled)
    running = {place for place, count in counted.items() if count >= often}
    for lines in pages:
        dropped = {index for index in _edges(lines) if _place(lines, index) in running}
        yield [one for index, one in enumerate(lines) if index not in dropped]


def _edges(lines: list[str]) -> set[int]:
    length = len(lines)
    return {index for index in (*range(_EDGE), *range(length - _EDGE, length)) if 0 <= index < length}


def _place(lines: list[str], index: int) -> tuple[bool, str]:
    """At the top or not, and what is said there."""
    return index < _EDGE, _DIGITS.sub("#", lines[index].strip())


def _bookmarks(document: Any) -> dict[int, list[tuple[str, ...]]]:
    """The headings that begin on each page, with those above them."""
    found: dict[int, list[tuple[str, ...]]] = {}
    path: list[str] = []
    try:
        for bookmark in islice(document.get_toc(max_depth=_MOST_DEPTH), _MOST_BOOKMARKS):
            place = bookmark.get_dest()
            index = place.get_index() if place else None
            path = [*path[: bookmark.level], line(bookmark.get_title(), LONGEST_HEADING)]
            if index is not None and all(path):
                found.setdefault(index, []).append(tuple(path))
    except (pdfium.PdfiumError, ValueError, OSError):
        return found
    return found


def _write(
    outline: Outline, number: int, lines: list[str], path: tuple[str, ...], begun: list[tuple[str, ...]]
) -> tuple[str, ...]:
    """Write a page: cut where one of the headings that begin on it stands, as far as they are found in their order.
    Gives the headings that go on after it."""
    names = [" ".join(one.split()).casefold() for one in lines]
    written = 0
    for heading in begun:
        wanted = heading[-1].casefold()
        place = next(
            (at for at in range(written, len(names)) if names[at].endswith(wanted) and names[at]), None
        )
        if place is not None and len(names[place]) <= len(wanted) + 12:
            outline.headings(path, number)
            outline.add("\n".join(lines[written:place]))
            written = place
        elif not written:
            outline.headings(heading, number)
        path = heading
    outline.headings(path, number)
    outline.add("\n".join(lines[written:]))
    return path
