"""Servers that mean harm, or speak HTTP badly: whatever they send, it ends soon, as a failure or as a page."""

from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from menagerie.net.client import NetworkError
from menagerie.net.page import LARGEST, Page, PageClient
from menagerie.settings import Settings
from tests.net.pages import Names

Speak = Callable[[asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
MIB = 1024 * 1024


@asynccontextmanager
async def speaking(speak: Speak | bytes) -> AsyncIterator[int]:
    """A server that says these bytes, or what `speak` says, to whoever asks; gives its port."""

    at_work: set[asyncio.Task[None] | None] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at_work.add(asyncio.current_task())
        try:
            await reader.readuntil(b"\r\n\r\n")
            if isinstance(speak, bytes):
                writer.write(speak)
                await writer.drain()
            else:
                await speak(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in filter(None, at_work):
            task.cancel()
        await asyncio.gather(*filter(None, at_work), return_exceptions=True)


async def got(port: int, seconds: float = 3.0, **how: Any) -> Page:
    settings = Settings(fetch_allow="127.0.0.1", fetch_ports=f"{port}")  # type: ignore[arg-type]
    client = PageClient(settings, Names())
    try:
        return await client.get(f"http://127.0.0.1:{port}/", seconds, **how)
    finally:
        await client.close()


async def outcome(speak: Speak | bytes, seconds: float = 3.0, **how: Any) -> str:
    """The reason of the failure, or the body of the page; within the time, whatever happens."""
    async with speaking(speak) as port:
        began = time.monotonic()
        try:
            page = await got(port, seconds, **how)
        except NetworkError as failure:
            return failure.reason
        finally:
            assert time.monotonic() - began < seconds + 2
        return page.body.decode("latin-1")


def endlessly(start: bytes, piece: bytes, pause: float = 0.0) -> Speak:
    async def speak(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return speak


CHUNK = b"10000\r\n" + b"a" * 65_536 + b"\r\n"


@pytest.mark.parametrize(
    ("start", "piece", "reasons"),
    [
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK, {"too_large"}),
        (HEAD + b"Connection: close\r\n\r\n", b"a" * 65_536, {"too_large"}),
        (HEAD + b"Content-Length: 99999999999\r\n\r\n", b"a" * 65_536, {"too_large"}),
        (b"", b"a" * 65_536, {"unreachable"}),
        (b"HTTP/1.1 200 ", b"a" * 65_536, {"unreachable"}),
        (HEAD, b"X-A: b\r\n", {"unreachable"}),
        (HEAD + b"X-A: ", b"a" * 65_536, {"unreachable"}),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", {"unreachable"}),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", {"unreachable"}),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 65_536, {"unreachable", "interrupted"}),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n", {"unreachable", "interrupted"}),
    ],
)
async def test_what_has_no_end_is_left(start: bytes, piece: bytes, reasons: set[str]) -> None:
    tracemalloc.start()
    assert await outcome(endlessly(start, piece), seconds=2) in reasons
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 64 * MIB


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-A: ",
        HEAD + b"\r\n",
        HEAD + b"Content-Length: 1000\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_drips_is_left_after_its_time_whatever_drips(start: bytes) -> None:
    piece = b"1\r\na\r\n" if start.endswith(b"chunked\r\n\r\n") else b"a"
    assert await outcome(endlessly(start, piece, 0.05), seconds=0.5) == "unreachable"


async def test_who_says_nothing_is_left() -> None:
    async def silent(_writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    assert await outcome(silent, seconds=0.3) == "unreachable"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (HEAD + b"Content-Length: 10\r\n\r\nshort", "interrupted"),
        (HEAD + b"Content-Length: 5\r\nConnection: close\r\n\r\nlonger than that", "unreachable"),
        (HEAD + b"Content-Length: -5\r\n\r\ntext", "unreachable"),
        (HEAD + b"Content-Length: 4\r\nContent-Length: 400\r\n\r\ntext", "unreachable"),
        (HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\ntext", "unreachable"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\ntext\r\n", "interrupted"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", "unreachable"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-4\r\ntext\r\n0\r\n\r\n", "unreachable"),
        (HEAD + b"\r\ntext", "text"),
        (b"text", "unreachable"),
        (b"", "unreachable"),
        (b"HTTP/1.1\r\n\r\n", "unreachable"),
        (b"HTTP/9.9 200 OK\r\n\r\ntext", "unreachable"),
        (b"HTTP/1.1 999 OK\r\nContent-Length: 4\r\n\r\ntext", "status"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "redirect"),
        (b"HTTP/1.1 302 Found\r\nLocation: \r\nContent-Length: 0\r\n\r\n", "redirect"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://" + b"a" * 4000 + b"/\r\n\r\n", "refused"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "status"),
        (HEAD + b"X-A: " + b"a" * 100_000 + b"\r\nContent-Length: 4\r\n\r\ntext", "unreachable"),
        (HEAD + b"X-A: b\r\n" * 100_000 + b"Content-Length: 4\r\n\r\ntext", "unreachable"),
    ],
)
async def test_what_is_no_proper_answer_is_none(said: bytes, expected: str) -> None:
    assert await outcome(said) in {expected, "interrupted" if expected == "unreachable" else expected}


def encoded(body: bytes, encoding: str = "gzip") -> bytes:
    return HEAD + f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def raw_deflate(body: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(body) + packing.flush()


BOMB = gzip.compress(b"a" * 100 * MIB)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (encoded(gzip.compress(b"text")), "text"),
        (encoded(zlib.compress(b"text"), "deflate"), "text"),
        (encoded(raw_deflate(b"text"), "deflate"), "text"),
        (encoded(b"no gzip at all"), "content"),
        (encoded(gzip.compress(b"text" * 1000)[:-20]), "content"),
        (encoded(BOMB), "too_large"),
        (encoded(raw_deflate(b"a" * 100 * MIB), "deflate"), "too_large"),
        (encoded(zlib.compress(b"a" * 100 * MIB), "deflate"), "too_large"),
        (encoded(gzip.compress(BOMB)), "content"),
        (encoded(BOMB[:-1] * 20), "too_large"),
    ],
)
async def test_what_is_packed_is_unpacked_as_far_as_it_may_be(said: bytes, expected: str) -> None:
    began = time.monotonic()
    assert await outcome(said) == expected
    assert time.monotonic() - began < 2


async def test_packed_data_that_hold_nothing_are_left_at_the_limit_too() -> None:
    empty_blocks = b"\x00\x00\x00\xff\xff" * 13_000
    start = HEAD + b"Content-Encoding: deflate\r\nConnection: close\r\n\r\n"
    assert await outcome(endlessly(start, empty_blocks), largest=LARGEST) == "too_large"


async def test_a_bomb_is_not_unpacked_into_memory() -> None:
    tracemalloc.start()
    assert await outcome(encoded(BOMB)) == "too_large"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * LARGEST


@pytest.mark.parametrize("charset", ["utf-16", "no-such", '"', "utf-8; charset=utf-7", "a" * 4000, ""])
async def test_a_charset_that_is_wrong_is_passed_on_and_breaks_nothing(charset: str) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=" + charset.encode()
    async with speaking(said + b"\r\nContent-Length: 5\r\n\r\ncaf\xc3\xa9") as port:
        page = await got(port)
    assert page.body == "café".encode()
    assert page.charset == page.charset.strip().lower()


async def test_headers_that_are_no_text_are_kept_out_of_trouble() -> None:
    said = b'HTTP/1.1 200 OK\r\nETag: "\xff\xfe"\r\nLast-Modified: \xe9\r\nContent-Length: 4\r\n\r\ntext'
    assert await outcome(said) == "text"
