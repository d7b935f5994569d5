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
from aiohttp.abc import AbstractResolver
from yarl import URL

from menagerie import __version__
from menagerie.net.addresses import AddressRules
from menagerie.net.body import ENCODINGS, LARGEST, LARGEST_DOCUMENT, Page, accept, read_page
from menagerie.net.client import CONNECT_SECONDS, REDIRECTS, NetworkError, get, trust
from menagerie.net.location import literal_address, parse_location
from menagerie.net.lookup import CheckedResolver, SystemResolver
from menagerie.net.sniffing import PageKind
from menagerie.settings import Settings

__all__ = ["LARGEST", "LARGEST_DOCUMENT", "PAGES", "Page", "PageClient", "PageKind"]

PAGES: Final[frozenset[PageKind]] = frozenset({"html", "text", "json"})
TOTAL_SECONDS: Final = 20.0
MAX_REDIRECTS: Final = 5


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
        largest: int = LARGEST_DOCUMENT,
    ) -> Page:
        """What is at `address`, if it is of one of `kinds`, within `seconds` from the first look-up to the last byte.

        `largest` is the most bytes of it, decompressed; never more than 4 MiB of what is no PDF or archive.
        `authorization` goes to the scheme, host and port of `address` only, never on to where a redirect leads.
        `crawling`: nobody named this address, so that `robots.txt` and the host's pace are heeded.

        Raises `NetworkError`: `refused` for an address that may not be asked for, here or after a redirect;
        `too_large`; `content` for another kind; `unreachable`, `interrupted`, `status`, `redirect`, `certificate`.
        """
        url = parse_location(address, self._rules)
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(url, kinds, authorization, largest)
        except TimeoutError as late:
            raise NetworkError("unreachable", host=url.host or "") from late

    async def close(self) -> None:
        """Hang up."""
        await self._direct.close()
        await self._proxied.close()
        await self._resolver.close()

    async def _follow(self, url: URL, kinds: frozenset[PageKind], authorization: str, largest: int) -> Page:
        origin = url.origin()
        headers = {"Accept": accept(kinds), "Accept-Encoding": ENCODINGS}
        if authorization:
            headers["Authorization"] = authorization
        for _ in range(MAX_REDIRECTS + 1):
            proxy = self._proxy(url)
            if proxy:
                await self._check_as_far_as_known(url)
            client = self._proxied if proxy else self._direct
            async with get(client, url, headers, proxy=proxy) as response:
                if response.status not in REDIRECTS:
                    return await read_page(url, response, kinds, largest)
                url = self._next(url, response)
            if url.origin() != origin:
                headers.pop("Authorization", None)  # and it is not sent again should another host lead back
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
