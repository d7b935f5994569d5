"""Tables in a text in Markdown (GitHub's), as far as they are well formed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

MOST_COLUMNS: Final = 63
"""What Word takes."""
_BAR: Final = re.compile(r"(?<!\\)\|")
_RULE: Final = re.compile(":?-+:?")


class Table(msgspec.Struct, frozen=True):
    """The words of a table; all its rows are as long as its head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table_at(lines: Sequence[str], start: int) -> tuple[int, Table | None]:
    """Where what looks like a table at the line `start` ends, and the table: None where it is malformed, that is where
    a row has more cells than the head. Where nothing looks like one, it ends where it starts."""
    if start + 1 >= len(lines) or "|" not in lines[start] or "|" not in lines[start + 1]:
        return start, None
    head, rules = _cells(lines[start]), _cells(lines[start + 1])
    if len(head) != len(rules) or len(head) > MOST_COLUMNS or not all(map(_RULE.fullmatch, rules)):
        return start, None
    rows: list[tuple[str, ...]] = []
    end = start + 2
    while end < len(lines) and _BAR.search(lines[end]):
        rows.append(_cells(lines[end]))
        end += 1
    if any(len(row) > len(head) for row in rows):
        return end, None
    return end, Table(head, tuple((*row, *[""] * (len(head) - len(row))) for row in rows))


def _cells(line: str) -> tuple[str, ...]:
    inside = line.strip().removeprefix("|")
    if inside.endswith("|") and not inside.endswith(r"\|"):
        inside = inside[:-1]
    return tuple(cell.strip().replace(r"\|", "|") for cell in _BAR.split(inside))
