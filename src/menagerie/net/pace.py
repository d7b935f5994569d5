"""How fast one host is asked: few requests at a time, and fewer still, one after the other, where nobody waits for the
page that is asked for. Nobody can make this service a burden to somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

AT_A_TIME: Final = 6
"""Requests to one host at a time …"""
CRAWLING: Final = 2
"""… and those among them that crawl."""
GAP: Final = 0.2
"""Seconds between the beginnings of two that crawl, where the host asks for no more."""

_REMEMBERED: Final = 1024


class Pace:
    """Places at hosts. One for a service."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def place(self, host: str, *, crawling: bool, gap: float = GAP) -> AsyncGenerator[None, None]:
        """Wait for a place at `host`, and hold it; `gap` in seconds counts where it is for `crawling`."""
        known = self._hosts.get(host)
        if known is None:
            self._forget()
            known = self._hosts[host] = _Host()
        known.users += 1
        try:
            if not crawling:
                async with known.everybody:
                    yield
                return
            async with known.crawlers:
                await known.turn(gap)
                async with known.everybody:
                    yield
        finally:
            known.users -= 1

    def _forget(self) -> None:
        """Those that nobody asks, and that may be asked at once."""
        if len(self._hosts) < _REMEMBERED:
            return
        now = asyncio.get_running_loop().time()
        for host in [name for name, one in self._hosts.items() if not one.users and one.free_at <= now]:
            del self._hosts[host]


class _Host:
    def __init__(self) -> None:
        self.everybody = asyncio.Semaphore(AT_A_TIME)
        self.crawlers = asyncio.Semaphore(CRAWLING)
        self.users = 0
        self.free_at = 0.0

    async def turn(self, gap: float) -> None:
        """Wait until the gap after the one before has passed."""
        now = asyncio.get_running_loop().time()
        begins = max(now, self.free_at)
        self.free_at = begins + gap
        await asyncio.sleep(begins - now)
