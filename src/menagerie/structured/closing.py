"""The shortest end that a grammar allows from where an answer stands: a walk over the bytes that may follow."""

from __future__ import annotations

import random
from collections import Counter
from functools import lru_cache
from typing import Final

from llguidance import LLMatcher

from menagerie.structured.compiler import BYTES, LIMITS
from menagerie.structured.scanner import Scanner

MAX_STEPS: Final = 24_000
"""Bytes tried to close one answer, over all tries: a second or two at most."""
TRIES: Final = 24
_PATIENCE: Final = 12
"""Bytes of a string that may not end yet, after which the walk tries whatever it has tried least."""

_OUTSIDE: Final = {byte: rank for rank, byte in enumerate(b'}],:n0123456789"tf-[{.')}
"""What to write first to end soon, outside of a string; inside, the quote comes first."""
_INSIDE: Final = {
    byte: rank for rank, byte in enumerate(b'"aeinorst0123456789bcdfghjklmpquvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ')
}


def shortest_end(
    matcher: LLMatcher, scanner: Scanner, patterns: tuple[str, ...] = (), tries: int = TRIES
) -> bytes | None:
    """Bytes that bring the text to a valid end; None where none was found within the bounds.

    Greedy first: closers, then literals and digits, then the characters that have just become possible, the
    strings that `patterns` want where they fit. Where that does not end, again with more and more of chance, the
    same each time. Neither `matcher` nor `scanner` moves.
    """
    chance = random.Random(0)  # noqa: S311  (a search, not a secret)
    steps = MAX_STEPS
    for attempt in range(tries):
        budget = min(steps, 400 if attempt else MAX_STEPS // 2)
        walk = _Walk(matcher.deep_copy(), scanner.copy(), patterns, chance, attempt / tries)
        if walk.run(budget):
            return bytes(walk.written)
        steps -= budget
        if steps <= 0:
            break
    return None


class _Walk:
    def __init__(
        self,
        matcher: LLMatcher,
        scanner: Scanner,
        patterns: tuple[str, ...],
        chance: random.Random,
        boldness: float,
    ) -> None:
        self.written = bytearray()
        self._matcher = matcher
        self._scanner = scanner
        self._patterns = patterns
        self._chance = chance
        self._boldness = boldness
        self._before = 0
        self._tried: Counter[str] = Counter()

    def run(self, budget: int) -> bool:
        """Write until the text may end: whether it did within `budget` bytes."""
        while len(self.written) < budget:
            if not self._scanner.in_string and self._matcher.is_accepting():
                return True
            mask = int.from_bytes(self._matcher.compute_bitmask(), "little")
            options = [byte for byte in _bytes_of(mask) if self._allows(byte)]
            if not options:
                return False
            if self._scanner.in_string and 0x22 not in options and self._write_example():
                continue
            byte = self._choice(options)
            self._before = mask
            if not self._write(bytes([byte])):
                return False
        return False

    def _allows(self, byte: int) -> bool:
        return self._scanner.allows(byte) and not self._scanner.skips(byte)

    def _write(self, data: bytes) -> bool:
        if self._matcher.validate_tokens(list(data)) < len(data) or not self._matcher.consume_tokens(
            list(data)
        ):
            return False
        for byte in data:
            self._scanner.take(byte)
            if not self._scanner.in_string:
                self._tried.clear()
        self.written += data
        return True

    def _write_example(self) -> bool:
        """Write a string that one of the patterns wants, where it fits and ends the string."""
        if self._tried.total() not in (0, _PATIENCE):
            return False
        return any(self._write(example + b'"') for example in map(example_of, self._patterns) if example)

    def _choice(self, options: list[int]) -> int:
        if self._chance.random() < self._boldness:
            return self._chance.choice(options)
        if not self._scanner.in_string:
            return min(options, key=lambda byte: _OUTSIDE.get(byte, 999))
        if 0x22 in options:
            return 0x22
        fresh = [byte for byte in options if not self._before >> byte & 1] or options
        if self._tried.total() >= _PATIENCE:
            chosen = min(fresh, key=lambda byte: (self._tried[_kind(byte)], _rank_inside(byte)))
        else:
            chosen = min(fresh, key=_rank_inside)
        self._tried[_kind(chosen)] += 1
        return chosen


def _rank_inside(byte: int) -> int:
    return _INSIDE.get(byte, 500 if 0x20 <= byte < 0x7F and byte != 0x5C else 999)


def _kind(byte: int) -> str:
    character = chr(byte)
    if character.isascii() and character.isalnum():
        return "digit" if character.isdigit() else "upper" if character.isupper() else "lower"
    return character


def _bytes_of(mask: int) -> list[int]:
    return [byte for byte in range(256) if mask >> byte & 1]


@lru_cache(maxsize=512)
def example_of(pattern: str) -> bytes | None:
    """A short string that `pattern` matches, as the bytes inside a JSON string; None where none is found."""
    bare = pattern.removeprefix("^").removesuffix("$")
    grammar = LLMatcher.grammar_from_regex(bare)
    matcher = LLMatcher(BYTES, grammar, log_level=0, limits=LIMITS)
    written, before, tried = bytearray(), 0, Counter[str]()
    for _ in range(64):
        if matcher.is_error():
            return None
        if matcher.is_accepting():
            return bytes(written)
        mask = int.from_bytes(matcher.compute_bitmask(), "little")
        options = [byte for byte in _bytes_of(mask) if 0x20 <= byte < 0x7F and byte not in b'"\\']
        if not options:
            return None
        fresh = [byte for byte in options if not before >> byte & 1] or options
        byte = min(fresh, key=lambda one: (tried[_kind(one)], _rank_inside(one)))
        tried[_kind(byte)] += 1
        before = mask
        matcher.consume_token(byte)
        written.append(byte)
    return None
