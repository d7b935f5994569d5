"""Regular expressions of strangers, with bounds: on what they take to compile, and on the time of each search."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import regex

from menagerie.core.errors import ErrorCode, MenagerieError

MAX_LENGTH: Final = 8_192
"""Characters of one pattern."""
MAX_EXPANDED: Final = 50_000
"""Atoms of one pattern once its counted repetitions are written out."""
SEARCH_SECONDS: Final = 0.25


class PatternTimeoutError(Exception):
    """A search took longer than `SEARCH_SECONDS`; nothing is known of the text."""


@lru_cache(maxsize=1024)
def compiled_pattern(pattern: str) -> regex.Pattern[str]:
    """`pattern`, with the meaning that Python's `re` gives it. Raises SCHEMA_TOO_COMPLEX, SCHEMA_INVALID."""
    if len(pattern) > MAX_LENGTH:
        raise MenagerieError(ErrorCode.SCHEMA_TOO_COMPLEX, reason=f"pattern: {len(pattern)} > {MAX_LENGTH}")
    if (size := _expanded(pattern)) > MAX_EXPANDED:
        raise MenagerieError(ErrorCode.SCHEMA_TOO_COMPLEX, reason=f"pattern: {size} > {MAX_EXPANDED}")
    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError, ValueError):
        raise MenagerieError(
            ErrorCode.SCHEMA_INVALID, reason=f"pattern: {pattern[:80]}", path="pattern"
        ) from None


def found(pattern: str, text: str) -> bool:
    """Whether `pattern` matches somewhere in `text`. Raises `PatternTimeoutError`."""
    try:
        return compiled_pattern(pattern).search(text, timeout=SEARCH_SECONDS, concurrent=True) is not None
    except TimeoutError:
        raise PatternTimeoutError(pattern) from None


def may_backtrack(pattern: str) -> bool:
    """Whether `pattern` repeats more than once, so that a search by another engine may take very long."""
    return sum(pattern.count(sign) for sign in "*+{") > 1


def without_looking(pattern: str) -> str:
    """`pattern` without its look-ahead and look-behind, which no grammar knows: a pattern that matches more."""
    while (start := _LOOK.search(pattern)) is not None:
        end, depth = start.end(), 1
        while end < len(pattern) and depth:
            if pattern[end] == "[":
                end = _after_class(pattern, end)
                continue
            depth += {"(": 1, ")": -1}.get(pattern[end], 0)
            end += 2 if pattern[end] == "\\" else 1
        pattern = pattern[: start.start()] + "(?:)" + pattern[end:]
    return pattern


def in_ascii(pattern: str) -> str:
    """`pattern` with its `\\d`, `\\w` and `\\s` for ASCII alone, so that all engines read them alike; as it is where it
    holds the opposite of one."""
    if "[^" in pattern or "\\\\" in pattern:
        return pattern
    written, inside = "", False
    for part in _PARTS.findall(pattern):
        inside = part == "[" or (inside and part != "]")
        among = _ASCII.get(part)
        written += part if among is None else among if inside else f"[{among}]"
    return written


_LOOK: Final = regex.compile(r"(?<!\\)\(\?<?[=!]")
_PARTS: Final = regex.compile(r"\\.|[\s\S]")
_ASCII: Final = {r"\d": "0-9", r"\w": "A-Za-z0-9_", r"\s": r" \t\r\n"}
_COUNT: Final = regex.compile(r"\{(\d{1,9})(?:,(\d{0,9}))?\}[?+]?")


def _expanded(pattern: str) -> int:
    """An upper estimate of the atoms of `pattern` when `(ab){3}` is written as `ababab`."""
    sizes, last, at = [0], 0, 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at, last = at + 2, 1
        elif character == "[":
            at, last = _after_class(pattern, at), 1
        elif character == "(":
            sizes.append(0)
            at, last = at + 1, 0
            continue
        elif character == ")" and len(sizes) > 1:
            at, last = at + 1, sizes.pop() + 1
        else:
            at, last = at + 1, 1
        if count := _COUNT.match(pattern, at):
            last *= max(int(count[1]), int(count[2] or 0), 1)
            at = count.end()
        sizes[-1] += last
    return sum(sizes)


def _after_class(pattern: str, at: int) -> int:
    at += 2 if pattern[at + 1 : at + 2] == "^" else 1
    first = True
    while at < len(pattern) and (pattern[at] != "]" or first):
        at += 2 if pattern[at] == "\\" else 1
        first = False
    return at + 1
