"""A client of `menagerie.events.v1`, and what the store of its service says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.service import Service

EVENTS = Subprotocol("menagerie.events.v1")
LAST = {"done", "failed", "ended"}
Event = dict[str, Any]


@contextlib.asynccontextmanager
async def socket(service: Service, user: str = "ana", **query: str) -> AsyncIterator[ClientConnection]:
    headers = {"X-Forwarded-User": user} if user else {}
    url = service.socket_url(**query)
    async with connect(url, subprotocols=[EVENTS], additional_headers=headers) as opened:
        yield opened


async def until(opened: ClientConnection, *kinds: str, count: int = 1) -> list[Event]:
    """Events up to the `count`th of these kinds, or the last one."""
    events: list[Event] = []
    async with asyncio.timeout(60):
        async for frame in opened:
            events.append(json.loads(frame))
            count -= events[-1]["type"] in kinds
            if events[-1]["type"] in LAST or not count:
                break
    return events


async def turn(opened: ClientConnection, **request: Any) -> list[Event]:
    await opened.send(json.dumps(request))
    return await until(opened)


def text_of(events: list[Event]) -> str:
    return "".join(event["text"] for event in events if event["type"] == "token")


def stored(service: Service, query: str, *values: str) -> list[Any]:
    (database,) = service.data.glob("*.sqlite3")
    with sqlite3.connect(database) as connection:
        return connection.execute(query, values).fetchall()


def answer_of(service: Service, turn: str) -> str:
    said = "SELECT content FROM messages JOIN turns ON messages.turn = turns.key"
    ((answer,),) = stored(service, f"{said} WHERE turns.id = ? AND role = 'assistant'", turn)
    return str(answer)


def wait_for_outcome(service: Service, outcome: str) -> None:
    began = time.monotonic()
    while stored(service, "SELECT outcome FROM turns") != [(outcome,)]:
        assert time.monotonic() - began < 20
        time.sleep(0.05)


def name() -> str:
    return str(uuid4())
