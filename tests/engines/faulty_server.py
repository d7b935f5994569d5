"""A server that answers as it is told, byte for byte: what no real engine can be made to do."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def event(text: str) -> bytes:
    """One token's event."""
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


def reply(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A whole response."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class FaultyServer:
    """What it was asked, and where it is."""

    def __init__(self, answer: Answer) -> None:
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.address = ""
        self.gone = asyncio.Event()
        """Set when the other side has left in the middle of an answer."""
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, answer as told, close."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [
                line.partition(":")[2]
                for line in head.split("\r\n")
                if line.lower().startswith("content-length:")
            ]
            self.bodies.append(await reader.readexactly(int(lengths[0])) if lengths else b"")
            self.heads.append(head)
            with contextlib.suppress(asyncio.CancelledError):
                await self._until_gone(reader, writer)
        writer.close()

    async def _until_gone(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering = asyncio.ensure_future(self._answer(writer))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                self.gone.set()
            if answering.done():
                await answering
                await writer.drain()
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)


@contextlib.asynccontextmanager
async def faulty(answer: bytes | Answer, port: int = 0) -> AsyncGenerator[FaultyServer, None]:
    """A server on the loopback that answers every request with `answer`, or as `answer` does."""

    async def write(writer: asyncio.StreamWriter) -> None:
        assert isinstance(answer, bytes)
        writer.write(answer)

    server = FaultyServer(write if isinstance(answer, bytes) else answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", port, limit=1 << 20)
    server.address = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()
