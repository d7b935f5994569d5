"""A page at an address that a person gave: asked for where it may be asked for, and read within limits.

Every address on the way, that of each redirect too, is parsed strictly (`net/location`), its host resolved once, every
answer checked (`net/lookup`, `net/addresses`), and the connection made to what was checked. Where the environment
names a proxy, the proxy resolves: then the name is checked here as far as this machine can resolve it.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from yarl import URL

from menagerie import __version__
from menagerie.net.addresses import AddressRules
from menagerie.net.client import CONNECT_SECONDS, REDIRECTS, NetworkError, get, trust
from menagerie.net.location import literal_address, parse_location
from menagerie.net.lookup import CheckedResolver, SystemResolver
from menagerie.net.sniffing import ENOUGH, PageKind, sniff
from menagerie.settings import Settings

PAGES: Final[frozenset[PageKind]] = frozenset({"html", "text", "json"})
LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a page, decompressed."""
TOTAL_SECONDS: Final = 20.0
MAX_REDIRECTS: Final = 5

_ENCODINGS: Final = frozenset({"", "identity", "gzip", "deflate"})
_HEADERS: Final = {
    "Accept": "text/html, application/xhtml+xml, text/plain, application/json;q=0.9, text/*;q=0.8",
    "Accept-Encoding": "gzip, deflate",
}


class Page(msgspec.Struct, frozen=True):
    """What was at an address. `address` is where it came from in the end; `charset` what its server says, or empty."""

    address: str
    kind: PageKind
    charset: str
    body: bytes


class PageClient:
    """Gets pages for people. One for a service; to be closed. `resolver` stands in for the machine's own."""

    def __init__(self, settings: Settings, resolver: AbstractResolver | None = None) -> None:
        self._rules = AddressRules.of(settings)
        self._resolver = CheckedResolver(self._rules, resolver or SystemResolver())
        self._proxies = {scheme: proxy for scheme, proxy in getproxies().items() if proxy}
        self._direct = _session(resolver=self._resolver, socket_factory=self._socket)
        self._proxied = _session()

    async def get(
        self,
        address: str,
        seconds: float = TOTAL_SECONDS,
        *,
        kinds: frozenset[PageKind] = PAGES,
        authorization: str = "",
        crawling: bool = False,
    ) -> Page:
        """What is at `address`, if it is of one of `kinds`, within `seconds` from the first look-up to the last byte.

        `authorization` goes to the scheme, host and port of `address` only, never on to where a redirect leads.
        `crawling`: nobody named this address, so that `robots.txt` and the host's pace are heeded.

        Raises `NetworkError`: `refused` for an address that may not be asked for, here or after a redirect;
        `too_large`; `content` for what is no text; `unreachable`, `interrupted`, `status`, `redirect`, `certificate`.
        """
        url = parse_location(address, self._rules)
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(url)
        except TimeoutError as late:
            raise NetworkError("unreachable", host=url.host or "") from late

    async def close(self) -> None:
        """Hang up."""
        await self._direct.close()
        await self._proxied.close()
        await self._resolver.close()

    async def _follow(self, url: URL) -> Page:
        for _ in range(MAX_REDIRECTS + 1):
            proxy = self._proxy(url)
            if proxy:
                await self._check_as_far_as_known(url)
            client = self._proxied if proxy else self._direct
            async with get(client, url, _HEADERS, proxy=proxy) as response:
                if response.status not in REDIRECTS:
                    return await _read(url, response)
                url = self._next(url, response)
        raise NetworkError("redirect", host=url.host or "")

    def _next(self, url: URL, response: aiohttp.ClientResponse) -> URL:
        """Where a redirect leads, checked like any address. One from https to http gives away what is asked for."""
        try:
            joined = str(url.join(URL(response.headers.get("Location", ""))))
        except ValueError as failure:
            raise NetworkError("redirect", host=url.host or "") from failure
        target = parse_location(joined, self._rules)
        if url.scheme == "https" and target.scheme != "https":
            raise NetworkError("refused", host=target.host or "")
        return target

    def _proxy(self, url: URL) -> str | None:
        if proxy_bypass(url.raw_host or ""):
            return None
        return self._proxies.get(url.scheme) or self._proxies.get("all")

    async def _check_as_far_as_known(self, url: URL) -> None:
        """Refuse a name that leads inside before a proxy is asked; what only the proxy can resolve is left to it."""
        host = url.raw_host or ""
        if literal_address(host) is not None:
            return
        try:
            await self._resolver.resolve(host, url.port or 0)
        except NetworkError as failure:
            if not isinstance(failure.__cause__, OSError):
                raise

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for a connection to an address, which is checked once more: nothing gets here unchecked."""
        family, kind, protocol, _, place = info
        if not self._rules.permit_some(ip_address(place[0])):
            raise NetworkError("refused")
        return socket.socket(family, kind, protocol)


def _session(**connector: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=trust(), limit=64, force_close=True, use_dns_cache=False, **connector
        ),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"menagerie/{__version__}"},
    )


async def _read(url: URL, response: aiohttp.ClientResponse) -> Page:
    host = url.host or ""
    if response.status not in {200, 203}:
        raise NetworkError("status", host=host, status=response.status)
    if response.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
        raise NetworkError("content", host=host)
    declared = response.headers.get("Content-Type", "")
    body = bytearray()
    kind: PageKind | None = None
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > LARGEST:
            raise NetworkError("too_large", host=host)
        if kind is None and len(body) >= ENOUGH:
            kind = _kind(body, declared, host)
    return Page(
        str(url.with_fragment(None)), kind or _kind(body, declared, host), response.charset or "", bytes(body)
    )


def _kind(body: bytearray, declared: str, host: str) -> PageKind:
    kind = sniff(bytes(body[:ENOUGH]), declared)
    if kind is None:
        raise NetworkError("content", host=host)
    return kind
