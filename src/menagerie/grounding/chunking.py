"""Documents as passages: short enough to be embedded and quoted, never across a heading or a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from menagerie.grounding.document import Document, Part, Passage

LONGEST: Final = 1200
"""Characters of a passage: some 300 tokens of English."""
SHORTEST: Final = 200
"""What is shorter goes with the paragraph after it."""
JOINER: Final = " › "

_PARAGRAPH: Final = re.compile(r"\n\s*\n")
_SENTENCE: Final = re.compile(r"(?<=[.!?…])\s+")


def passages_of(document: Document, kind: str, longest: int = LONGEST) -> Iterator[Passage]:
    """The passages of `document`, in order, each at most `longest` characters long."""
    for part in document.parts:
        for text in _pieces(part, longest):
            yield Passage(
                kind=kind,
                text=text,
                title=document.title,
                address=document.address,
                heading=JOINER.join(part.heading),
                page=part.page,
                language=document.language,
                read=document.read,
            )


def _pieces(part: Part, longest: int) -> Iterator[str]:
    """Paragraphs, the short ones joined, the long ones cut between sentences, and between words where they must."""
    waiting = ""
    for paragraph in _PARAGRAPH.split(part.text):
        for piece in _cut(paragraph.strip(), longest):
            if waiting and len(waiting) + len(piece) + 2 > longest:
                yield waiting
                waiting = ""
            waiting = f"{waiting}\n\n{piece}" if waiting else piece
            if len(waiting) >= longest - SHORTEST:
                yield waiting
                waiting = ""
    if waiting:
        yield waiting


def _cut(paragraph: str, longest: int) -> Iterator[str]:
    if len(paragraph) <= longest:
        if paragraph:
            yield paragraph
        return
    piece = ""
    for sentence in _SENTENCE.split(paragraph):
        rest = sentence
        while len(rest) > longest:
            if piece:
                yield piece
                piece = ""
            end = rest.rfind(" ", 0, longest)
            end = end if end > 0 else longest
            yield rest[:end].strip()
            rest = rest[end:].strip()
        if piece and len(piece) + len(rest) + 1 > longest:
            yield piece
            piece = ""
        piece = f"{piece} {rest}" if piece else rest
    if piece:
        yield piece
