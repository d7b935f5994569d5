"""Articles as parts under their headings, without what says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from menagerie.grounding.document import Part
from menagerie.grounding.search.answers import plain

_HEADING: Final = re.compile(r"^(={2,6})[ \t]*([^\n]{1,300}?)[ \t]*\1[ \t]*$", re.MULTILINE)
_LONGEST_HEADING: Final = 200
_SAY_NOTHING: Final = frozenset(
    {"bibliography", "external links", "further reading", "notes", "notes and references", "references"}
    | {"annexes", "articles connexes", "bibliographie", "liens externes", "notes et références", "références"}
    | {"see also", "voir aussi"}
)
"""Sections that are lists of other places, in small letters."""


def parts_of(text: str) -> tuple[Part, ...]:
    """The parts of a plain text whose headings stand between equals signs."""
    pieces: list[tuple[int, str, str]] = []
    level, heading, start = 1, "", 0
    for found in _HEADING.finditer(text):
        pieces.append((level, heading, text[start : found.start()]))
        level, heading, start = len(found[1]), found[2], found.end()
    pieces.append((level, heading, text[start:]))
    return tuple(telling(_nested(pieces)))


def telling(parts: Iterable[Part], title: str = "") -> Iterator[Part]:
    """Those with text that are no lists of other places; without the article's `title` among the headings, and without
    the heading in the text, where it is repeated."""
    for part in parts:
        heading = part.heading[1:] if title and part.heading[:1] == (title,) else part.heading
        cleaned = _clean(part.text)
        if part.heading and cleaned.partition("\n")[0].strip() == part.heading[-1]:
            cleaned = cleaned.partition("\n")[2].strip()
        if cleaned and not any(one.casefold() in _SAY_NOTHING for one in heading):
            yield msgspec.structs.replace(part, text=cleaned, heading=heading)


def _nested(pieces: Iterable[tuple[int, str, str]]) -> Iterator[Part]:
    """Parts that know all the headings above them."""
    above: list[tuple[int, str]] = []
    for level, heading, text in pieces:
        above = [one for one in above if one[0] < level]
        if heading:
            above.append((level, plain(heading, _LONGEST_HEADING)))
        yield Part(text, heading=tuple(one for _, one in above))


def _clean(text: str) -> str:
    """Without what no person reads, and more than one empty line."""
    text = "".join(one for one in text if one in "\n\t" or one.isprintable())
    return re.sub(r"\n{3,}", "\n\n", text).strip()
