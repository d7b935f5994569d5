"""What the sites themselves offer: their sitemaps (https://www.sitemaps.org/protocol.html), ranked here. Nobody else
learns what is looked for."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urljoin
from weakref import WeakValueDictionary

import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.reader import Reader
from menagerie.grounding.search.answers import OURS
from menagerie.grounding.search.domains import host_of, within
from menagerie.grounding.search.map_ranking import Entry, language_of_address, ranked, worded
from menagerie.grounding.search.map_reading import LONGEST_ADDRESS, Listing, listing_of
from menagerie.grounding.search.map_reading import MOST_MAPS as MOST_NAMED
from menagerie.grounding.search.provider import Hit, Query
from menagerie.locales import Language
from menagerie.net.page import Page
from menagerie.net.sniffing import PageKind

log = structlog.get_logger("menagerie.grounding")

ORIGIN: Final = "https://{domain}"
MOST_MAPS: Final = 8
"""Maps of one site that are fetched, and …"""
MOST_PAGES: Final = 5000
"""… pages of it that are known."""
SECONDS: Final = 12.0
"""For a search; of the maps, what has come by shortly before counts."""
KEPT_S: Final = 1800.0
_SITES: Final = 8
"""Sites whose pages are remembered."""
_AT_A_TIME: Final = 2
_TO_FINISH_S: Final = 3.0
_TEXT: Final[frozenset[PageKind]] = frozenset({"text"})
_MAPS: Final[frozenset[PageKind]] = frozenset({"xml", "text"})


class Sitemap:
    """Searches by the sites' own maps. `origin` is how the address of a site is made of its domain."""

    def __init__(self, reader: Reader, origin: str = ORIGIN) -> None:
        self._reader = reader
        self._origin = origin
        self._kept: OrderedDict[tuple[str, Language], tuple[float, Sequence[Entry]]] = OrderedDict()
        self._locks: WeakValueDictionary[tuple[str, Language], asyncio.Lock] = WeakValueDictionary()

    async def search(self, query: Query) -> Sequence[Hit]:
        """Pages whose addresses and titles have words of the question. Raises `search.failed` where no site has a
        map that can be read."""
        free = asyncio.Semaphore(_AT_A_TIME)
        deadline = asyncio.get_running_loop().time() + SECONDS

        async def known(domain: str) -> Sequence[Entry] | MenagerieError:
            try:
                async with asyncio.timeout_at(deadline), free:
                    return await self._entries(domain, query, deadline - _TO_FINISH_S)
            except TimeoutError:
                return MenagerieError(ErrorCode.SEARCH_FAILED)
            except MenagerieError as failure:
                return failure

        answers = await asyncio.gather(*map(known, query.domains))
        failures = [one for one in answers if isinstance(one, MenagerieError)]
        entries = [one for answer in answers if not isinstance(answer, MenagerieError) for one in answer]
        if failures and not entries:
            raise next((one for one in failures if one.code in OURS), failures[0])
        best = await asyncio.to_thread(ranked, entries, f"{query.terms} {query.question}", query.language)
        return [
            Hit(title=one.title, address=one.address, date=one.date, language=one.language)
            for one in best[: 2 * query.most]
        ]

    async def _entries(self, domain: str, query: Query, deadline: float) -> Sequence[Entry]:
        """The pages of a site, which are gathered once for all who ask at a time."""
        key = domain, query.language
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            until, entries = self._kept.get(key, (0.0, ()))
            if until < time.monotonic():
                listed = await self._gathered(domain, query, deadline)
                entries = await asyncio.to_thread(worded, listed, query.language)
                self._kept[key] = time.monotonic() + KEPT_S, entries
            self._kept.move_to_end(key)
            while len(self._kept) > _SITES:
                self._kept.popitem(last=False)
            return entries

    async def _gathered(self, domain: str, query: Query, deadline: float) -> Listing:
        """The pages of a site, from its maps and the maps that these name. Raises what the reader does where there is
        none at all."""
        gathered = Listing()
        read = 0
        try:
            async with asyncio.timeout_at(deadline):
                waiting = await self._maps_named(domain, query.share)
                seen = set(waiting)
                failed = MenagerieError(ErrorCode.SEARCH_FAILED)
                for _ in range(MOST_MAPS):
                    if not waiting or len(gathered.pages) >= MOST_PAGES:
                        break
                    address = waiting.pop(0)
                    try:
                        most = MOST_PAGES - len(gathered.pages)
                        listing = await self._map(address, domain, query.share, most)
                    except MenagerieError as failure:
                        if failure.code in OURS:
                            raise
                        failed = failure
                        continue
                    read += 1
                    gathered.pages += listing.pages
                    new = [one for one in listing.maps if one not in seen]
                    seen.update(new)
                    waiting = _own_language_first([*waiting, *new], query.language)
        except TimeoutError as late:
            failed = MenagerieError(ErrorCode.SEARCH_FAILED)
            failed.__cause__ = late
        if not read:
            raise failed
        log.debug("sitemap.read", host=domain, maps=read, pages=len(gathered.pages))
        return gathered

    async def _maps_named(self, domain: str, share: str) -> list[str]:
        """The maps that the site's `robots.txt` names, or the usual place of one."""
        origin = self._origin.format(domain=domain)
        robots = f"{origin}/robots.txt"
        try:
            page = await self._reader.fetch(robots, share, kinds=_TEXT, purpose="search")
        except MenagerieError as failure:
            if failure.code in OURS:
                raise
            www = self._origin.format(domain=f"www.{domain}")
            return [f"{origin}/sitemap.xml", f"{www}/sitemap.xml"]
        return await asyncio.to_thread(_usable, page, domain) or [urljoin(page.address, "/sitemap.xml")]

    async def _map(self, address: str, domain: str, share: str, most: int) -> Listing:
        page = await self._reader.fetch(address, share, kinds=_MAPS, crawling=True, purpose="search")
        return await asyncio.to_thread(_listing_within, page.body, domain, most)


def _usable(robots: Page, domain: str) -> list[str]:
    """The maps of the site that its `robots.txt` names, the first of them."""
    named = itertools.islice(_named_in(robots), MOST_NAMED)
    addresses = dict.fromkeys(urljoin(robots.address, one) for one in named)
    return [one for one in addresses if within(host_of(one), [domain])]


def _named_in(robots: Page) -> Iterable[str]:
    """The addresses of maps in a `robots.txt` (RFC 9309 leaves them to who wants them)."""
    for line in robots.body[:500_000].decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        address = value.strip().partition(" ")[0]
        if name.strip().lower() == "sitemap" and 0 < len(address) <= LONGEST_ADDRESS:
            yield address


def _listing_within(body: bytes, domain: str, most: int) -> Listing:
    """What a map names of its own site."""
    listing = listing_of(body, most)
    return Listing(
        pages=[one for one in listing.pages if within(host_of(one.address), [domain])],
        maps=[one for one in listing.maps if within(host_of(one), [domain])],
    )


def _own_language_first(maps: Iterable[str], language: Language) -> list[str]:
    """Maps of pages in that language, then those that do not say, then those of others."""
    order = {language: 0, "": 1}
    return sorted(maps, key=lambda one: order.get(language_of_address(one), 2))
