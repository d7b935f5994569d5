"""The gateway leads a program of ours to the hosts that it is for, by the rules of all addresses, and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from yarl import URL

from menagerie.net import gateway
from menagerie.net.gateway import Gateway
from menagerie.net.outbound import Departure, observed_by
from menagerie.settings import Settings
from tests.net.pages import Names

HOST = "search.example.org"
CONNECT = f"CONNECT {HOST}:443 HTTP/1.1"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server on the loopback that says everything again, its port, and what it was told."""
    told: list[bytes] = []

    async def say_again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            told.append(piece)
            writer.write(piece)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(say_again, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], told


@asynccontextmanager
async def opened(port: int, *, address: str = "127.0.0.1", **settings: Any) -> AsyncIterator[Gateway]:
    allowed = Settings(**{"fetch_allow": "127.0.0.1/32", **settings})
    names = Names(**{HOST: [[address]], "other.example.org": [[address]]})
    async with Gateway(allowed, [HOST], names, port) as made:
        yield made


@asynccontextmanager
async def connected(
    made: Gateway, asked: str, shown: str | None = None
) -> AsyncIterator[tuple[str, Connection]]:
    """The first line of what the gateway answers, and the connection."""
    url = URL(made.address)
    shown = f"{url.user}:{url.password}" if shown is None else shown
    reader, writer = await asyncio.open_connection(url.host, url.port)
    basic = b64encode(shown.encode()).decode()
    writer.write(f"{asked}\r\nHost: a\r\nProxy-Authorization: Basic {basic}\r\n\r\n".encode())
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        yield head.decode().partition("\r\n")[0], (reader, writer)
    finally:
        writer.close()


async def answer(made: Gateway, asked: str, shown: str | None = None) -> int:
    async with connected(made, asked, shown) as (line, _):
        return int(line.split()[1])


async def test_what_is_said_arrives_and_comes_back() -> None:
    left: list[Departure] = []
    with observed_by(left.append):
        async with echo() as (port, told), opened(port) as made:
            async with connected(made, CONNECT) as (line, (reader, writer)):
                assert line.split()[1] == "200"
                writer.write(b"hello")
                assert await reader.readexactly(5) == b"hello"
            await asyncio.sleep(0.05)
    assert told == [b"hello"]
    assert [(one.purpose, one.host, one.port, one.status) for one in left] == [("search", HOST, 443, 200)]


@pytest.mark.parametrize(
    "asked",
    [
        "CONNECT other.example.org:443 HTTP/1.1",
        f"CONNECT {HOST}:80 HTTP/1.1",
        f"CONNECT {HOST}:22 HTTP/1.1",
        f"CONNECT {HOST} HTTP/1.1",
        f"CONNECT {HOST}.:443 HTTP/1.1",
        f"CONNECT a@{HOST}:443 HTTP/1.1",
        "CONNECT 127.0.0.1:443 HTTP/1.1",
        "CONNECT [::1]:443 HTTP/1.1",
        f"GET http://{HOST}/ HTTP/1.1",
        f"GET https://{HOST}/ HTTP/1.1",
        "nonsense",
    ],
)
async def test_it_leads_to_its_hosts_at_443_only(asked: str) -> None:
    async with echo() as (port, told), opened(port) as made:
        assert await answer(made, asked) == 403
    assert told == []


async def test_it_leads_only_where_the_rules_allow() -> None:
    async with echo() as (port, told):
        for settings in (
            {"fetch_allow": ""},
            {"fetch_deny": HOST},
            {"fetch_ports": "80"},
            {"outside": "off"},
        ):
            async with opened(port, **settings) as made:
                assert await answer(made, CONNECT) == 403
        async with opened(port, address="10.0.0.1") as made:
            assert await answer(made, CONNECT) == 403
        async with Gateway(Settings(fetch_allow="127.0.0.1/32"), [HOST], Names(), port) as made:  # type: ignore[arg-type]
            assert await answer(made, CONNECT) == 403
    assert told == []


async def test_nobody_without_its_secret_is_led_anywhere() -> None:
    async with echo() as (port, told), opened(port) as made, opened(port) as other:
        assert made.address != other.address
        for shown in ("", "menagerie:", "menagerie:guess", str(URL(other.address).password)):
            assert await answer(made, CONNECT, shown) == 407
    assert told == []


async def test_it_is_on_the_loopback_and_its_secret_is_long() -> None:
    async with opened(1) as made:
        url = URL(made.address)
        assert url.host == "127.0.0.1"
        assert len(b64decode(f"{url.password}==", altchars=b"-_")) >= 32


async def test_connections_end_in_time_and_after_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "MOST_BYTES", 100_000)
    async with (
        echo() as (port, told),
        opened(port) as made,
        connected(made, CONNECT) as (_, (reader, writer)),
    ):
        writer.write(b"a" * 1_000_000)
        with contextlib.suppress(ConnectionError):
            assert len(await asyncio.wait_for(reader.read(-1), 5)) < 400_000
    assert sum(map(len, told)) < 400_000
    monkeypatch.setattr(gateway, "SECONDS", 0.2)
    async with echo() as (port, _), opened(port) as made, connected(made, CONNECT) as (_, (reader, _)):
        assert await asyncio.wait_for(reader.read(-1), 5) == b""


async def test_it_closes_though_somebody_is_connected() -> None:
    async with echo() as (port, _):
        async with opened(port) as made:
            held = connected(made, CONNECT)
            _, (reader, _) = await held.__aenter__()
            began = time.monotonic()
        assert time.monotonic() - began < 5
        assert await asyncio.wait_for(reader.read(-1), 5) == b""
        await held.__aexit__(None, None, None)
