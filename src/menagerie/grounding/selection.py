"""Which passages go into a prompt: the best first, as many as fit. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from menagerie.grounding.document import Passage

FOUND: Final = 0.3
"""The score of a passage that answers: half of the question's words, by their weight, are in it."""
FEWEST: Final = 120
"""Characters of a passage that are worth being quoted where the whole of it no longer fits."""
MOST_PASSAGES: Final = 12


class Selection(msgspec.Struct, frozen=True):
    """What goes into a prompt, and whether anything had to be left out for want of room."""

    passages: tuple[Passage, ...]
    is_cut: bool = False


def selected(passages: Iterable[Passage], most: int) -> Selection:
    """As many of `passages`, in their order, as `most` characters hold; the last one may be cut, between words. None
    stands there twice."""
    chosen: list[Passage] = []
    seen: set[str] = set()
    room = most
    for passage in passages:
        text = passage.text.strip()
        key = " ".join(text.split()).casefold()
        if not text or key in seen:
            continue
        if len(chosen) == MOST_PASSAGES:
            return Selection(tuple(chosen), is_cut=True)
        seen.add(key)
        if len(text) > room:
            if room >= FEWEST:
                chosen.append(msgspec.structs.replace(passage, text=_cut(text, room)))
            return Selection(tuple(chosen), is_cut=True)
        chosen.append(msgspec.structs.replace(passage, text=text))
        room -= len(text)
    return Selection(tuple(chosen))


def answering(ranked: Sequence[Passage], in_order: Sequence[Passage], most: int) -> Selection:
    """Of a document that somebody named: what answers the question first (`ranked`), then the rest of it as far as
    there is room; where nothing has to do with the question, such as one for a summary, its beginning."""
    fits = sum(len(passage.text) for passage in in_order) <= most
    least = FOUND if fits else 0.0
    best = [passage for passage in ranked if passage.score > least]
    return selected([*best, *in_order], most)


def _cut(text: str, most: int) -> str:
    end = text.rfind(" ", most // 2, most)
    return text[: end if end > 0 else most].rstrip() + " …"
