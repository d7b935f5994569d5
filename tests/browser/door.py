"""A proxy before the service that says who comes, as one that authenticates people does; and a line that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from websockets.sync.client import connect
from websockets.typing import Subprotocol

_LONGEST_HEAD: Final = 65_536


class Door:
    """Passes everything on to `port`; each request of a person carries their name. Runs in a thread of its own."""

    def __init__(self, port: int, person: str = "") -> None:
        # Held while the door is shut too, else another connection on this machine may be given the port meanwhile.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port = int(self._place.getsockname()[1])
        self.origin = f"http://127.0.0.1:{self.port}"
        self._behind = port
        self._person = person
        self._passing: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="door", daemon=True)
        self._thread.start()
        self.open()

    def open(self) -> None:
        """Let people in."""
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)

    def cut(self) -> None:
        """Break every connection, and take no more: the network is gone."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def converse(self, persona: str, *prompts: str) -> str:
        """A conversation of this person, past the pages; its number."""
        session = ""
        address = f"ws://127.0.0.1:{self.port}/gpt-socket/{persona}"
        with connect(address, subprotocols=[Subprotocol("menagerie.events.v1")]) as socket:
            for prompt in prompts:
                socket.send(json.dumps({"prompt": prompt, "session": session}))
                while (event := json.loads(socket.recv(20)))["type"] not in {"done", "failed"}:
                    session = event.get("session", session)
                assert event["type"] == "done", event
        return session

    def close(self) -> None:
        """Cut, and end the thread."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._place.close()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(
            self._come, "127.0.0.1", self.port, limit=_LONGEST_HEAD, reuse_address=True
        )

    async def _cut(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        if self._server is None:  # it knocked just before the line was cut
            writer.transport.abort()
            return
        self._passing.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._pass(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._passing.discard(task)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection, so that no second one slips through without a name."""
        head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
        upgrades = any(line.lower().startswith(b"upgrade:") for line in head)
        kept = [line for line in head if upgrades or not line.lower().startswith(b"connection:")]
        if not upgrades:
            kept.append(b"Connection: close")
        if self._person:
            kept.append(b"X-Forwarded-User: " + self._person.encode())
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        behind_writer.write(b"\r\n".join(kept) + b"\r\n\r\n")
        ways = [
            asyncio.ensure_future(_carry(reader, behind_writer)),
            asyncio.ensure_future(_carry(behind_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if ways[0].done() and not ways[1].done():
                await ways[1]
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            behind_writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@contextmanager
def door(port: int, person: str = "") -> Iterator[Door]:
    """A door that is open, closed in the end."""
    built = Door(port, person)
    try:
        yield built
    finally:
        built.close()
