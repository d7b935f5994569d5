"""The event log when it cannot be written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from menagerie.store import log as log_module
from menagerie.store import schema
from menagerie.store.failures import StoreUnavailableError
from menagerie.store.log import Log
from menagerie.store.sqlite import Sqlite


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Sqlite]:
    opened = await Sqlite.open(tmp_path / "log.sqlite3")
    await opened.write(schema.upgrade)
    yield opened
    await opened.close()


async def writable(database: Sqlite, yes: bool) -> None:
    await database.read(lambda found: found.exec_driver_sql(f"PRAGMA query_only = {'OFF' if yes else 'ON'}"))


async def test_events_that_could_not_be_written_wait_in_their_order(database: Sqlite) -> None:
    log = Log(database)
    await writable(database, False)
    log.write("first")
    writing = asyncio.create_task(log.flush())
    await asyncio.sleep(0)
    log.write("second")
    with pytest.raises(StoreUnavailableError):
        await writing
    await writable(database, True)
    await log.flush()
    assert [line.event for line in await log.read()] == ["first", "second"]
    await log.close()


async def test_events_beyond_the_capacity_are_counted(
    database: Sqlite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "CAPACITY", 3)
    log = Log(database)
    for number in range(8):
        log.write(f"event_{number}")
    await log.close()
    lines = await log.read()
    assert [line.event for line in lines] == ["event_0", "event_1", "event_2", "events_dropped"]
    assert lines[-1].data == '{"count":5}'


async def test_a_log_that_cannot_be_written_closes_all_the_same(database: Sqlite) -> None:
    log = Log(database)
    await writable(database, False)
    log.write("lost")
    async with asyncio.timeout(2):
        await log.close()
    await writable(database, True)
    assert await log.read() == ()


async def test_the_log_tries_again_by_itself(database: Sqlite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "FLUSH_S", 0.02)
    monkeypatch.setattr(log_module, "RETRY_S", 0.05)
    log = Log(database)
    await writable(database, False)
    log.write("patient")
    await asyncio.sleep(0.15)
    assert await log.read() == ()
    await writable(database, True)
    for _ in range(100):
        if await log.read():
            break
        await asyncio.sleep(0.02)
    assert [line.event for line in await log.read()] == ["patient"]
    await log.close()
