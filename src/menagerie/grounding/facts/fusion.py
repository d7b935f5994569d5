"""One score for a passage out of the words that it shares with a question and the angle between their vectors. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import msgspec

BY_VECTOR: Final = 0.7
"""How much of a score the vectors make where the model knows the languages of question and passage …"""
BY_VECTOR_ACROSS: Final = 0.1
"""… and where it does not: a model that learned English only sees likeness in French where there is none."""
MOST_OF_A_DOCUMENT: Final = 3
"""Passages of one document, while there are others."""
BY_SENTENCE: Final = 0.7
"""How much of a cosine its nearest sentence makes, the rest being that of the whole passage."""
_USUAL: Final = 0.15
"""The cosine of two texts that have nothing to do with each other, and …"""
_WEIGHT_OF_USUAL: Final = 20
"""… as how many passages that counts beside those that there are."""


class Nearness(msgspec.Struct, frozen=True):
    """What cosines mean in a collection: how near any passage of it is to the question, on the average."""

    usual: float = _USUAL

    @classmethod
    def among(cls, mean: float, passages: int) -> Nearness:
        """Of so many passages whose cosines have this mean."""
        whole = mean * passages + _USUAL * _WEIGHT_OF_USUAL
        return cls(whole / (passages + _WEIGHT_OF_USUAL))

    def of(self, cosine: float) -> float:
        """From 0, no nearer than any passage, to 1, the same. Models differ in what they call near; this does not."""
        return max(0.0, min(1.0, (cosine - self.usual) / max(1e-6, 1 - self.usual)))


def fused(share: float, nearness: float | None, weight: float) -> float:
    """The score of a passage by its `share` of the question's words and its nearness, from 0 to 1. `weight` is that of
    the vectors; without one the words alone count."""
    if nearness is None:
        return share
    return (1 - weight) * share + weight * nearness


class Ranked(msgspec.Struct, frozen=True):
    """A passage by its place in its document, and its score."""

    key: int
    document: int
    score: float


Any_ = TypeVar("Any_", bound=Ranked)


def spread(passages: Iterable[Any_], most: int) -> list[Any_]:
    """The `most` best, best first, of each document only `MOST_OF_A_DOCUMENT` while others are left."""
    counts: dict[int, int] = {}
    first: list[Any_] = []
    rest: list[Any_] = []
    for passage in sorted(passages, key=lambda one: -one.score):
        counts[passage.document] = counts.get(passage.document, 0) + 1
        (first if counts[passage.document] <= MOST_OF_A_DOCUMENT else rest).append(passage)
    return _in_order([*first, *rest][:most])


def _in_order(passages: Sequence[Any_]) -> list[Any_]:
    return sorted(passages, key=lambda one: -one.score)
