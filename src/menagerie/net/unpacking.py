"""A body out of its content encoding, a piece at a time, so that whoever reads it may stop whenever it grows too large.
Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

ENCODINGS: Final = "gzip, deflate"
"""What may be asked for."""
PIECE: Final = 65_536
"""Bytes of a piece, at most."""

_GZIP: Final = 31
_ZLIB: Final = 15
_RAW: Final = -15
_MEMBER: Final = 0x1F
_MOST_MEMBERS: Final = 100
"""Of a gzip; each costs more than it takes to send."""


class UnpackingError(Exception):
    """The body is damaged, or not all there, or packed in another way."""


class Unpacking:
    """Unpacks one body that has this `Content-Encoding`. Raises `UnpackingError`."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding.strip().lower()
        if self._encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise UnpackingError(self._encoding)
        self._packed: zlib._Decompress | None = None
        self._over = False
        self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes hold. What comes after the end of packed data is left out."""
        if self._encoding in {"", "identity"}:
            yield data
            return
        full = False
        while (data or full) and not self._over:
            packed = self._packed or self._begun(data[0])
            try:
                piece = packed.decompress(data, PIECE)
            except zlib.error as failure:
                raise UnpackingError(self._encoding) from failure
            if piece:
                yield piece
            full, data = len(piece) == PIECE, packed.unconsumed_tail
            if packed.eof:
                full, data, self._packed = False, packed.unused_data, None
                self._over = self._encoding == "deflate" or (bool(data) and data[0] != _MEMBER)

    def end(self) -> None:
        """There are no more bytes."""
        if self._packed is not None:
            raise UnpackingError(self._encoding)

    def _begun(self, first: int) -> zlib._Decompress:
        """A decompressor for what begins with this byte: `deflate` has a header (RFC 9110) or, from some, has none."""
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise UnpackingError(self._encoding)
        if self._encoding == "deflate":
            self._packed = zlib.decompressobj(_ZLIB if first & 0xF == 8 else _RAW)
        else:
            self._packed = zlib.decompressobj(_GZIP)
        return self._packed
