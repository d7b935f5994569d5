"""Words and phrases of a prompt, whole and whatever their accents and case. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from menagerie.grounding.analysis import folded_text

LONGEST: Final = 60
"""Words of a prompt that are looked at for what it asks: a longer one brings its own material, in which words say
nothing of what is wanted."""

_WORD: Final = re.compile(r"[^\W_]+")


class Wording(msgspec.Struct, frozen=True):
    """What a prompt says where it has all of `phrases`, each a run of whole words; `+` is between them in a file."""

    phrases: tuple[tuple[str, ...], ...]
    alone: bool = False
    """Whether the prompt says nothing else; `=` is before it in a file."""

    @property
    def whole(self) -> bool:
        """Whether no part of it is empty."""
        return bool(self.phrases) and all(self.phrases)

    @property
    def size(self) -> int:
        """How many words it has: the more, the surer it is."""
        return sum(map(len, self.phrases))

    def in_words(self, words: Sequence[str]) -> bool:
        """Whether it is in `words`, as `words_in` gives them."""
        if self.alone:
            return len(words) == self.size and tuple(words) == self.phrases[0]
        return all(_run(phrase, words) for phrase in self.phrases)


def wording(written: str) -> Wording:
    """As a file writes it."""
    alone = written.lstrip().startswith("=")
    parts = [written] if alone else written.split("+")
    return Wording(tuple(map(words_in, parts)), alone)


def words_in(text: str) -> tuple[str, ...]:
    """The words of a text in order, without case and accents; those around an apostrophe or a hyphen are two."""
    return tuple(_WORD.findall(folded_text(text)))


def _run(phrase: tuple[str, ...], words: Sequence[str]) -> bool:
    length = len(phrase)
    return any(tuple(words[at : at + length]) == phrase for at in range(len(words) - length + 1))
