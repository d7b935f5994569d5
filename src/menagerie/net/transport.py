"""One request for a page, to an address that was checked before anybody connects to it.

A host is resolved once, every answer checked (`net/lookup`, `net/addresses`), and the connection made to what was
checked. Where the environment names a proxy, the proxy resolves: then the name is checked here as far as this machine
can resolve it.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from yarl import URL

from menagerie import __version__
from menagerie.net.addresses import AddressRules
from menagerie.net.client import CONNECT_SECONDS, get, trust
from menagerie.net.failure import NetworkError
from menagerie.net.location import literal_address
from menagerie.net.lookup import CheckedResolver

CONNECTIONS: Final = 64


class Transport:
    """Asks servers. One for a service; to be closed. What `resolver` finds is checked by `rules`."""

    def __init__(self, rules: AddressRules, resolver: AbstractResolver) -> None:
        self._rules = rules
        self._resolver = CheckedResolver(rules, resolver)
        found = getproxies() if rules.outside else {}  # a proxy is a way outside
        self._proxies = {scheme: proxy for scheme, proxy in found.items() if proxy}
        self._direct = _session(resolver=self._resolver, socket_factory=self._socket)
        self._proxied = _session()

    @asynccontextmanager
    async def ask(
        self, url: URL, headers: Mapping[str, str], purpose: str
    ) -> AsyncGenerator[tuple[aiohttp.ClientResponse, tuple[str, ...]], None]:
        """GET `url` once, which `parse_location` has made: the open response, and the IP addresses that the rules have
        permitted. Raises `NetworkError`, also for what breaks while the body is read."""
        proxy = self._proxy(url)
        known = await self._as_far_as_known(url) if proxy else ()
        client = self._proxied if proxy else self._direct
        async with get(client, url, headers, proxy=proxy, purpose=purpose) as response:
            yield response, known if proxy else (response.peer,)  # type: ignore[attr-defined]

    async def close(self) -> None:
        """Hang up."""
        await self._direct.close()
        await self._proxied.close()
        await self._resolver.close()

    def _proxy(self, url: URL) -> str | None:
        if proxy_bypass(url.raw_host or ""):
            return None
        return self._proxies.get(url.scheme) or self._proxies.get("all")

    async def _as_far_as_known(self, url: URL) -> tuple[str, ...]:
        """Refuse a name that leads inside before a proxy is asked; what only the proxy can resolve is left to it."""
        host = url.raw_host or ""
        if literal_address(host) is not None:
            return (host,)
        try:
            return tuple(one["host"] for one in await self._resolver.resolve(host, url.port or 0))
        except NetworkError as failure:
            if not isinstance(failure.__cause__, OSError):
                raise
            return ()

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for a connection to an address, which is checked once more: nothing gets here unchecked."""
        family, kind, protocol, _, place = info
        if not self._rules.permit_some(ip_address(place[0])):
            raise NetworkError("refused")
        return socket.socket(family, kind, protocol)


class _Response(aiohttp.ClientResponse):
    """A response that remembers the IP address it came from when its connection is gone."""

    peer = ""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        place = connection.transport.get_extra_info("peername") if connection.transport else None
        self.peer = str(place[0]) if place else ""
        return await super().start(connection)


def _session(**connector: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=trust(), limit=CONNECTIONS, force_close=True, use_dns_cache=False, **connector
        ),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"menagerie/{__version__}"},
        response_class=_Response,
        auto_decompress=False,  # `net/unpacking` does, and stops
    )
