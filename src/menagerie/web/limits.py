"""How much of the service one caller may take: open websockets, and the size and pace of a body."""

from __future__ import annotations

import asyncio
from collections import Counter
from ipaddress import ip_network
from typing import Final

from starlette.types import Message, Receive

from menagerie.core.errors import ErrorCode, MenagerieError

BODY_PATIENCE: Final = 20.0
"""Seconds that any body may take."""
BODY_PACE: Final = 8192
"""Bytes that earn a body another second."""


class ConnectionLimits:
    """Counts open connections, all of them and for each address. An IPv6 address counts as its /64 network, which
    is what one subscriber has; peers without an address (unix sockets) count only among all."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._open = 0
        self._by_address: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return self._open

    def enter(self, address: str) -> None:
        """Count one more connection from `address`; `request.connections_full` where there are too many."""
        place = _place(address)
        if self._open >= self._most or (place and self._by_address[place] >= self._most_per_address):
            raise MenagerieError(ErrorCode.CONNECTIONS_FULL)
        self._open += 1
        self._by_address[place] += 1

    def leave(self, address: str) -> None:
        """A connection that was counted is over."""
        place = _place(address)
        self._open -= 1
        self._by_address[place] -= 1
        if not self._by_address[place]:
            del self._by_address[place]


def _place(address: str) -> str:
    return str(ip_network(f"{address}/64", strict=False)) if ":" in address else address


class LimitedBody:
    """An ASGI `receive` that ends a body which is too large (`request.too_large`) or comes too slowly
    (`request.idle`), counted from the first time somebody waits for it. After the body it is out of the way."""

    def __init__(self, receive: Receive, limit: int, patience: float = BODY_PATIENCE) -> None:
        self._receive = receive
        self._limit = limit
        self._patience = patience
        self._began: float | None = None
        self._received = 0
        self.complete = False

    async def __call__(self) -> Message:
        if self.complete:
            return await self._receive()
        if self._began is None:
            self._began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(self._began + self._patience + self._received / BODY_PACE):
                message = await self._receive()
        except TimeoutError as slow:
            raise MenagerieError(ErrorCode.IDLE) from slow
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        if self._received > self._limit:
            raise MenagerieError(ErrorCode.BODY_TOO_LARGE, limit=self._limit)
        return message

    async def drain(self, most: int, seconds: float) -> None:
        """Throw away what still comes, up to `most` bytes or for `seconds`: a client that is still sending reads
        its refusal only if the connection is not reset under it."""
        try:
            async with asyncio.timeout(seconds):
                while not self.complete and self._received <= most:
                    message = await self._receive()
                    self._received += len(message.get("body", b""))
                    self.complete = not message.get("more_body", False)
        except TimeoutError:
            return
