"""SearXNG, one's own or somebody's: https://docs.searxng.org/dev/search_api.html. It must offer the format `json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec

from menagerie.grounding.reader import Reader
from menagerie.grounding.search.answers import decoded, each, moment
from menagerie.grounding.search.operators import restricted
from menagerie.grounding.search.provider import REGION, Hit, Query
from menagerie.net.sniffing import PageKind

KINDS: Final[frozenset[PageKind]] = frozenset({"json", "text"})


class _Result(msgspec.Struct):
    url: str
    title: str = ""
    content: str | None = None
    publishedDate: str | None = None  # noqa: N815 - its name there


class _Answer(msgspec.Struct):
    results: list[msgspec.Raw]


class SearXNG:
    """The service at an address, with or without `/search` at its end."""

    def __init__(self, reader: Reader, address: str) -> None:
        self._reader = reader
        bare = address.rstrip("/")
        self._address = bare if bare.endswith("/search") else f"{bare}/search"

    async def search(self, query: Query) -> Sequence[Hit]:
        """One request: the service has neither a number of results nor domains of its own."""
        asked = {
            "q": restricted(query.terms, query.domains),
            "format": "json",
            "language": f"{query.language}-{REGION}",
            "safesearch": "1",
        }
        page = await self._reader.fetch(
            f"{self._address}?{urlencode(asked)}", query.share, kinds=KINDS, purpose="search"
        )
        answer = await decoded(page.body, _Answer)
        return [
            Hit(
                title=one.title,
                address=one.url,
                snippet=one.content or "",
                date=moment(one.publishedDate),
            )
            for one in each(answer.results, _Result)
        ]
