"""Search engines that want no key, by the library `ddgs`, where it is installed. It opens connections of its own: so it
runs in a program of its own, whose only way out leads to those engines (`net/gateway`)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.programs import end, start
from menagerie.grounding.search.answers import decoded, each
from menagerie.grounding.search.operators import restricted
from menagerie.grounding.search.provider import REGION, Hit, Query
from menagerie.net.addresses import AddressRules
from menagerie.net.gateway import Gateway
from menagerie.settings import Settings

log = structlog.get_logger("menagerie.grounding")

ENGINES: Final = {
    "duckduckgo": "html.duckduckgo.com",
    "brave": "search.brave.com",
    "mojeek": "www.mojeek.com",
}
"""The engines that are asked, as the library calls them, and the hosts that they are at."""
SECONDS: Final = 14.0

_AT_A_TIME: Final = 2
_ONE_S: Final = 5
"""Seconds for one engine."""
_LONGEST: Final = 1_000_000
_PROGRAM: Final = "ddgs_search.py"


class _Result(msgspec.Struct):
    href: str
    title: str = ""
    body: str = ""


class DDGS:
    """Asks the engines. `gateway` makes the way to them; `certificates` is a file of authorities that are trusted
    instead of the machine's."""

    def __init__(
        self,
        settings: Settings,
        gateway: Callable[[], Gateway] | None = None,
        certificates: str = "",
    ) -> None:
        self._settings = settings
        self._gateway = gateway or (lambda: Gateway(settings, ENGINES.values()))
        self._certificates = certificates or os.environ.get("SSL_CERT_FILE", "")
        self._programs = asyncio.Semaphore(_AT_A_TIME)

    async def search(self, query: Query) -> Sequence[Hit]:
        """One program, which asks one engine after the other until there is enough."""
        rules = AddressRules.of(self._settings)
        if self._settings.fetch == "off" or not any(map(rules.reach, ENGINES.values())):
            raise MenagerieError(ErrorCode.SOURCE_OFF)
        async with self._programs, self._gateway() as gateway:
            answer = await self._run(
                {
                    "query": restricted(query.terms, query.domains),
                    "region": f"{REGION.lower()}-{query.language}",
                    "most": min(2 * query.most, 20),
                    "backends": ",".join(ENGINES),
                    "proxy": gateway.address,
                    "certificates": self._certificates,
                    "seconds": _ONE_S,
                }
            )
        results = await decoded(answer[: _LONGEST + 1], list[msgspec.Raw])
        return [Hit(title=one.title, address=one.href, snippet=one.body) for one in each(results, _Result)]

    async def _run(self, order: dict[str, str | int]) -> bytes:
        process = await start(_PROGRAM)
        try:
            async with asyncio.timeout(SECONDS):
                answer, _ = await process.communicate(msgspec.json.encode(order) + b"\n")
        except (TimeoutError, ConnectionError) as failure:
            raise MenagerieError(ErrorCode.SEARCH_FAILED) from failure
        finally:
            await end(process)
        if process.returncode:
            log.info("search.program_failed", status=process.returncode)
            raise MenagerieError(ErrorCode.SEARCH_FAILED)
        return answer
