"""Where in a JSON text one stands, byte by byte: what a grammar cannot say, it refuses."""

from __future__ import annotations

import json
from typing import Final

MAX_DEPTH: Final = 64
MAX_DIGITS: Final = 40
"""Digits of one number; a model that writes more is in a loop."""
MAX_DIGITS_INSIDE: Final = 256
"""Digits in a row, inside a string."""
MAX_EXPONENT_DIGITS: Final = 2
MAX_BLANKS: Final = 64
"""Blanks in a row, inside a string or between tokens."""

_BLANK: Final = frozenset(b" \t\n\r")
_DIGITS: Final = frozenset(b"0123456789")
_SCALAR: Final = frozenset(b'0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-."')


class Scanner:
    """Follows the text that it is fed. It refuses duplicate keys, nesting beyond `MAX_DEPTH`, endless numbers and
    endless blanks, and leaves every other rule of JSON to the grammar."""

    __slots__ = (
        "_blank", "_blanks", "_digits", "_escaped", "_exponent", "_key", "_last", "_named", "_names",
        "complete", "in_string",
    )  # fmt: skip

    def __init__(self) -> None:
        self.in_string = False
        self.complete = False
        """The outermost array or object is closed."""
        self._names: list[set[str] | None] = []
        self._key: bytearray | None = None
        self._named = False
        self._escaped = False
        self._last = 0
        self._blank = False
        self._blanks = 0
        self._digits = 0
        self._exponent = False

    @property
    def depth(self) -> int:
        """Arrays and objects that are open."""
        return len(self._names)

    @property
    def before_value(self) -> bool:
        """Whether a comma, a name or a colon stands last, so that a value has to follow."""
        if self.in_string:
            return self._key is not None
        return self._last in b",:" or self._named

    def copy(self) -> Scanner:
        """An independent scanner at the same place."""
        other = Scanner()
        other.in_string, other.complete = self.in_string, self.complete
        other._names = [None if names is None else set(names) for names in self._names]
        other._key = None if self._key is None else bytearray(self._key)
        other._named = self._named
        other._escaped, other._last = self._escaped, self._last
        other._blank, other._blanks = self._blank, self._blanks
        other._digits, other._exponent = self._digits, self._exponent
        return other

    def skips(self, byte: int) -> bool:
        """Whether `byte` is a blank between tokens, which we leave out."""
        return not self.in_string and byte in _BLANK

    def allows(self, byte: int) -> bool:
        """Whether `byte` may come next."""
        if self.in_string:
            if byte == 0x22 and not self._escaped and self._key is not None:
                return _name(self._key) not in (self._names[-1] or ())
            return not self.endless(byte)
        if self.endless(byte) or self._apart(byte):
            return False
        return byte not in b"{[" or self.depth < MAX_DEPTH

    def endless(self, byte: int) -> bool:
        """Whether `byte` would be one digit or one blank too many."""
        if byte in _DIGITS:
            most = MAX_EXPONENT_DIGITS if self._exponent else MAX_DIGITS
            return self._digits >= (MAX_DIGITS_INSIDE if self.in_string else most)
        return byte in _BLANK and self._blanks >= MAX_BLANKS

    def ends_at(self, byte: int) -> bool:
        """Whether `byte` is refused though the grammar may allow it: whoever writes it has lost the way."""
        return not self.allows(byte) and not self._apart(byte)

    def _apart(self, byte: int) -> bool:
        """Whether leaving out the blank before `byte` would join two tokens to one."""
        return self._blank and byte in _SCALAR and self._last in _SCALAR

    def take(self, byte: int) -> None:
        """Go past `byte`, which is allowed."""
        if self.in_string:
            self._inside(byte)
            return
        if byte in _BLANK:
            self._blank, self._blanks = True, self._blanks + 1
            return
        self._blank, self._blanks, self._named = False, 0, False
        if byte in _DIGITS:
            self._digits += 1
        elif byte in b"eE" and self._digits:
            self._digits, self._exponent = 0, True
        elif byte not in b".+-":
            self._digits, self._exponent = 0, False
        if byte == 0x22:
            self.in_string = True
            if self._names and self._names[-1] is not None and self._last in b"{,":
                self._key = bytearray()
        elif byte in b"{[":
            self._names.append(set() if byte == 0x7B else None)
        elif byte in b"}]" and self._names:
            self._names.pop()
            self.complete = not self._names
        self._last = byte

    def _inside(self, byte: int) -> None:
        self._blanks = self._blanks + 1 if byte == 0x20 else 0
        self._digits = self._digits + 1 if byte in _DIGITS else 0
        if byte == 0x22 and not self._escaped:
            self.in_string = False
            self._last = byte
            if self._key is not None:
                names = self._names[-1]
                if names is not None:
                    names.add(_name(self._key))
                self._key, self._named = None, True
            return
        self._escaped = byte == 0x5C and not self._escaped
        if self._key is not None:
            self._key.append(byte)


def _name(key: bytearray) -> str:
    try:
        return str(json.loads(b'"' + bytes(key) + b'"'))
    except ValueError:
        return key.decode(errors="replace")
