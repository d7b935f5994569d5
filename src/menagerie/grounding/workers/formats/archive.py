"""Office documents are ZIP archives of XML. They are unpacked here, counted while they are, and packed again without
whatever a library need not see: pictures, fonts, programs, declarations of entities."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import Final

from menagerie.grounding.workers.formats.outline import UnreadableError, too_large

MOST_MEMBERS: Final = 20_000
MOST_BYTES: Final = 256 * 1024 * 1024
"""Of XML, unpacked."""
MOST_RATIO: Final = 300
"""Bytes unpacked for each that is packed, of members that are not small."""
_SMALL: Final = 4 * 1024 * 1024
_PIECE: Final = 1024 * 1024
_XML: Final = (".xml", ".rels")
_PLAIN: Final = frozenset({"mimetype"})
_DECLARED: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ENCODING: Final = re.compile(rb"^<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([^\"']{1,40})", re.IGNORECASE)
_ENCODINGS: Final = frozenset({b"utf-8", b"utf-16", b"us-ascii", b"ascii", b"iso-8859-1"})
_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class Archive:
    """The members of a ZIP archive. Raises `broken` for what is none."""

    def __init__(self, body: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(body))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as fault:
            raise UnreadableError("broken") from fault
        self._members = self._zip.infolist()
        if len(self._members) > MOST_MEMBERS:
            raise too_large(MOST_MEMBERS, "files")
        self.names = frozenset(one.filename for one in self._members)
        self._left = MOST_BYTES

    @property
    def is_locked(self) -> bool:
        """Whether a member is encrypted."""
        return any(one.flag_bits & 1 for one in self._members)

    def read(self, name: str) -> bytes:
        """What is in a member; counts towards what may be unpacked."""
        return self._unpacked(self._zip.getinfo(name)) if name in self.names else b""

    def rewritten(self) -> io.BytesIO:
        """The archive with its XML only, the other members empty. Raises `broken`, `too_large`."""
        packed = io.BytesIO()
        seen: set[str] = set()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as target:
            for member in self._members:
                if member.is_dir() or member.filename in seen:
                    continue
                seen.add(member.filename)
                name = member.filename.lower()
                content = b""
                if name.endswith(_XML) or name in _PLAIN:
                    content = self._unpacked(member)
                    if name.endswith(_XML):
                        _check(content)
                target.writestr(zipfile.ZipInfo(member.filename), content)
        packed.seek(0)
        return packed

    def _unpacked(self, member: zipfile.ZipInfo) -> bytes:
        pieces, size = [], 0
        try:
            with self._zip.open(member) as opened:
                while piece := opened.read(_PIECE):
                    size += len(piece)
                    if size > self._left:
                        raise too_large(MOST_BYTES, "unpacked")
                    if size > _SMALL and size > MOST_RATIO * max(member.compress_size, 1):
                        raise too_large(MOST_RATIO, "ratio")
                    pieces.append(piece)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
        ) as fault:
            raise UnreadableError("broken") from fault
        self._left -= size
        return b"".join(pieces)


def _check(content: bytes) -> None:
    """Refuse XML that declares what libraries would have to resolve; no office document does."""
    start = content[:400]
    for mark in _MARKS:
        start = start.removeprefix(mark)
    start = start.replace(b"\0", b"").lstrip()
    said = _ENCODING.match(start)
    if start and not start.startswith(b"<"):
        raise UnreadableError("broken")
    if said and said[1].lower() not in _ENCODINGS:
        raise UnreadableError("broken")
    plain = content.replace(b"\0", b"") if b"\0" in content[:400] else content
    if _DECLARED.search(plain):
        raise UnreadableError("broken")
