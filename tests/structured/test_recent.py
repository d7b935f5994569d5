"""What is remembered of texts: the last ones, within a bound."""

from __future__ import annotations

import pytest

from menagerie.structured.recent import Recent


def test_the_texts_asked_for_last_are_made_once_and_long_ones_make_room() -> None:
    made: list[bytes] = []

    def make(text: bytes) -> int:
        made.append(text)
        return len(text)

    recent = Recent(make, most=3, most_bytes=100)
    for text in (b"a", b"b", b"a", b"c", b"a", b"d"):
        assert recent(text) == 1
    assert made == [b"a", b"b", b"c", b"d"]
    assert len(recent) == 3
    assert recent(b"a") == 1
    assert made[-1] == b"d"
    assert recent(b"x" * 99) == 99
    assert len(recent) == 2
    assert recent(b"y" * 101) == 101
    assert len(recent) == 0
    assert recent(b"a") == 1
    recent.cache_clear()
    assert len(recent) == 0


def test_a_failure_is_not_remembered() -> None:
    failures = [ValueError("first")]

    def make(text: bytes) -> bytes:
        if failures:
            raise failures.pop()
        return text

    recent = Recent(make, most=3, most_bytes=100)
    with pytest.raises(ValueError, match="first"):
        recent(b"a")
    assert recent(b"a") == b"a"
