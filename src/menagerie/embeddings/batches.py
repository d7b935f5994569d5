"""Many texts in pieces that an engine computes in a moment, so that nobody else waits for all of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

MOST_TEXTS: Final = 16
"""Texts of one piece: a quarter of a second for the default model on two cores."""
MOST_BYTES: Final = 16_384
"""Bytes of one piece, where an engine keeps nothing of a text: some 4,000 tokens."""


class Batch(msgspec.Struct, frozen=True):
    """Texts from the `start`th on, and how many tokens of the engine's pool they may take together."""

    start: int
    texts: tuple[str, ...]
    tokens: int


def split(texts: Sequence[str], window: int, *, keeps_cache: bool, beside: int = 0) -> Iterator[Batch]:
    """`texts` in order, in pieces. Where the engine `keeps_cache`, a piece takes no more than a whole window of its
    pool, as no turn does, however its text falls into tokens (a byte is one at most). `beside` are the bytes that go
    with every text: the query that documents are ranked by."""
    most = window if keeps_cache else MOST_BYTES
    piece: list[str] = []
    start = size = 0
    for number, text in enumerate(texts):
        weight = min(len(text.encode("utf-8", "replace")) + beside + _MARKS, window if keeps_cache else most)
        if piece and (len(piece) == MOST_TEXTS or size + weight > most):
            yield Batch(start, tuple(piece), size if keeps_cache else 0)
            piece, start, size = [], number, 0
        piece.append(text)
        size += weight
    if piece:
        yield Batch(start, tuple(piece), size if keeps_cache else 0)


_MARKS: Final = 4
"""Tokens around a text, or a pair, that a model adds of itself."""
