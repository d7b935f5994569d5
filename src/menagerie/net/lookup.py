"""Host names for pages: looked up in threads of their own, and every answer checked before anybody connects to it."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from menagerie.net.addresses import AddressRules
from menagerie.net.failure import NetworkError, Reason

THREADS: Final = 8
"""Look-ups at a time. Their threads are not those that the service works in: a name that is slow delays names only."""

_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_PASSING: Final = frozenset({socket.EAI_AGAIN, socket.EAI_SYSTEM, socket.EAI_MEMORY})


class SystemResolver(AbstractResolver):
    """The machine's own way to resolve names."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises `socket.gaierror`."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        return [
            ResolveResult(
                hostname=host, host=str(place[0]), port=port, family=kind, proto=protocol, flags=_NUMERIC
            )
            for kind, _, protocol, _, place in found
        ]

    async def close(self) -> None:
        """Wait for no look-up that still runs."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class CheckedResolver(AbstractResolver):
    """Resolves by `resolver`, and gives the addresses of a host only if the rules permit every one of them.

    A name that has no address is refused like one whose address may not be connected to: which names there are
    inside is told to nobody.
    """

    def __init__(self, rules: AddressRules, resolver: AbstractResolver, reason: Reason = "refused") -> None:
        self._rules = rules
        self._resolver = resolver
        self._reason: Reason = reason

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises `NetworkError` with the reason that this resolver refuses with, or `unreachable` where the look-up
        itself failed."""
        try:
            found = await self._resolver.resolve(host, port, family)
        except OSError as failure:
            passing = not isinstance(failure, socket.gaierror) or failure.errno in _PASSING
            raise NetworkError("unreachable" if passing else self._reason, host=host) from failure
        if not found or not all(self._rules.permit(host, ip_address(one["host"])) for one in found):
            raise NetworkError(self._reason, host=host)
        return found

    async def close(self) -> None:
        """Close the resolver behind it."""
        await self._resolver.close()
