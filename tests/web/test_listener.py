"""What the listener does with headers that no browser sends, over real connections."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from menagerie.web.listener import MOST_FRAGMENTS, UNREAD_BYTES, BoundedWebSocketProtocol
from tests.web.serving import parts, raw, raw_answer, serving

HANDSHAKE = (
    b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MASK = b"\0\0\0\0"
HOST = b"Host: localhost\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"".join(b"X%d: a\r\n" % i for i in range(50_000)) + b"\r\n",
        b"GET /healthz?" + b"a" * 1_000_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 1_000_000,
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"a" * 1_000_000,
    ],
    ids=["long", "many", "address", "no end", "name without an end"],
)
async def test_headers_of_a_megabyte_end_the_connection(tmp_path: Path, request_: bytes) -> None:
    async with serving(parts(tmp_path)) as client:
        async with raw(client) as (reader, writer):
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(5):
                    writer.write(request_)
                    said = await reader.read()
                    assert said.startswith(b"HTTP/1.1 431 ")
        async with client.get("/healthz") as response:
            assert response.status == 200


async def test_headers_that_come_in_small_pieces_are_read(tmp_path: Path) -> None:
    lines = [b"GET /healthz HTTP/1.1\r\n", HOST, *(b"X%d: a\r\n" % i for i in range(50)), b"\r\n"]
    async with serving(parts(tmp_path)) as client, raw(client) as (reader, writer):
        for _ in range(30):
            for line in lines:
                writer.write(line)
                await writer.drain()
            async with asyncio.timeout(5):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                await reader.readuntil(b"}")


async def test_nobody_is_who_a_trailer_says(tmp_path: Path) -> None:
    given = parts(tmp_path, trusted_proxies="127.0.0.1")
    async with serving(given) as client:
        said = await raw_answer(
            client,
            b"POST /gpt/otter HTTP/1.1\r\n"
            + HOST
            + b"Connection: close\r\nX-Forwarded-User: ana\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
            b"8\r\nprompt=x\r\n0\r\nX-Forwarded-Email: ben@example.org\r\n\r\n",
        )
    assert said.startswith(b"HTTP/1.1 200 ")
    assert given.turns.requests[0].user.names == ("ana",)


async def test_who_pings_and_reads_no_answer_costs_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []

    def look(protocol: BoundedWebSocketProtocol) -> None:
        answer_ping(protocol)
        kept.append(protocol.transport.get_write_buffer_size())

    answer_ping = BoundedWebSocketProtocol.handle_ping
    monkeypatch.setattr(BoundedWebSocketProtocol, "handle_ping", look)
    pings = (b"\x89\xfd" + MASK + b"x" * 125) * 1000
    async with serving(parts(tmp_path)) as client, raw(client) as (reader, writer):
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(200):
            writer.write(pings)
            await writer.drain()
    assert len(kept) > 100_000
    assert max(kept) < UNREAD_BYTES + 1_048_576  # and what came in one piece


async def test_a_ping_is_answered(tmp_path: Path) -> None:
    async with serving(parts(tmp_path)) as client, client.ws_connect("/echo", autoping=False) as socket:
        await socket.ping(b"there?")
        assert (await socket.receive(timeout=5)).data == b"there?"


async def test_a_message_in_countless_pieces_ends_the_socket(tmp_path: Path) -> None:
    async with serving(parts(tmp_path)) as client, raw(client) as (reader, writer):
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x01\x81" + MASK + b"a" + (b"\0\x81" + MASK + b"a") * 10 + b"\x80\x81" + MASK + b"a")
        async with asyncio.timeout(5):
            assert await reader.readexactly(14) == b"\x81\x0c" + b"a" * 12
            writer.write(b"\x01\x81" + MASK + b"a" + (b"\0\x81" + MASK + b"a") * 2 * MOST_FRAGMENTS)
            with contextlib.suppress(ConnectionError):
                assert (await reader.read()).startswith(b"\x88\x02\x03\xf0")
