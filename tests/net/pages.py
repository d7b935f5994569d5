"""Servers of pages on the loopback, and names that lead where a test says. Nothing else is ever asked."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from menagerie.settings import Settings

_ASKED = web.AppKey("asked", list[str])

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Names(AbstractResolver):
    """Resolves each name to its lists of addresses, one list after the other, the last one from then on."""

    def __init__(self, **names: list[list[str]]) -> None:
        self._names = {name.replace("_", "."): list(lists) for name, lists in names.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        lists = self._names.get(host)
        if lists is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = lists.pop(0) if len(lists) > 1 else lists[0]
        return [
            ResolveResult(hostname=host, host=one, port=port, family=_family(one), proto=0, flags=0)
            for one in found
        ]

    async def close(self) -> None:
        pass


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@asynccontextmanager
async def server(answer: Answer, host: str = "127.0.0.1", port: int | None = 0) -> AsyncIterator[TestServer]:
    """A server on the loopback that answers every path."""

    async def noted(request: web.Request) -> web.StreamResponse:
        request.app[_ASKED].append(request.path)
        return await answer(request)

    app = web.Application()
    app[_ASKED] = []
    app.router.add_get("/{path:.*}", noted)
    started = TestServer(app, host=host, port=port or 0)
    await started.start_server()
    try:
        yield started
    finally:
        await started.close()


def asked(server: TestServer) -> list[str]:
    """The paths that a server was asked for."""
    return server.app[_ASKED]


def allowing(*servers: TestServer, **settings: Any) -> Settings:
    """Settings by which exactly these servers may be reached."""
    hosts = ",".join(f"{one.host}/32" for one in servers)
    ports = ",".join({str(one.port) for one in servers}) or "80"
    return Settings(**{"fetch_allow": hosts, "fetch_ports": ports} | settings)


def body(content: str | bytes, content_type: str = "text/html", **headers: str) -> Answer:
    """Answers with this content."""
    sent = content if isinstance(content, bytes) else content.encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=sent, headers={"Content-Type": content_type, **named})

    return answer
