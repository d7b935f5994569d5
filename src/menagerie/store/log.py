"""One log of everything that happened, written a fifth of a second at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal

import msgspec
import structlog
from sqlalchemy import Connection, insert, select

from menagerie.store.connections import Database
from menagerie.store.failures import StoreUnavailableError
from menagerie.store.tables import events

log = structlog.get_logger(__name__)

Severity = Literal["debug", "info", "warning", "error"]
FLUSH_S: Final = 0.2
RETRY_S: Final = 5.0
CAPACITY: Final = 10_000
"""Events that may wait in memory; beyond it the newest are dropped, and their number is logged."""

Row = dict[str, Any]
_INSERT: Final = insert(events)


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it was stored. `key` grows with every event; `data` is JSON."""

    key: int
    at: datetime
    severity: Severity
    subject: str
    event: str
    description: str
    data: str
    session: str
    user: str
    address: str


class Log:
    """The event log. `write` costs no I/O; what a killed process had not yet written (at most 0.2 s) is lost,
    except how turns ended, which is written together with the turn."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Row] = deque()
        self._dropped = 0
        self._order: AbstractAsyncContextManager[None] = asyncio.Lock() if database.shared else nullcontext()
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None

    def write(
        self,
        event: str,
        *,
        severity: Severity = "info",
        subject: str = "",
        description: str = "",
        data: Mapping[str, object] | None = None,
        session: str = "",
        user: str = "",
        address: str = "",
        at: datetime | None = None,
    ) -> None:
        """Add an event (`turn_accepted`, `model_loaded` …). To be called from the event loop; never fails."""
        self.add(
            row(
                event,
                severity=severity,
                subject=subject,
                description=description,
                data=data,
                session=session,
                user=user,
                address=address,
                at=at,
            )
        )

    def add(self, line: Row) -> None:
        """Add an event made by `row`."""
        if len(self._waiting) >= CAPACITY:
            self._dropped += 1
            return
        self._waiting.append(line)
        self._flush_in(FLUSH_S)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[list[Row]]:
        """All events that wait, for a transaction that writes them, and its own after them. If it fails, they
        wait on. One such transaction runs after the other, so that the log is in the order of what happened."""
        async with self._order:
            taken = self._take()
            try:
                yield taken
            except BaseException:
                self._waiting.extendleft(reversed(taken))
                self._flush_in(RETRY_S)
                raise

    async def flush(self) -> None:
        """Write what waits. Raises `StoreUnavailableError`; the events then wait on."""
        async with self.writing() as lines:
            if lines:
                await self._database.write(partial(insert_events, lines=lines))

    async def read(self, after: int = 0, limit: int = 100) -> tuple[LoggedEvent, ...]:
        """At most `limit` events after the one with the key `after`, oldest first."""
        query = select(events).where(events.c.key > after).order_by(events.c.key).limit(limit)
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        return tuple(LoggedEvent(**found) for found in rows)

    async def close(self) -> None:
        """Write what waits, or say how much is lost."""
        if self._timer is not None:
            self._timer.cancel()
        if self._flushing is not None:
            await self._flushing
        try:
            await self.flush()
        except StoreUnavailableError:
            log.error("events_lost", count=len(self._waiting))  # noqa: TRY400 - the failure is logged already
        if self._timer is not None:
            self._timer.cancel()

    def _take(self) -> list[Row]:
        taken = list(self._waiting)
        self._waiting.clear()
        if self._dropped:
            taken.append(row("events_dropped", severity="warning", data={"count": self._dropped}))
            self._dropped = 0
        return taken

    def _flush_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._flush_now)

    def _flush_now(self) -> None:
        self._timer = None
        if self._flushing is not None and not self._flushing.done():
            self._flush_in(FLUSH_S)
        elif self._waiting:
            self._flushing = asyncio.get_running_loop().create_task(self._try_flush())

    async def _try_flush(self) -> None:
        try:
            await self.flush()
        except StoreUnavailableError:
            log.warning("events_wait", count=len(self._waiting))


def row(
    event: str,
    *,
    severity: Severity = "info",
    subject: str = "",
    description: str = "",
    data: Mapping[str, object] | None = None,
    session: str = "",
    user: str = "",
    address: str = "",
    at: datetime | None = None,
) -> Row:
    """One line of the log. `data` is anything that JSON can hold."""
    return {
        "at": at or datetime.now(UTC),
        "severity": severity,
        "subject": subject,
        "event": event,
        "description": description,
        "data": msgspec.json.encode(data).decode() if data else "{}",
        "session": session,
        "user": user,
        "address": address,
    }


def insert_events(connection: Connection, lines: Sequence[Row]) -> None:
    """Write events within a transaction."""
    connection.execute(_INSERT, list(lines))
