"""PPTX: a part for each slide under its title, with its tables and the speaker's notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from menagerie.grounding.workers.formats.archive import Archive
from menagerie.grounding.workers.formats.outline import Outline, UnreadableError, too_large
from menagerie.grounding.workers.formats.tables import markdown

MOST_SLIDES: Final = 5_000
_NO_TITLES: Final = {"PowerPoint Presentation", "Présentation PowerPoint"}
"""What PowerPoint calls a presentation that nobody gave a title, as the library does."""
_MOST_DEPTH: Final = 20


def read_slides(archive: Archive, outline: Outline) -> None:
    """The slides of a presentation of PowerPoint's. Raises `broken`."""
    import pptx
    from pptx.exc import PackageNotFoundError

    try:
        deck: Any = pptx.Presentation(archive.rewritten())
        slides = list(deck.slides)
    except (PackageNotFoundError, KeyError, ValueError, SyntaxError, AttributeError, IndexError) as fault:
        raise UnreadableError("broken") from fault
    if len(slides) > MOST_SLIDES:
        raise too_large(MOST_SLIDES, "pages")
    called = deck.core_properties.title or ""
    outline.title = "" if called in _NO_TITLES else called
    outline.pages = len(slides)
    for number, slide in enumerate(slides, 1):
        title = slide.shapes.title
        name = " ".join(title.text_frame.text.split()) if title is not None else ""
        outline.section(name, number)
        if name:
            outline.add(name)
        written = title.shape_id if title is not None else None
        for shape in _shapes(slide.shapes):
            if shape.shape_id != written:
                _write(shape, outline)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            outline.add(slide.notes_slide.notes_text_frame.text)
    outline.end()


def _shapes(shapes: Any, depth: int = 0) -> Iterator[Any]:
    """Those in groups, too."""
    for shape in shapes:
        if hasattr(shape, "shapes") and depth < _MOST_DEPTH:
            yield from _shapes(shape.shapes, depth + 1)
        else:
            yield shape


def _write(shape: Any, outline: Outline) -> None:
    if getattr(shape, "has_table", False):
        outline.add(markdown([[cell.text for cell in row.cells] for row in shape.table.rows]))
    elif getattr(shape, "has_text_frame", False):
        lines = ("  " * paragraph.level + paragraph.text for paragraph in shape.text_frame.paragraphs)
        outline.add("\n".join(one.replace("\v", "\n") for one in lines if one.strip()))
