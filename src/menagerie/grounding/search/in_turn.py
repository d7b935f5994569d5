"""One who searches, and another where that one finds nothing: for who is at hand, but may refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.search.answers import OURS
from menagerie.grounding.search.domains import host_of, within
from menagerie.grounding.search.provider import Hit, Provider, Query

log = structlog.get_logger("menagerie.grounding")

FIRST_SECONDS: Final = 7.0
"""For the first one, so that the other has time."""


class InTurn:
    """Searches by `first`, and by `second` where that fails or has nothing on the domains."""

    def __init__(self, first: Provider, second: Provider) -> None:
        self._first = first
        self._second = second

    async def search(self, query: Query) -> Sequence[Hit]:
        """What one of them found."""
        code: ErrorCode | None = None
        try:
            async with asyncio.timeout(FIRST_SECONDS):
                hits = await self._first.search(query)
            if any(within(host_of(hit.address), query.domains) for hit in hits):
                return hits
        except TimeoutError:
            code = ErrorCode.SEARCH_FAILED
        except MenagerieError as failure:
            if failure.code in OURS:
                raise
            code = failure.code
        log.info("search.in_turn", first=type(self._first).__name__, failed=code is not None)
        return await self._second.search(query)
