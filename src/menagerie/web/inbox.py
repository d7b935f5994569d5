"""What a client has sent ahead on a socket, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Generic, TypeVar

Sent = TypeVar("Sent")

_EACH: Final = 1024
"""Bytes that even the shortest message counts for: so are numbers bounded, too."""


class Inbox(Generic[Sent]):
    """Takes messages while they are not more than `most` bytes together.

    It is bounded by size and not by a small number, because whoever waits in `put` reads nothing else meanwhile: no
    wish to stop, no farewell, and no answer to a ping, for which the connection would be given up.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._waiting: deque[tuple[Sent, int]] = deque()
        self._changed = asyncio.Condition()

    async def put(self, message: Sent, size: int) -> None:
        """Add a message of `size` bytes, once there is room; to an empty inbox, one of any size."""
        size += _EACH
        async with self._changed:
            await self._changed.wait_for(lambda: not self._waiting or self._size + size <= self._most)
            self._waiting.append((message, size))
            self._size += size
            self._changed.notify_all()

    async def get(self) -> Sent:
        """The oldest message, once there is one."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting))
            message, size = self._waiting.popleft()
            self._size -= size
            self._changed.notify_all()
            return message
