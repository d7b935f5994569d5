"""A way out for a library that opens connections of its own: a proxy on the loopback (CONNECT, RFC 9110, section 9.3.6)
for one program of ours, which leads to a few named hosts, by the same rules and look-ups as everything else.

What a program does beside it cannot be seen here: this is for libraries that use the proxy they are given.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Final, Self

import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from menagerie.net.addresses import AddressRules
from menagerie.net.client import basic_authorization
from menagerie.net.failure import NetworkError
from menagerie.net.location import parse_location
from menagerie.net.lookup import CheckedResolver, SystemResolver
from menagerie.net.outbound import Leaving
from menagerie.settings import Settings

log = structlog.get_logger("menagerie.net")

PORT: Final = 443
AT_A_TIME: Final = 8
SECONDS: Final = 30.0
"""Of a connection, from its first byte."""
MOST_BYTES: Final = 8 * 1024 * 1024
"""Of a connection, each way."""

_HEAD_SECONDS: Final = 5.0
_HEAD_BYTES: Final = 16_384
_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_PIECE: Final = 65_536
_USER: Final = "menagerie"
_CONNECT: Final = re.compile(r"CONNECT ([^\s:/@]{1,253}):(\d{1,5}) HTTP/1\.[01]", re.ASCII)
_REFUSED: Final = b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_UNKNOWN: Final = (
    b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="menagerie"\r\n'
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)
_OPEN: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Gateway:
    """Open as long as it is entered. `hosts` are those that it leads to; `resolver` stands in for the machine's own way
    to resolve names, `port` for the one that is connected to."""

    def __init__(
        self,
        settings: Settings,
        hosts: Collection[str],
        resolver: AbstractResolver | None = None,
        port: int = PORT,
    ) -> None:
        self._rules = AddressRules.of(settings)
        self._hosts = frozenset(hosts)
        self._resolver = CheckedResolver(self._rules, resolver or SystemResolver())
        self._port = port
        self._secret = secrets.token_urlsafe(32)
        self._shown = basic_authorization(_USER, self._secret)
        self._server: asyncio.Server | None = None
        self._tunnels: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where it is, with what is to be shown there."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"http://{_USER}:{self._secret}@127.0.0.1:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_HEAD_BYTES)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for tunnel in self._tunnels:
            tunnel.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)
        await self._resolver.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._tunnels) >= AT_A_TIME or self._server is None or not self._server.is_serving():
            await _hang_up(writer)
            return
        self._tunnels.add(task)
        try:
            async with asyncio.timeout(SECONDS):
                await self._serve(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:  # the gateway is closed; nobody waits for this task
            pass
        finally:
            self._tunnels.discard(task)
            await _hang_up(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *fields = head.split("\r\n")
        if not self._knows(fields):
            writer.write(_UNKNOWN)
            return
        try:
            place = self._place(first)
            found = await self._resolver.resolve(place.raw_host or "", place.port or 0)
            with Leaving("search", "CONNECT", place) as leaving:
                far_reader, far_writer = await self._connect(place, found)
                leaving.status = 200
                try:
                    writer.write(_OPEN)
                    leaving.bytes = await _exchange((reader, writer), (far_reader, far_writer))
                finally:
                    await _hang_up(far_writer)
        except NetworkError as failure:
            log.info("gateway.refused", host=failure.host, reason=failure.reason)
            writer.write(_REFUSED)

    def _knows(self, fields: list[str]) -> bool:
        named = (field.partition(":") for field in fields)
        shown = next((value.strip() for name, _, value in named if name.lower() == "proxy-authorization"), "")
        return secrets.compare_digest(shown.encode("latin-1"), self._shown.encode())

    def _place(self, asked: str) -> URL:
        """Where the first line of a request wants to go, if that is one of the hosts. Raises `NetworkError`."""
        parts = _CONNECT.fullmatch(asked)
        host, port = (parts[1], int(parts[2])) if parts else ("", 0)
        if host not in self._hosts or port != PORT:
            raise NetworkError("refused", host=host)
        return parse_location(f"https://{host}:{port}/", self._rules)

    async def _connect(self, place: URL, found: Sequence[ResolveResult]) -> _Stream:
        """A connection to one of the addresses, which were checked. Raises `NetworkError`."""
        for one in found:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(one["host"], self._port)
        raise NetworkError("unreachable", host=place.raw_host or "")


async def _exchange(near: _Stream, far: _Stream) -> int:
    """Pass on both ways until one of them ends; how many bytes came from afar."""
    there = asyncio.create_task(_pass_on(near[0], far[1]))
    back = asyncio.create_task(_pass_on(far[0], near[1]))
    try:
        await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
    finally:
        there.cancel()
        back.cancel()
        ended = await asyncio.gather(there, back, return_exceptions=True)
    return ended[1] if isinstance(ended[1], int) else 0


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """What arrives goes on, until it ends or is too much; how many bytes did."""
    passed = 0
    while passed < MOST_BYTES and (piece := await reader.read(_PIECE)):
        passed += len(piece)
        writer.write(piece)
        await writer.drain()
    return passed


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()
