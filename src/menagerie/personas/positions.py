"""JSON with the line of every key: what the standard library reads but does not tell.

Strict JSON (RFC 8259): a key that stands twice in an object is refused, so are NaN and Infinity, numbers beyond
a float, and half a surrogate pair, which no UTF-8 could carry on."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Final, NamedTuple, NoReturn

MAX_DEPTH: Final = 32

KeyPath = tuple[str | int, ...]
"""The way to a value: names of keys and indices of lists, outermost first."""

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Document(NamedTuple):
    """A JSON text: its value, and the line (from 1) on which each key or list item begins."""

    value: object
    lines: Mapping[KeyPath, int]


class JsonError(ValueError):
    """Why a text is not the JSON that it should be. `reason` is the end of a `persona.file.*` key of the
    catalogues, `values` fill its placeholders, `path` is as far as the reader came."""

    def __init__(self, reason: str, line: int, path: KeyPath, **values: str | int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.path = path
        self.values = values


def read_json(text: str) -> Document:
    """`text` as a value with positions. Raises `JsonError`."""
    reader = _Reader(text)
    value, end = reader.value(reader.after_space(0), ())
    end = reader.after_space(end)
    if end != len(text):
        reader.refuse("extra", end, ())
    return Document(value, reader.lines)


class _Reader:
    """Objects and lists by hand, for their positions; strings, numbers and words by the standard library."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: dict[KeyPath, int] = {}
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._scalar = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)

    def line(self, position: int) -> int:
        return bisect_right(self._newlines, position - 1) + 1

    def after_space(self, position: int) -> int:
        match = _SPACE.match(self.text, position)
        return match.end() if match else position

    def refuse(self, reason: str, position: int, path: KeyPath, **values: str | int) -> NoReturn:
        if position >= len(self.text):
            reason, position = "unfinished", len(self.text.rstrip())
        column = position - self.text.rfind("\n", 0, position)
        raise JsonError(reason, self.line(position), path, column=column, **values)

    def value(self, start: int, path: KeyPath) -> tuple[object, int]:
        if len(path) > MAX_DEPTH:
            self.refuse("deep", start, path[:-1])
        opening = self.text[start : start + 1]
        if opening == "{":
            return self._object(start, path)
        if opening == "[":
            return self._list(start, path)
        return self._plain(start, path, "value")

    def _plain(self, start: int, path: KeyPath, expected: str) -> tuple[object, int]:
        try:
            value, end = self._scalar.raw_decode(self.text, start)
        except json.JSONDecodeError as failure:
            inside = self.text[start : start + 1] == '"'
            self.refuse("string" if inside else expected, start if inside else failure.pos, path)
        except ValueError:
            self.refuse("number", start, path)
        if isinstance(value, str) and _SURROGATE.search(value):
            self.refuse("string", start, path)
        return value, end

    def _object(self, start: int, path: KeyPath) -> tuple[dict[str, object], int]:
        found: dict[str, object] = {}
        position = self.after_space(start + 1)
        while self.text[position : position + 1] != "}":
            if self.text[position : position + 1] != '"':
                self.refuse("key", position, path)
            at = position
            key, position = self._plain(at, path, "key")
            here = (*path, str(key))
            if key in found:
                self.refuse("duplicate", at, here, first=self.lines[here])
            self.lines[here] = self.line(at)
            position = self.after_space(position)
            if self.text[position : position + 1] != ":":
                self.refuse("colon", position, here)
            found[str(key)], position = self.value(self.after_space(position + 1), here)
            position = self._next(position, "}", here)
        return found, position + 1

    def _list(self, start: int, path: KeyPath) -> tuple[list[object], int]:
        found: list[object] = []
        position = self.after_space(start + 1)
        while self.text[position : position + 1] != "]":
            here = (*path, len(found))
            self.lines[here] = self.line(position)
            item, position = self.value(position, here)
            found.append(item)
            position = self._next(position, "]", here)
        return found, position + 1

    def _next(self, position: int, closing: str, path: KeyPath) -> int:
        """Past the comma to the next item, or at the closing bracket."""
        position = self.after_space(position)
        mark = self.text[position : position + 1]
        if mark == closing:
            return position
        if mark != ",":
            self.refuse("comma", position, path)
        following = self.after_space(position + 1)
        if self.text[following : following + 1] == closing:
            self.refuse("trailing", position, path)
        return following


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number
