"""What is at an address, as a document: for turns, for sources, for facts."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import msgspec
import structlog
from aiohttp.abc import AbstractResolver
from yarl import URL

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.document import Document
from menagerie.grounding.documents import Documents
from menagerie.grounding.feeds.feed import Feed, document_of
from menagerie.grounding.feeds.reading import FeedReader
from menagerie.net.client import NetworkError, Reason
from menagerie.net.page import AUTHORIZATION, LARGEST, LARGEST_DOCUMENT, Page, PageCache, PageClient
from menagerie.net.sniffing import PageKind
from menagerie.settings import Settings

log = structlog.get_logger("menagerie.grounding")

MOST: Final = 16
"""Pages that are read at a time …"""
MOST_EACH: Final = 4
"""… and for one user."""

READABLE: Final[frozenset[PageKind]] = frozenset({"html", "text", "json", "feed", "pdf", "zip"})
"""Kinds that are read as documents."""
LONGEST: Final = 200_000
"""Characters of a document that are read, unless somebody wants more or fewer."""

_FILES: Final[frozenset[PageKind]] = frozenset({"pdf", "zip"})
_TOLD: Final = frozenset(
    {ErrorCode.DOCUMENT_ENCRYPTED, ErrorCode.DOCUMENT_SCANNED, ErrorCode.DOCUMENT_TOO_LARGE}
)
"""What is said of a file at an address as of one that was handed over; of others, that they cannot be read."""
_BUSY_S: Final = 5.0
_CODES: Final[dict[Reason, ErrorCode]] = {
    "refused": ErrorCode.SOURCE_REFUSED,
    "scheme": ErrorCode.SOURCE_REFUSED,
    "robots": ErrorCode.SOURCE_REFUSED,
    "outside": ErrorCode.SOURCE_OFF,
    "too_large": ErrorCode.SOURCE_TOO_LARGE,
    "content": ErrorCode.SOURCE_UNREADABLE,
}


class Reader:
    """Reads what is at addresses. One for a service, made in its loop; to be closed.

    `resolver` stands in for the machine's own way to resolve names; without a `cache`, nothing is kept. `documents`
    reads what is fetched, and files, too.
    """

    def __init__(
        self, settings: Settings, resolver: AbstractResolver | None = None, cache: PageCache | None = None
    ) -> None:
        self._client = PageClient(settings, resolver, cache) if settings.fetch == "on" else None
        self.documents = Documents(settings)
        self._reading: Counter[str] = Counter()
        self._feeds = FeedReader()
        self._zone = ZoneInfo(settings.timezone)

    async def read(
        self,
        address: str,
        share: str,
        *,
        most: int = LONGEST,
        kinds: frozenset[PageKind] = READABLE,
        authorization: str = "",
        crawling: bool = False,
        purpose: str = "page",
    ) -> Document:
        """The document at `address`, cut to `most` characters, for the user with that share.

        `kinds`, `authorization`, `crawling` and `purpose` are those of `PageClient.get`. Raises `source.off`,
        `source.refused`, `source.unreachable`, `source.too_large`, `source.unreadable`, of a file there
        `document.encrypted`, `document.scanned` and `document.too_large`, and `queue.full` where too many pages are
        being read.
        """
        if not most:
            raise MenagerieError(ErrorCode.SOURCE_OFF)
        if self._client is not None:
            self.documents.prepare()
        page = await self.fetch(
            address, share, kinds=kinds, authorization=authorization, crawling=crawling, purpose=purpose
        )
        return await self.document(page, most, share)

    async def document(self, page: Page, most: int = LONGEST, share: str = "") -> Document:
        """The document that was fetched, cut to `most` characters, for the user with that share. Raises as `read`
        does."""
        if page.kind == "feed":
            found = document_of(await self._feeds.read(page), most, self._zone)
            if not found.parts:
                raise MenagerieError(ErrorCode.SOURCE_UNREADABLE)
            return found
        name = unquote(URL(page.address).path).rpartition("/")[2]
        try:
            document = await self.documents.read(
                page.body,
                kind=page.kind,
                charset=page.charset,
                name=name,
                address=page.address,
                most=most,
                share=share,
            )
        except MenagerieError as failure:
            if page.kind in _FILES and failure.code in _TOLD:
                raise
            raise MenagerieError(ErrorCode.SOURCE_UNREADABLE) from failure
        return msgspec.structs.replace(document, read=page.fetched)

    async def feed(self, address: str, share: str) -> Feed:
        """The feed at `address`, and nothing else that may be there. Raises as `read` does."""
        page = await self.fetch(address, share, kinds=frozenset({"feed"}), purpose="feed")
        return await self._feeds.read(page)

    async def fetch(
        self,
        address: str,
        share: str,
        *,
        kinds: frozenset[PageKind],
        authorization: str = "",
        crawling: bool = False,
        largest: int = LARGEST_DOCUMENT,
        purpose: str = "page",
        authorization_header: str = AUTHORIZATION,
    ) -> Page:
        """What is at `address`, as it is; of a PDF or an archive, at most `largest` bytes. Raises as `read` does."""
        if self._client is None:
            raise MenagerieError(ErrorCode.SOURCE_OFF)
        with self._place(share):
            return await self._get(
                self._client,
                address,
                kinds=kinds,
                authorization=authorization,
                crawling=crawling,
                largest=largest,
                purpose=purpose,
                authorization_header=authorization_header,
            )

    async def close(self) -> None:
        """Hang up, and end the programs that read."""
        await self.documents.close()
        if self._client is not None:
            await self._client.close()

    async def _get(self, client: PageClient, address: str, **how: Any) -> Page:
        try:
            return await client.get(address, **how)
        except NetworkError as failure:
            log.info("page.not_read", reason=failure.reason, host=failure.host, status=failure.status)
            code = _CODES.get(failure.reason, ErrorCode.SOURCE_UNREACHABLE)
            raise MenagerieError(code, limit=failure.limit or LARGEST) from failure

    @contextlib.contextmanager
    def _place(self, share: str) -> Iterator[None]:
        if self._reading.total() >= MOST or self._reading[share] >= MOST_EACH:
            raise MenagerieError(ErrorCode.QUEUE_FULL, retry_after=_BUSY_S)
        self._reading[share] += 1
        try:
            yield
        finally:
            self._reading[share] -= 1
            if not self._reading[share]:
                del self._reading[share]
