"""How well passages answer a question by the words that they share with it. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from menagerie.grounding.analysis import LANGUAGES, question_words, words_of
from menagerie.grounding.document import Passage
from menagerie.locales import Language

SATURATION: Final = 0.8
"""BM25's k1: how little a word counts more when it comes again."""
LENGTH: Final = 0.4
"""BM25's b: how much less a word counts in a long passage."""
MOST_STEMS: Final = 64
"""Of a question: what is longer is no question."""
HEADING: Final = 1.0
"""What a word of a title or of a heading counts, beside one of the text."""


def ranked(question: str, passages: Sequence[Passage], language: Language) -> list[Passage]:
    """All of `passages`, best first, each with its `score`; in their order where they are as good.

    A score is BM25 over these passages, divided by what a passage that is full of all the question's words would have:
    0 where it has none of them, about 0.6 where it has each of them once. A passage without a language is read as of
    `language`, that of the question. It reads some 20 MB of text a second.
    """
    asked = question_words(question, language)
    asked = {one: stems[:MOST_STEMS] for one, stems in asked.items()}
    bags = [_bag(passage, _language(passage, language)) for passage in passages]
    average = max(1.0, sum(bag.length for bag in bags) / max(1, len(bags)))
    weights = {
        one: {stem: rarity(len(bags), sum(stem in bag.counts for bag in bags)) for stem in asked[one]}
        for one in LANGUAGES
    }
    scored = [
        msgspec.structs.replace(passage, score=share(bag, weights[_language(passage, language)], average))
        for passage, bag in zip(passages, bags, strict=True)
    ]
    return sorted(scored, key=lambda passage: -passage.score)


class Bag(msgspec.Struct, frozen=True):
    """How often a passage has each stem, and how long it is, in stems."""

    counts: Mapping[str, float]
    length: int


def bag_of(heading: Iterable[str], words: Sequence[str]) -> Bag:
    """The bag of a passage with these stems in its title and headings, and these in its text."""
    counts: dict[str, float] = dict(Counter(words))
    for stem in set(heading):
        counts[stem] = counts.get(stem, 0.0) + HEADING
    return Bag(counts, len(words))


def rarity(passages: int, having: int) -> float:
    """What a stem weighs that `having` of so many passages have: BM25's idf, never negative."""
    return math.log1p((max(passages, having) - having + 0.5) / (having + 0.5))


def share(bag: Bag, weights: Mapping[str, float], average: float) -> float:
    """How much of what is asked for, by the weight of each stem, a passage has; from 0 to 1. `average` is the length
    of the passages among which it is found."""
    whole = sum(weights.values())
    if not whole:
        return 0.0
    against = SATURATION * (1 - LENGTH + LENGTH * bag.length / average)
    found = 0.0
    for stem, weight in weights.items():
        if count := bag.counts.get(stem):
            found += weight * count / (count + against)
    return found / whole


def _language(passage: Passage, language: Language) -> Language:
    return "en" if passage.language == "en" else "fr" if passage.language == "fr" else language


def _bag(passage: Passage, language: Language) -> Bag:
    return bag_of(words_of(f"{passage.title} {passage.heading}", language), words_of(passage.text, language))
