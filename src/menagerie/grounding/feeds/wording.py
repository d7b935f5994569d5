"""Words and phrases of a prompt, whole and whatever their accents and case. Pure."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from menagerie.grounding.analysis import folded_text

LONGEST: Final = 60
"""Words of a prompt that are looked at for what it asks: a longer one brings its own material, in which words say
nothing of what is wanted."""

_WORD: Final = re.compile(r"[^\W_]+")


class Wording(msgspec.Struct, frozen=True):
    """What a prompt says where it has all of `phrases`, each a run of whole words as `said_in` gives it; `+` is between
    them in a file."""

    phrases: tuple[str, ...]
    alone: bool = False
    """Whether the prompt says nothing else; `=` is before it in a file."""

    @property
    def whole(self) -> bool:
        """Whether no part of it is empty."""
        return all(phrase.strip() for phrase in self.phrases)

    @property
    def size(self) -> int:
        """How many words it has: the more, the surer it is."""
        return sum(len(phrase.split()) for phrase in self.phrases)

    def is_in(self, said: str) -> bool:
        """Whether a prompt, as `said_in` gives it, says this."""
        return said == self.phrases[0] if self.alone else all(phrase in said for phrase in self.phrases)


def wording(written: str) -> Wording:
    """As a file writes it."""
    alone = written.lstrip().startswith("=")
    parts = [written] if alone else written.split("+")
    return Wording(tuple(map(said_in, parts)), alone)


def said_in(text: str) -> str:
    """The words of a text in order, a blank before and after each, without case and accents; what an apostrophe or a
    hyphen joins is two words."""
    return "".join(f" {word} " for word in words_in(text)).replace("  ", " ")


def words_in(text: str) -> list[str]:
    """The words of a text in order, in the same way."""
    return _WORD.findall(folded_text(text))
