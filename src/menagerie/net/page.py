"""A page at an address that a person gave, or that was found: asked for where it may be asked for, read within limits,
kept as long as HTTP lets us.

Every address on the way, that of each redirect too, is parsed strictly (`net/location`) and checked before anybody
connects to it (`net/transport`), or before what was kept of it is used.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final, get_args

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from yarl import URL

from menagerie.net.addresses import AddressRules
from menagerie.net.body import (
    LARGEST,
    LARGEST_DOCUMENT,
    Page,
    accept,
    check_size,
    read_page,
)
from menagerie.net.cache import NEVER, Entry, PageCache
from menagerie.net.client import REDIRECTS
from menagerie.net.failure import NetworkError
from menagerie.net.freshness import KEPT, freshness_of
from menagerie.net.location import origin_of, parse_location, parse_reference
from menagerie.net.lookup import SystemResolver
from menagerie.net.outbound import Departure, tell
from menagerie.net.pace import GAP, Pace
from menagerie.net.robots import Robots
from menagerie.net.sniffing import PageKind
from menagerie.net.transport import Transport
from menagerie.net.unpacking import ENCODINGS
from menagerie.settings import Settings

__all__ = ["LARGEST", "LARGEST_DOCUMENT", "PAGES", "Page", "PageCache", "PageClient", "PageKind"]

PAGES: Final[frozenset[PageKind]] = frozenset({"html", "text", "json"})
AUTHORIZATION: Final = "Authorization"
TOTAL_SECONDS: Final = 20.0
MAX_REDIRECTS: Final = 5

_ANYTHING: Final = frozenset[PageKind](get_args(PageKind))
_CONDITIONS: Final = frozenset({"If-None-Match", "If-Modified-Since"})


class _Wanted(msgspec.Struct, frozen=True):
    """What is asked for, and how much of it."""

    kinds: frozenset[PageKind]
    largest: int
    authorization: str
    origin: tuple[str, str, int]
    """Where authorization goes."""
    crawling: bool
    purpose: str
    authorization_header: str = AUTHORIZATION


class _Answer(msgspec.Struct, frozen=True):
    entry: Entry
    keeps: bool
    """Whether it may be kept."""
    unchanged: bool
    """Whether its server said only that it is so still."""


class PageClient:
    """Gets pages for people. One for a service; to be closed. `resolver` stands in for the machine's own, `clock` for
    its time in seconds since the epoch; without a `cache`, nothing is kept."""

    def __init__(
        self,
        settings: Settings,
        resolver: AbstractResolver | None = None,
        cache: PageCache | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules = AddressRules.of(settings)
        self._transport = Transport(self._rules, resolver or SystemResolver())
        self._robots = Robots(self._rules_at) if settings.robots == "on" else None
        self._pace = Pace()
        self._cache = cache
        self._clock = clock

    async def get(
        self,
        address: str,
        seconds: float = TOTAL_SECONDS,
        *,
        kinds: frozenset[PageKind] = PAGES,
        authorization: str = "",
        crawling: bool = False,
        largest: int = LARGEST_DOCUMENT,
        purpose: str = "page",
        authorization_header: str = AUTHORIZATION,
    ) -> Page:
        """What is at `address`, if it is of one of `kinds`, within `seconds` from the first look-up to the last byte.

        `largest` is the most bytes of it, decompressed; never more than 4 MiB of what is no PDF or archive.
        `authorization` goes to the scheme, host and port of `address` only, never on to where a redirect leads; some
        services want it in an `authorization_header` of their own.
        `crawling`: nobody named this address, so that `robots.txt` and the host's pace are heeded. `purpose` is told of
        every request (`net/outbound`).

        Raises `NetworkError`: `refused` for an address that may not be asked for, here or after a redirect; `robots`
        for one that its site does not want crawled; `too_large`; `content` for another kind; `unreachable`,
        `interrupted`, `status`, `redirect`, `certificate`.
        """
        url = self._parsed(address, purpose)
        wanted = _Wanted(
            kinds, largest, authorization, origin_of(url), crawling, purpose, authorization_header
        )
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(url, wanted)
        except TimeoutError as late:
            raise NetworkError("unreachable", host=url.host or "") from late

    async def close(self) -> None:
        """Hang up."""
        await self._transport.close()

    async def _rules_at(self, address: str) -> bytes:
        """A `robots.txt`, whatever its server calls it."""
        url = self._parsed(address, "robots")
        wanted = _Wanted(_ANYTHING, LARGEST, "", origin_of(url), crawling=False, purpose="robots")
        return (await self._follow(url, wanted)).body

    def _parsed(self, address: str, purpose: str) -> URL:
        """The address, strictly read. One that is refused is told of, though nothing left."""
        with _telling(purpose):
            return parse_location(address, self._rules)

    async def _follow(self, url: URL, wanted: _Wanted) -> Page:
        for _ in range(MAX_REDIRECTS + 1):
            entry, cached = await self._answer(url, wanted)
            if not entry.location:
                return _page(entry, wanted, cached=cached)
            url = self._next(url, entry.location, wanted.purpose)
            if origin_of(url) != wanted.origin:  # and it is not sent again should another host lead back
                wanted = msgspec.structs.replace(wanted, authorization="")
        raise NetworkError("redirect", host=url.host or "")

    def _next(self, url: URL, location: str, purpose: str) -> URL:
        """Where a redirect leads, checked like any address. One from https to http gives away what is asked for."""
        with _telling(purpose):
            target = parse_reference(location, url, self._rules)
            if url.scheme == "https" and target.scheme != "https":
                raise NetworkError("refused", host=target.host or "")
            return target

    async def _answer(self, url: URL, wanted: _Wanted) -> tuple[Entry, bool]:
        """What is at one address, a page or a redirect, and whether it was here already."""
        key = f"{accept(wanted.kinds)} {url}"
        stored = await self._stored(key, url, wanted)
        if stored is not None and stored.freshness.is_fresh(self._clock()):
            _tell_kept(url, stored, wanted.purpose)
            return stored, True
        try:
            answer = await self._ask(key, url, wanted, stored)
        except NetworkError as failure:
            if stored is None or not failure.passing or not stored.freshness.may_stand_in(self._clock()):
                raise
            _tell_kept(url, stored, wanted.purpose)
            return stored, True
        if self._cache is not None and not wanted.authorization:
            await (self._cache.keep(answer.entry) if answer.keeps else self._cache.drop(key))
        return answer.entry, answer.unchanged

    async def _stored(self, key: str, url: URL, wanted: _Wanted) -> Entry | None:
        """What was kept, if it came from where one might still go now."""
        stored = await self._cache.find(key) if self._cache and not wanted.authorization else None
        host = url.raw_host or ""
        if stored is None or not all(self._rules.permit(host, ip_address(peer)) for peer in stored.peers):
            return None
        return stored

    async def _ask(self, key: str, url: URL, wanted: _Wanted, stored: Entry | None) -> _Answer:
        """What its server answers; `stored` is what it may say to be so still."""
        host, sent = url.raw_host or "", _headers(wanted, stored)
        gap = await self._robots.gap(url) if self._robots and wanted.crawling else GAP
        async with self._pace.place(host, crawling=wanted.crawling, gap=gap):
            asked = self._clock()
            async with self._transport.ask(url, sent, wanted.purpose) as (response, peers):
                came = self._clock()
                headers, dates = _headers_of(response, KEPT), _headers_of(response, ("date", "age"))
                unchanged = response.status == 304 and not sent.keys().isdisjoint(_CONDITIONS)
                if unchanged and stored is not None:
                    headers = stored.headers | headers
                    entry = msgspec.structs.replace(stored, headers=headers, peers=peers, fetched=came)
                else:
                    entry = Entry(key, str(url), headers, peers, fetched=came)
                    entry = await _read(entry, url, response, wanted)
        fresh = freshness_of(entry.status, headers | dates, asked=asked, came=came)
        return _Answer(msgspec.structs.replace(entry, freshness=fresh or NEVER), fresh is not None, unchanged)


async def _read(entry: Entry, url: URL, response: aiohttp.ClientResponse, wanted: _Wanted) -> Entry:
    """The entry with what the response holds."""
    if response.status in REDIRECTS:
        location = response.headers.get("Location", "")
        if not location:
            raise NetworkError("redirect", host=url.host or "")
        return msgspec.structs.replace(entry, status=response.status, location=location)
    kind, charset, body = await read_page(url, response, wanted.kinds, wanted.largest)
    return msgspec.structs.replace(entry, status=response.status, kind=kind, charset=charset, body=body)


def _page(entry: Entry, wanted: _Wanted, *, cached: bool) -> Page:
    check_size(len(entry.body), entry.kind, wanted.largest, URL(entry.address).host or "")
    return Page(
        address=entry.address,
        kind=entry.kind,
        charset=entry.charset,
        body=entry.body,
        fetched=datetime.fromtimestamp(entry.fetched, UTC),
        etag=entry.headers.get("etag", ""),
        last_modified=entry.headers.get("last-modified", ""),
        cached=cached,
    )


@contextmanager
def _telling(purpose: str) -> Iterator[None]:
    """Tell of what is refused before there is a request."""
    try:
        yield
    except NetworkError as failure:
        tell(Departure(purpose=purpose, method="GET", host=failure.host, reason=failure.reason))
        raise


def _tell_kept(url: URL, stored: Entry, purpose: str) -> None:
    """Nothing left: it was here."""
    tell(
        Departure(
            purpose=purpose,
            method="GET",
            scheme=url.scheme,
            host=url.raw_host or "",
            port=url.port or 0,
            status=stored.status,
            bytes=len(stored.body),
            cached=True,
        )
    )


def _headers(wanted: _Wanted, stored: Entry | None) -> dict[str, str]:
    headers = {"Accept": accept(wanted.kinds), "Accept-Encoding": ENCODINGS}
    if wanted.authorization:
        headers[wanted.authorization_header] = wanted.authorization
    if stored is not None:
        tag, changed = stored.headers.get("etag"), stored.headers.get("last-modified")
        headers |= {"If-None-Match": tag} if tag else {"If-Modified-Since": changed} if changed else {}
    return headers


def _headers_of(response: aiohttp.ClientResponse, names: Iterable[str]) -> dict[str, str]:
    return {name: ", ".join(response.headers.getall(name)) for name in names if name in response.headers}
