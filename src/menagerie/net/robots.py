"""What a site wants of programs that nobody sent: its `robots.txt` (RFC 9309), asked for once an hour."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from protego import Protego
from yarl import URL

from menagerie.net.failure import NetworkError
from menagerie.net.pace import GAP

AGENT: Final = "menagerie"
"""The name that rules for us are under."""
LONGEST_GAP: Final = 10.0
"""Seconds between two requests, at most, whatever a site asks for."""
SECONDS: Final = 8.0
"""How long a site may take to give its rules."""
LARGEST: Final = 512 * 1024
"""Bytes of rules that are heeded."""
FRESH: Final = 3_600.0
FRESH_FAILURE: Final = 300.0

_REMEMBERED: Final = 512
_NOTHING: Final = "User-agent: *\nDisallow: /"


class Robots:
    """The rules of sites. `get` gives what is at an address, or raises `NetworkError`."""

    def __init__(
        self, get: Callable[[str], Awaitable[bytes]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._get = get
        self._clock = clock
        self._sites: OrderedDict[str, _Site] = OrderedDict()

    async def gap(self, url: URL) -> float:
        """The seconds to leave between two requests to the site of `url`. Raises `NetworkError("robots")` where this
        page is not for programs, or the site does not say."""
        rules = await self._rules(str(url.origin()))
        if not await asyncio.to_thread(rules.can_fetch, str(url), AGENT):
            raise NetworkError("robots", host=url.host or "")
        wanted = rules.crawl_delay(AGENT)
        return min(wanted, LONGEST_GAP) if wanted is not None and wanted > GAP else GAP

    async def _rules(self, origin: str) -> Protego:
        site = self._sites.setdefault(origin, _Site())
        self._sites.move_to_end(origin)
        while len(self._sites) > _REMEMBERED:
            self._sites.popitem(last=False)
        async with site.asking:
            if site.rules is None or self._clock() >= site.until:
                text, seconds = await self._ask(f"{origin}/robots.txt")
                site.rules = await asyncio.to_thread(Protego.parse, text)
                site.until = self._clock() + seconds
            return site.rules

    async def _ask(self, address: str) -> tuple[str, float]:
        """The rules, and how many seconds they hold. Where there are none, everything is allowed; where they cannot be
        had, nothing is."""
        try:
            async with asyncio.timeout(SECONDS):
                body = await self._get(address)
        except TimeoutError:
            return _NOTHING, FRESH_FAILURE
        except NetworkError as failure:
            if failure.reason in {"refused", "outside"}:
                raise
            none = 400 <= failure.status < 500 or failure.reason in {"redirect", "content"}
            return ("", FRESH) if none else (_NOTHING, FRESH_FAILURE)
        return body[:LARGEST].decode("utf-8", "replace").removeprefix("\ufeff"), FRESH


class _Site:
    def __init__(self) -> None:
        self.asking = asyncio.Lock()
        self.rules: Protego | None = None
        self.until = 0.0
