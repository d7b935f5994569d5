"""Brave's search API, by key: https://api-dashboard.search.brave.com/app/documentation/web-search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec

from menagerie.grounding.reader import Reader
from menagerie.grounding.search.answers import decoded, each, moment
from menagerie.grounding.search.operators import restricted
from menagerie.grounding.search.provider import REGION, Hit, Query
from menagerie.grounding.search.searxng import KINDS

ADDRESS: Final = "https://api.search.brave.com/res/v1/web/search"
_MOST: Final = 20
"""Results that it gives at most."""


class _Result(msgspec.Struct):
    url: str
    title: str = ""
    description: str | None = None
    page_age: str | None = None
    language: str | None = None


class _Web(msgspec.Struct):
    results: list[msgspec.Raw] = []


class _Answer(msgspec.Struct):
    web: _Web | None = None
    """Missing where nothing was found."""


class Brave:
    """The service, at its own address or another that answers like it."""

    def __init__(self, reader: Reader, key: str, address: str = "") -> None:
        self._reader = reader
        self._key = key
        self._address = address.rstrip("/") or ADDRESS

    async def search(self, query: Query) -> Sequence[Hit]:
        """One request; the key goes to that address only."""
        asked = {
            "q": restricted(query.terms, query.domains),
            "country": REGION,
            "search_lang": query.language,
            "ui_lang": f"{query.language}-{REGION}",
            "count": str(min(2 * query.most, _MOST)),
            "safesearch": "moderate",
            "text_decorations": "false",
            "result_filter": "web",
        }
        page = await self._reader.fetch(
            f"{self._address}?{urlencode(asked)}",
            query.share,
            kinds=KINDS,
            purpose="search",
            authorization=self._key,
            authorization_header="X-Subscription-Token",
        )
        web = (await decoded(page.body, _Answer)).web
        return [
            Hit(
                title=one.title,
                address=one.url,
                snippet=one.description or "",
                date=moment(one.page_age),
                language=one.language or "",
            )
            for one in each(web.results if web else [], _Result)
        ]
