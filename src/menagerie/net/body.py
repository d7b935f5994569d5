"""What a server answers, read as a page: of a kind that was asked for, and no further than its limit."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from menagerie.net.failure import NetworkError
from menagerie.net.sniffing import ENOUGH, PageKind, sniff
from menagerie.net.unpacking import Unpacking, UnpackingError

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a page or a feed, decompressed …"""
LARGEST_DOCUMENT: Final = 32 * 1024 * 1024
"""… and of a PDF or an office document, unless somebody wants another limit."""

_DOCUMENTS: Final[frozenset[PageKind]] = frozenset({"pdf", "zip"})
_ACCEPTED: Final[dict[PageKind, str]] = {
    "html": "text/html, application/xhtml+xml",
    "text": "text/plain, text/*;q=0.8",
    "json": "application/json;q=0.9",
    "feed": "application/rss+xml, application/atom+xml, application/rdf+xml;q=0.9",
    "xml": "application/xml;q=0.9, text/xml;q=0.9",
    "pdf": "application/pdf",
    "zip": "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    ", application/vnd.oasis.opendocument.text, application/zip;q=0.9",
}


class Page(msgspec.Struct, frozen=True):
    """What was at an address. `address` is where it came from in the end; `charset` what its server says, or empty."""

    address: str
    kind: PageKind
    charset: str
    body: bytes
    fetched: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    """When it came from its server, or its server last said that it is still so; aware."""
    etag: str = ""
    last_modified: str = ""
    """Its validators, as they are sent back to ask whether it has changed; empty where the server gives none."""
    cached: bool = False
    """Whether it was here already."""


def accept(kinds: AbstractSet[PageKind]) -> str:
    """The header `Accept` of who wants pages of these kinds."""
    return ", ".join([*(types for kind, types in _ACCEPTED.items() if kind in kinds), "*/*;q=0.1"])


async def read_page(
    url: URL, response: aiohttp.ClientResponse, kinds: AbstractSet[PageKind], largest: int
) -> tuple[PageKind, str, bytes]:
    """The kind, the charset and the body of the page in a response. `largest` is the most bytes of a document; pages
    and feeds have their own limit.

    Raises `NetworkError`: `status`, `content` for another kind, `too_large`.
    """
    host = url.host or ""
    if response.status not in {200, 203}:
        raise NetworkError("status", host=host, status=response.status)
    declared = response.headers.get("Content-Type", "")
    body = bytearray()
    kind: PageKind | None = None
    try:
        async for piece in _pieces(response, largest):
            body += piece
            if kind is None and len(body) >= ENOUGH:
                kind = _kind(body, declared, kinds, host)
            if kind is not None:
                check_size(len(body), kind, largest, host)
    except UnpackingError as failure:
        raise NetworkError("content", host=host) from failure
    kind = kind or _kind(body, declared, kinds, host)
    check_size(len(body), kind, largest, host)
    return kind, response.charset or "", bytes(body)


async def _pieces(response: aiohttp.ClientResponse, largest: int) -> AsyncGenerator[bytes, None]:
    """The body, unpacked. No more bytes are taken from its server than it may have, though they hold nothing."""
    unpacking = Unpacking(response.headers.get("Content-Encoding", ""))
    most = max(largest, LARGEST)
    came = 0
    async for data in response.content.iter_any():
        came += len(data)
        if came > most:
            raise NetworkError("too_large", host=response.url.host or "", limit=most)
        for piece in unpacking.feed(data):
            yield piece
    unpacking.end()


def check_size(size: int, kind: PageKind, largest: int, host: str) -> None:
    """Raises `NetworkError("too_large")` for more bytes than `read_page` takes."""
    limit = largest if kind in _DOCUMENTS else min(LARGEST, largest)
    if size > limit:
        raise NetworkError("too_large", host=host, limit=limit)


def _kind(body: bytearray, declared: str, kinds: AbstractSet[PageKind], host: str) -> PageKind:
    kind = sniff(bytes(body[:ENOUGH]), declared)
    if kind is None or kind not in kinds:
        raise NetworkError("content", host=host)
    return kind
