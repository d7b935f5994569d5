"""The page at an address that a person gives, as material for a turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Final

import structlog
from aiohttp.abc import AbstractResolver

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.given import Given
from menagerie.grounding.main_text import find_text
from menagerie.net.client import NetworkError, Reason
from menagerie.net.page import LARGEST, Page, PageClient
from menagerie.settings import Settings

log = structlog.get_logger("menagerie.grounding")

MOST: Final = 16
"""Pages that are read at a time …"""
MOST_EACH: Final = 4
"""… and for one user."""

_PROGRAMS: Final = 2
"""Programs at a time that look for text."""
_BUSY_S: Final = 5.0
_CODES: Final[dict[Reason, ErrorCode]] = {
    "refused": ErrorCode.SOURCE_REFUSED,
    "scheme": ErrorCode.SOURCE_REFUSED,
    "too_large": ErrorCode.SOURCE_TOO_LARGE,
    "content": ErrorCode.SOURCE_UNREADABLE,
}


class PageReader:
    """Reads pages for turns. One for a service, made in its loop; to be closed.

    `resolver` stands in for the machine's own way to resolve names.
    """

    def __init__(self, settings: Settings, resolver: AbstractResolver | None = None) -> None:
        self._client = PageClient(settings, resolver) if settings.fetch == "on" else None
        self._programs = asyncio.Semaphore(_PROGRAMS)
        self._reading: Counter[str] = Counter()

    async def read(self, address: str, most: int, share: str) -> Given:
        """The page at `address`, cut to `most` characters, for the user with that share.

        Raises `source.off`, `source.refused`, `source.unreachable`, `source.too_large`, `source.unreadable`, and
        `queue.full` where too many pages are being read. A page of which nothing may be used is not read.
        """
        if self._client is None or not most:
            raise MenagerieError(ErrorCode.SOURCE_OFF)
        with self._place(share):
            page = await self._get(self._client, address)
            async with self._programs:
                found = await find_text(page, most)
        cut = found.characters if found.characters > len(found.text) else 0
        return Given("page", found.text, title=found.title, address=page.address, characters=cut)

    async def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            await self._client.close()

    async def _get(self, client: PageClient, address: str) -> Page:
        try:
            return await client.get(address)
        except NetworkError as failure:
            log.info("page.not_read", reason=failure.reason, host=failure.host, status=failure.status)
            code = _CODES.get(failure.reason, ErrorCode.SOURCE_UNREACHABLE)
            raise MenagerieError(code, limit=LARGEST) from failure

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
