"""One of the addresses of an engine elsewhere: its client, what its replies say, and how it has been doing."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp
import structlog

from menagerie.engines.breaker import Breaker
from menagerie.engines.chat import ChatRequest, Chunk
from menagerie.engines.client import HttpEngine
from menagerie.engines.target import Remote

log = structlog.get_logger("menagerie.engines")


class Reply:
    """What the last reply said: its status, 0 for none, and its `Retry-After`."""

    def __init__(self) -> None:
        self.status = 0
        self.retry_after = ""


_noted: ContextVar[Reply | None] = ContextVar("engine_reply", default=None)


def note_replies(reply: Reply) -> None:
    """From now on, what this task's requests to any address are answered is noted in `reply`."""
    _noted.set(reply)


class AddressClient(HttpEngine):
    """The client of one address. Its replies are noted: an error tells the reader what went wrong, the status whose
    fault it was."""

    def __init__(self, url: str, remote: Remote, token_timeout: float) -> None:
        super().__init__(url, key=remote.key, model=remote.model, token_timeout=token_timeout, native=False)
        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(_begin)
        tracing.on_request_end.append(_end)
        tracing.freeze()
        self._session.trace_configs.append(tracing)

    async def begin(self, request: ChatRequest) -> tuple[Chunk | None, AsyncGenerator[Chunk, None]]:
        """The first chunk of an answer, and the rest of it."""
        chunks = self.chat(request)
        try:
            return await anext(chunks), chunks
        except BaseException:
            await chunks.aclose()
            raise

    async def healthy(self) -> bool:
        """Whether the listener answers, if only that it does not know us or these paths."""
        reply = Reply()
        note_replies(reply)
        try:
            return await super().healthy() or 400 <= reply.status < 500
        except ValueError as unusable:  # such as a password in the address beside a key
            log.warning("engine.address_unusable", failure=type(unusable).__name__)
            return False


class Address:
    """One address, as `RemoteEngine` sees it."""

    def __init__(self, url: str, client: AddressClient) -> None:
        self.label = urlsplit(url).netloc.rpartition("@")[2]
        """For our own log: without a password."""
        self.client = client
        self.breaker = Breaker(known=False)
        self.running = 0
        self.turn = 0
        """The number of the last attempt here: the least is the longest unused."""
        self.stranger = False
        """It does not serve us at all: the last to be asked."""
        self.suspect = False
        """It has failed, and has not been asked for its health since."""
        self.heard_at = -math.inf
        self.changed = asyncio.Event()
        """Set when the next look at it may be due sooner."""


class Attempt:
    """One request at one address, of which it takes `slots`."""

    def __init__(self, address: Address, ticket: int, slots: int) -> None:
        self.address = address
        self.ticket = ticket
        self.slots = slots
        self.reply = Reply()
        self.over = False


async def _begin(_: aiohttp.ClientSession, __: SimpleNamespace, ___: aiohttp.TraceRequestStartParams) -> None:
    if reply := _noted.get():
        reply.status, reply.retry_after = 0, ""


async def _end(_: aiohttp.ClientSession, __: SimpleNamespace, ended: aiohttp.TraceRequestEndParams) -> None:
    if reply := _noted.get():
        reply.status = ended.response.status
        reply.retry_after = ended.response.headers.get("Retry-After", "")
