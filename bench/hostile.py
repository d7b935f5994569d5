"""Hostile addresses: how many of them are refused, and what a listener on this machine sees. Nothing leaves it."""

from __future__ import annotations

import sys

from tests.net.hostile_addresses import Outcome, listening, loopback, outcome_of, written

from bench.figure import Figure
from menagerie.settings import Settings


async def hostile() -> list[Figure]:
    """Try every address of the list, and those that lead to this machine where somebody listens."""
    async with listening() as listener:
        settings = Settings(fetch_ports=f"80,443,{listener.port}")  # type: ignore[arg-type]
        addresses = list(dict.fromkeys([*written(listener.port), *loopback(listener.port)]))
        found = await outcome_of(addresses, settings, listener)
    for one in [*found.taken, *found.left]:
        print(f"not refused: {one}", file=sys.stderr)
    return [_refused(found), _seen(found)]


def _refused(found: Outcome) -> Figure:
    refused = found.tried - len(found.taken)
    return Figure(
        "hostile addresses",
        refused,
        f"{found.tried}",
        refused == found.tried and not found.left,
        f"refused {refused} of {found.tried}, connections seen {found.connections}",
    )


def _seen(found: Outcome) -> Figure:
    return Figure(
        "connections of theirs, by a listener",
        found.connections,
        "0",
        found.connections == 0,
        "on four addresses of this machine; nothing may leave it meanwhile",
    )
