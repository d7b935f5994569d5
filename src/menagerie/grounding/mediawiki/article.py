"""Articles as parts under their headings, without what says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from menagerie.grounding.document import Part
from menagerie.grounding.search.answers import plain

_LONGEST_LINE: Final = 400
"""Characters of a line that may be a heading."""
_LONGEST_HEADING: Final = 200
_DEEPEST: Final = 6
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
    at = 0
    for line in text.split("\n"):
        end = at + len(line)
        if found := _heading(line):
            pieces.append((level, heading, text[start:at]))
            level, heading = found
            start = end
        at = end + 1
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


def _heading(line: str) -> tuple[int, str] | None:
    """The level and the words of a heading, as in `== History ==`; None of any other line."""
    if len(line) > _LONGEST_LINE or not line.startswith("=="):
        return None
    line = line.rstrip(" \t")
    before, after = len(line) - len(line.lstrip("=")), len(line) - len(line.rstrip("="))
    level = min(before, after, _DEEPEST)
    words = line[level:-level].strip(" \t")
    return (level, words) if level > 1 and words.strip("=") else None


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
