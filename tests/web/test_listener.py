"""What the listener does with headers that no browser sends, over real connections."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from tests.web.serving import parts, raw, raw_answer, serving

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
