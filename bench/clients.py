"""Users: on the websocket of the service, or straight at the engine. Cheap, since they share the machine."""

from __future__ import annotations

import asyncio
import functools
import time
from datetime import datetime
from typing import Final, cast
from zoneinfo import ZoneInfo

import aiohttp
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from bench.processes import Engine
from menagerie.conversation.prompt import system_prompt
from menagerie.personas.load import load_personas, shipped_folder
from menagerie.settings import Settings

NEW_SESSION: Final = "|SESSION||/SESSION|"

PROMPTS: Final = (
    "Write a short paragraph about the city of Ottawa in winter.",
    "Explain what a public servant does, in one paragraph.",
    "Describe how to write a clear briefing note.",
    "Tell me about the history of the Rideau Canal.",
    "Give me advice for a first day at a new job.",
    "Explain what access to information means.",
    "Describe a good meeting in one paragraph.",
    "Write a paragraph about learning French as an adult.",
)


class Answer(msgspec.Struct):
    """What one user felt: seconds to the first frame and to the end, and the frames between them."""

    first_s: float
    total_s: float
    frames: int


def open_socket(url: str) -> connect:
    """A websocket without compression and pings; to be awaited or entered."""
    return connect(url, compression=None, max_size=None, ping_interval=None, open_timeout=30)


async def ask(socket: ClientConnection, prompt: str) -> Answer:
    """One turn on an open socket."""
    began, first, frames = time.perf_counter(), 0.0, 0
    await socket.send(prompt)
    async for frame in socket:
        if isinstance(frame, str) and frame.startswith("<END"):
            break
        first = first or time.perf_counter() - began
        frames += 1
    return Answer(first, time.perf_counter() - began, frames)


async def ask_socket(url: str, prompts: list[str]) -> list[Answer]:
    """One user on one socket: each prompt after the last one's end."""
    async with open_socket(url) as socket:
        return [await ask(socket, prompt) for prompt in prompts]


def same_system_prompt() -> str:
    """What the service tells the model before a new conversation with the default persona."""
    return system_prompt(_imperative(), "", datetime.now(ZoneInfo("America/Toronto")), "en")


@functools.cache
def _imperative() -> str:
    settings = Settings()
    return load_personas([shipped_folder()], settings)[settings.default_persona].text("imperative", "en")


async def ask_engine(
    session: aiohttp.ClientSession, engine: Engine, system: str, prompt: str, tokens: int
) -> Answer:
    """One turn straight at the engine's listener, read without decoding it."""
    body = {
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": prompt}],
        "max_tokens": tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    headers = {"Authorization": f"Bearer {engine.key}"} if engine.key else {}
    began, first, frames = time.perf_counter(), 0.0, 0
    base = "http://engine" if engine.url.endswith(".sock") else engine.url
    url = f"{base}/v1/chat/completions"
    async with session.post(url, json=body, headers=headers) as response:
        response.raise_for_status()
        async for data in response.content.iter_any():
            first = first or time.perf_counter() - began
            frames += data.count(b"data:")
    return Answer(first, time.perf_counter() - began, frames)


class CountingClient(asyncio.Protocol):
    """The cheapest websocket client there is: sends one prompt, counts bytes until the end of the turn."""

    def __init__(self, prompt: str, host: str, path: str) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.characters = 0
        self.reads = 0
        self._prompt = prompt.encode()
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        self._open = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        assert self._transport
        if not self._open:
            if b" 101 " not in data:
                self.done.set_exception(ConnectionError(data[:200].decode("latin-1")))
                return
            self._open = True
            self._transport.write(bytes([0x81, 0x80 | len(self._prompt), 0, 0, 0, 0]) + self._prompt)
            return
        self.reads += 1
        self.characters += len(data)
        if b"<END" in data and not self.done.done():
            self.done.set_result(None)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("closed before the end of the turn"))
