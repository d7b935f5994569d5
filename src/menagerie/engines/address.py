"""One of the addresses of an engine elsewhere: its client, what its replies say, and how it has been doing."""

from __future__ import annotations

import asyncio
import math
from contextvars import ContextVar
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp

from menagerie.engines.breaker import Breaker
from menagerie.engines.client import HttpEngine
from menagerie.engines.target import Remote


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


class Address:
    """One address, as `RemoteEngine` sees it."""

    def __init__(self, url: str, client: HttpEngine) -> None:
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
        self.probing = False
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
