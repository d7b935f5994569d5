"""A prompt with columns in it: `Translate into French: {text}`. `{{` and `}}` stand for braces."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from menagerie.batches.failures import BatchError, RowError

PROMPT_COLUMN: Final = "prompt"
"""The column that is asked where no template says otherwise."""

_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


class Template:
    """A parsed prompt. What is between braces is the name of a column, whole: nothing is looked up inside a value."""

    def __init__(self, source: str) -> None:
        """Raises `BatchError` for a brace that is alone."""
        self._pieces: list[tuple[str, bool]] = []
        for found in _PIECE.finditer(source):
            piece, name = found[0], found[1]
            if name is not None and name.strip():
                self._pieces.append((name, True))
            elif piece in {"{", "}"} or name is not None:
                raise BatchError("template_brace", at=found.start() + 1)
            else:
                self._pieces.append((piece.replace("{{", "{").replace("}}", "}"), False))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names."""
        return tuple(dict.fromkeys(piece for piece, is_column in self._pieces if is_column))

    def check(self, columns: Sequence[str]) -> None:
        """Raises `BatchError` where it names a column that is none of `columns`."""
        for name in self.columns:
            if name not in columns:
                raise BatchError("column_unknown", column=name, known=", ".join(columns))

    def fill(self, values: Mapping[str, Any]) -> str:
        """The prompt for a row. Raises `RowError` where the row lacks a column."""
        return "".join(_shown(values, piece) if is_column else piece for piece, is_column in self._pieces)


def prompt_of(values: Mapping[str, Any]) -> str:
    """The prompt of a row without a template: its column `prompt`; where it has none, the whole row as JSON."""
    if PROMPT_COLUMN in values:
        return _shown(values, PROMPT_COLUMN)
    return msgspec.json.encode(values).decode()


def _shown(values: Mapping[str, Any], column: str) -> str:
    """A text as it is, nothing as nothing, everything else as JSON."""
    if column not in values:
        raise RowError("column_missing", column=column)
    value = values[column]
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
