"""Tables as Markdown: a row is a line, the first row the header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

MOST_COLUMNS: Final = 200
_BREAKS: Final = re.compile(r"\s+")


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The table with these rows, the header first. Empty rows and empty columns are left out."""
    cells = [[_cell(one) for one in row[:MOST_COLUMNS]] for row in rows]
    cells = [row for row in cells if any(row)]
    width = max((len(row) for row in cells), default=0)
    used = [index for index in range(width) if any(index < len(row) and row[index] for row in cells)]
    if not used:
        return ""
    lines = [_row([row[index] if index < len(row) else "" for index in used]) for row in cells]
    lines.insert(1, _row(["---"] * len(used)))
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return _BREAKS.sub(" ", text).strip().replace("|", "\\|")
