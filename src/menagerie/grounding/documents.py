"""Documents from the bytes of files and pages, read by a program in a process of its own (`workers/read_document`)."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.analysis import language_of_text
from menagerie.grounding.document import Document, Part
from menagerie.grounding.reading import LateError, Readers, TooMuchError
from menagerie.grounding.recent import RecentDocuments
from menagerie.grounding.sharing import Once, Places
from menagerie.settings import Settings

log = structlog.get_logger("menagerie.grounding")

MOST: Final = 10_000_000
"""Characters of a document that are kept, unless somebody wants fewer: some 4,000 pages."""
SECONDS: Final = 60
"""Of processor time for a file; a page has fewer."""
PAGE_SECONDS: Final = 10

_AT_ONCE: Final = 2
"""Programs at a time."""
_KEPT_CHARACTERS: Final = 16_000_000
_HASHED_BESIDE: Final = 65_536
_SAMPLE: Final = 20_000
_FOR_EACH_PART: Final = 4096
_BYTES_EACH: Final = 8
_LONGEST_NAME: Final = 255

_Unit = Literal["pages", "cells", "files", "parts", "sheets", "unpacked", "ratio", "memory"]
_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
_Short = Annotated[str, msgspec.Meta(max_length=400)]


class _Part(msgspec.Struct):
    text: str
    heading: Annotated[tuple[_Short, ...], msgspec.Meta(max_length=16)]
    page: _Count


class _Answer(msgspec.Struct):
    """What the program writes."""

    title: _Short = ""
    parts: Annotated[tuple[_Part, ...], msgspec.Meta(max_length=100_001)] = ()
    pages: _Count = 0
    pages_without_text: _Count = 0
    characters: _Count = 0
    failure: Literal["", "broken", "encrypted", "empty", "scanned", "too_large", "unsupported"] = ""
    limit: _Count = 0
    unit: _Unit = "pages"


class Documents:
    """Reads documents. One for a service, made in its loop; to be closed. What was read lately is kept in memory."""

    def __init__(self, settings: Settings) -> None:
        self._largest = settings.max_document
        self._readers = Readers()
        self._places = Places(_AT_ONCE)
        self._under_way: Once[Document] = Once()
        self._recent = RecentDocuments(_KEPT_CHARACTERS)

    async def read(
        self,
        body: bytes | Path,
        *,
        kind: str = "",
        charset: str = "",
        name: str = "",
        address: str = "",
        most: int = MOST,
        digest: str = "",
        share: str = "",
    ) -> Document:
        """The document in `body`, or in the file there, with at most `most` characters of it.

        `kind` and `charset` are what whoever fetched it knows already (`PageKind`), or empty; the content decides,
        and `name` only between kinds of text. What has an `address` is a page: of its HTML only the main content is
        read. What has no title is called by its `name`, without folders and ending. `digest` is the SHA-256 of a file
        at a path, where it is known: then it is read once. `share` is whose share of the programs it takes: one user's
        documents do not keep those of another waiting.

        Raises `document.broken`, `document.encrypted`, `document.empty`, `document.scanned` where no page has text,
        `document.too_large`, `document.unsupported`.
        """
        size = len(body) if isinstance(body, bytes) else (await asyncio.to_thread(body.stat)).st_size
        if size > self._largest:
            raise MenagerieError(ErrorCode.DOCUMENT_TOO_LARGE, limit=self._largest, unit="bytes")
        suffix = Path(name[-_LONGEST_NAME:]).suffix.lower()
        digest = await _digest(body) if isinstance(body, bytes) else digest
        key = (digest, kind, charset, suffix, bool(address), most)
        found = self._recent.get(key) if digest else None
        if found is None:
            order = {
                "kind": kind,
                "charset": charset,
                "name": suffix,
                "most": most,
                "main_only": bool(address),
            }

            async def read() -> Document:
                async with self._places.place(share):
                    known = self._recent.get(key) if digest else None
                    if known is None:
                        known = await self._ask(order, body, most, PAGE_SECONDS if address else SECONDS)
                        if digest:
                            self._recent.keep(key, known)
                    return known

            found = await (self._under_way.do((share, *key), read) if digest else read())
        title = found.title or Path(name).stem[:_LONGEST_NAME]
        return msgspec.structs.replace(found, title=title, address=address)

    def prepare(self) -> None:
        """A page is about to come: have a program ready for it."""
        self._readers.prepare()

    async def close(self) -> None:
        """End the programs."""
        await self._readers.close()

    async def _ask(self, order: dict[str, object], body: bytes | Path, most: int, seconds: int) -> Document:
        at = str(body) if isinstance(body, Path) else ""
        line = msgspec.json.encode({**order, "path": at, "seconds": seconds}) + b"\n"
        given = body if isinstance(body, bytes) else b""
        bound = _BYTES_EACH * most + _FOR_EACH_PART * 1024
        try:
            written = await self._readers.ask(
                line, given, seconds=seconds, most=bound, warm=bool(order["main_only"])
            )
            return await asyncio.to_thread(_document, written, most)
        except LateError as late:
            log.info("document.late", seconds=seconds)
            raise MenagerieError(ErrorCode.DOCUMENT_TOO_LARGE, limit=seconds, unit="seconds") from late
        except (TooMuchError, msgspec.DecodeError, ConnectionError) as failure:
            log.info("document.unreadable", failure=type(failure).__name__)
            raise MenagerieError(ErrorCode.DOCUMENT_BROKEN) from failure


def _document(written: bytes, most: int) -> Document:
    """What the program says, as far as it is within what was asked for."""
    answer = msgspec.json.decode(written, type=_Answer)
    match answer.failure:
        case "":
            pass
        case "scanned":
            raise MenagerieError(ErrorCode.DOCUMENT_SCANNED, pages=answer.pages)
        case "too_large":
            raise MenagerieError(ErrorCode.DOCUMENT_TOO_LARGE, limit=answer.limit, unit=answer.unit)
        case failure:
            raise MenagerieError(ErrorCode(f"document.{failure}"))
    parts = tuple(Part(part.text, part.heading, part.page) for part in answer.parts)
    kept = sum(len(part.text) for part in parts)
    if kept > most:
        raise MenagerieError(ErrorCode.DOCUMENT_BROKEN)
    return Document(
        title=answer.title,
        parts=parts,
        language=language_of_text(_sample(parts)) or "",
        pages=answer.pages,
        pages_without_text=answer.pages_without_text,
        characters=answer.characters if answer.characters > kept + _SPACE_BETWEEN * len(parts) else 0,
    )


_SPACE_BETWEEN: Final = 2


def _sample(parts: tuple[Part, ...]) -> str:
    pieces, size = [], 0
    for part in parts:
        pieces.append(part.text[: _SAMPLE - size])
        size += len(pieces[-1])
        if size >= _SAMPLE:
            break
    return "\n".join(pieces)


async def _digest(body: bytes) -> str:
    if len(body) < _HASHED_BESIDE:
        return hashlib.sha256(body).hexdigest()
    return (await asyncio.to_thread(hashlib.sha256, body)).hexdigest()
