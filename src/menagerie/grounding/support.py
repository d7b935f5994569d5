"""Whether a passage supports a sentence: by its words and its numbers, without a model. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from menagerie.core.languages import parse_language
from menagerie.grounding.analysis import words_of
from menagerie.grounding.document import Passage
from menagerie.locales import Language

Verdict = Literal["supported", "unsupported", "unknown"]
"""`unknown`: too little to judge by, or words that two languages do not share."""

SUPPORTED: Final = 0.6
"""The share of a sentence's words that a passage has to have …"""
UNSUPPORTED: Final = 0.34
"""… and that below which it says something else."""
FEWEST_WORDS: Final = 3
"""Words below which a sentence claims too little to be judged."""

_NUMBER: Final = re.compile(r"\d+(?:[.,\u00a0\u202f ]\d+)*")
_DIGITS: Final = re.compile(r"\D+")


class Claim:
    """What a sentence claims: its words, and the numbers in it, which nothing else may stand in for."""

    def __init__(self, sentence: str, language: Language) -> None:
        self.words = frozenset(words_of(sentence, language))
        self.numbers = numbers_of(sentence)

    @property
    def is_weighty(self) -> bool:
        """Whether there is enough of it to be judged."""
        return len(self.words) >= FEWEST_WORDS


class Evidence:
    """Passages that claims are held against, each in its own language."""

    def __init__(self, passages: Sequence[Passage], language: Language) -> None:
        self._passages = tuple(passages)
        self._language = language
        self._words = tuple(
            frozenset(words_of(f"{one.title} {one.heading} {one.text}", self.language(number)))
            for number, one in enumerate(self._passages)
        )
        self._numbers = tuple(numbers_of(f"{one.title} {one.heading} {one.text}") for one in self._passages)

    def __len__(self) -> int:
        return len(self._passages)

    def language(self, number: int) -> Language:
        """That of a passage; that of the answer where it is not known."""
        return parse_language(self._passages[number].language) or self._language

    def verdict(self, claim: Claim, number: int) -> Verdict:
        """Whether the passage `number` (from 0) supports a claim."""
        if not claim.numbers <= self._numbers[number]:
            return "unsupported"
        if self.language(number) != self._language or not claim.is_weighty:
            return "unknown"
        share = self.share(claim, number)
        return "supported" if share >= SUPPORTED else "unsupported" if share < UNSUPPORTED else "unknown"

    def best(self, claim: Claim) -> int | None:
        """The passage that supports a claim best, if one does."""
        if not claim.is_weighty:
            return None
        able = [number for number in range(len(self)) if self.verdict(claim, number) == "supported"]
        return max(able, key=lambda number: self.share(claim, number), default=None)

    def share(self, claim: Claim, number: int) -> float:
        """How much of a claim's words a passage has, from 0 to 1."""
        return len(claim.words & self._words[number]) / len(claim.words) if claim.words else 0.0


def numbers_of(text: str) -> frozenset[str]:
    """The numbers of a text, by their digits: `1,200`, `1 200` and `1200` are one."""
    found = _NUMBER.findall(text)
    whole = {_DIGITS.sub("", one) for one in found}
    return frozenset(whole | {part for one in found for part in _DIGITS.split(one) if part})
