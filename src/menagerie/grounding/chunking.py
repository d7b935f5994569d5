"""Documents as passages: short enough to be embedded and quoted, never across a page, nor across a heading unless there
is next to nothing under it, of whole sentences and whole rows of tables. The same document gives the same passages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from menagerie.grounding.document import Document, Part, Passage

LONGEST: Final = 1200
"""Characters of a passage: some 300 tokens of English."""
SHORTEST: Final = 200
"""What is shorter goes with what comes after it on its page."""
JOINER: Final = " › "

_BLOCKS: Final = re.compile(r"\n[ \t]*\n")
_ROW: Final = "|"
_RULE: Final = frozenset("|-: \t")
_END: Final = re.compile(r"""[.!?…]["'”»)\]]*\s+(?=["'“«(\[]?\s?[^\W_a-zà-ÿ])""")
_ABBREVIATED: Final = re.compile(
    r"(?:^|[\s(«“])(?:[A-Z]|M|MM|Mme|Mlle|Me|Mr|Mrs|Ms|Dr|Dre|St|Ste|No|Nos|no|nos|art|par|p|pp|cf|ch|vol|etc|e\.g|i\.e|vs)\.$"
)
_LOOKED_BACK: Final = 8


def passages_of(document: Document, kind: str, longest: int = LONGEST) -> Iterator[Passage]:
    """The passages of `document`, in order, each at most `longest` characters long. All of its text is in them; what
    stands twice are the headers of tables that are cut."""
    for part in _gathered(document.parts, longest):
        for text in _packed(_pieces(part.text, longest), longest):
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


def _gathered(parts: Iterable[Part], longest: int) -> Iterator[Part]:
    """The parts, those in a row that are tiny, stand on one page and belong under one heading, or have none, as one: it
    has the headings that they share."""
    tiny, most = min(SHORTEST, longest // 4), longest // 2
    waiting: list[Part] = []
    size = 0
    for part in parts:
        if len(part.text) > tiny or (
            waiting and (size + len(part.text) > most or _place(part) != _place(waiting[0]))
        ):
            yield from _as_one(waiting)
            waiting, size = [], 0
        if len(part.text) > tiny:
            yield part
        elif part.text.strip():
            waiting.append(part)
            size += len(part.text) + 2
    yield from _as_one(waiting)


def _place(part: Part) -> tuple[tuple[str, ...], int]:
    return part.heading[:1], part.page


def _as_one(parts: list[Part]) -> Iterator[Part]:
    if len(parts) < 2:
        yield from parts
        return
    shared = parts[0].heading
    for part in parts:
        while shared and part.heading[: len(shared)] != shared:
            shared = shared[:-1]
    yield Part("\n\n".join(part.text for part in parts), shared, parts[0].page)


def _packed(pieces: Iterable[tuple[str, str]], longest: int) -> Iterator[str]:
    """Pieces as full passages: `(text, space)`, the space being what stands between it and the one before."""
    waiting = ""
    for text, space in pieces:
        if waiting and (not space or len(waiting) + len(space) + len(text) > longest):
            yield waiting
            waiting = ""
        waiting = f"{waiting}{space}{text}" if waiting else text
        if len(waiting) >= longest - min(SHORTEST, longest // 4):
            yield waiting
            waiting = ""
    if waiting:
        yield waiting


def _pieces(text: str, longest: int) -> Iterator[tuple[str, str]]:
    """The blocks of a part, those that are too long cut: by rows, by lines, between sentences, between words."""
    for found in _BLOCKS.split(text):
        block = found.strip("\n").rstrip()
        if not block.strip():
            continue
        if len(block) <= longest:
            yield block, "\n\n"
        elif _is_table(block):
            yield from _cut_table(block, longest)
        else:
            space = "\n\n"
            for line in block.split("\n"):
                for piece in _cut_line(line.rstrip(), longest):
                    yield piece, space
                    space = " "
                space = "\n"


def _is_table(block: str) -> bool:
    return block.lstrip().startswith(_ROW)


def _cut_table(block: str, longest: int) -> Iterator[tuple[str, str]]:
    """Tables of some of the rows, each under the header, unless that takes most of the room."""
    lines = block.split("\n")
    header: list[str] = lines[:2] if len(lines) > 2 and _RULE.issuperset(lines[1]) else []
    if sum(map(len, header)) > longest // 3:
        header = []
    above = sum(len(one) + 1 for one in header)
    rows: list[str] = []
    size = above
    for line in lines[len(header) :]:
        for row in _cut_line(line.rstrip(), longest - above):
            if rows and size + len(row) > longest:
                yield "\n".join([*header, *rows]), ""
                rows, size = [], above
            rows.append(row)
            size += len(row) + 1
    if rows:
        yield "\n".join([*header, *rows]), ""


def _cut_line(line: str, longest: int) -> Iterator[str]:
    """A line, or its sentences packed, or its words, or what fits of a word."""
    if len(line) <= longest:
        if line.strip():
            yield line
        return
    waiting = ""
    for sentence in _sentences(line):
        if waiting and len(waiting) + 1 + len(sentence) > longest:
            yield waiting
            waiting = ""
        if len(sentence) <= longest:
            waiting = f"{waiting} {sentence}" if waiting else sentence
            continue
        *full, waiting = _cut_words(sentence, longest)
        yield from full
    if waiting:
        yield waiting


def _sentences(line: str) -> Iterator[str]:
    """The sentences of a line; a point behind an abbreviation ends none."""
    ends = [
        found.end()
        for found in _END.finditer(line)
        if not _ABBREVIATED.search(line[max(found.start() + 1 - _LOOKED_BACK, 0) : found.start() + 1])
    ]
    for start, end in pairwise([0, *ends, len(line)]):
        sentence = line[start:end].strip()
        if sentence:
            yield sentence


def _cut_words(text: str, longest: int) -> list[str]:
    """What fits, cut between words where there is a space."""
    pieces = []
    start = 0
    while len(text) - start > longest:
        end = text.rfind(" ", start + 1, start + longest + 1)
        end = end if end > 0 else start + longest
        pieces.append(text[start:end].strip())
        start = end
    pieces.append(text[start:].strip())
    return [piece for piece in pieces if piece] or [""]
