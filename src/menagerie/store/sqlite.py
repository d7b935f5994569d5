"""SQLite: one file in the data folder, one service at a time and commands that visit, every transaction whole on a
thread of its own."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from menagerie.store.connections import Work
from menagerie.store.failures import Reason, StoreUnavailableError, unavailable

T = TypeVar("T")

READERS: Final = 2
LOCKED_FOR_S: Final = 5
PATIENCE_S: Final = 10.0
"""How long a transaction may wait for its turn before it is refused instead of run."""
ERASED_S: Final = 0.5
"""How long a deletion waits until what it deleted is out of the log of writes too; that goes on without it, …"""
AGAIN_S: Final = (0.1, 60.0)
"""… tried again after so many seconds, which double from the first to the last of these."""

PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "foreign_keys = ON",
    "secure_delete = ON",
    "journal_size_limit = 67108864",
    f"busy_timeout = {LOCKED_FOR_S * 1000}",
)


class Sqlite:
    """A SQLite database, reached through `write` and `read` from one event loop."""

    shared = False

    def __init__(self, engine: Engine, lock: int | None) -> None:
        self._engine = engine
        self._reading = engine.execution_options(reading=True)
        self._lock = lock
        self._instance = 0
        self._closed = False
        self._erasing: set[asyncio.Task[None]] = set()
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._readers = ThreadPoolExecutor(READERS, "store-reader")

    @classmethod
    async def open(cls, path: Path) -> Sqlite:
        """Open the database in `path`, and create it, readable by its owner only, where there is none.

        Raises `StoreUnavailableError`; with `in_use` where another service has it open.
        """
        try:
            lock = await asyncio.to_thread(_prepare, path)
        except OSError as failure:
            raise unavailable(failure) from failure
        return cls(_engine(path), lock)

    @classmethod
    async def visit(cls, path: Path) -> Sqlite:
        """Open the database in `path` beside the service that may be using it, without its lock.

        Raises `StoreUnavailableError`; with `outdated` where there is no file.
        """
        if not await asyncio.to_thread(path.exists):
            raise StoreUnavailableError(Reason.OUTDATED)
        return cls(_engine(path), None)

    async def write(self, work: Work[T]) -> T:
        return await self._run(self._writer, self._engine, work)

    async def erase(self, work: Work[T]) -> T:
        try:
            return await self.write(work)
        finally:
            # Also when the caller went away meanwhile: the transaction runs all the same.
            if not self._closed:
                erasing = asyncio.create_task(self._empty_log())
                self._erasing.add(erasing)
                erasing.add_done_callback(self._erasing.discard)
                await asyncio.wait({erasing}, timeout=ERASED_S)

    async def read(self, work: Work[T]) -> T:
        return await self._run(self._readers, self._reading, work)

    async def claim(self, instance: int) -> None:
        self._instance = instance

    def living(self) -> tuple[int, ...]:
        """This service alone: the lock on the file keeps every other one out."""
        return (self._instance,)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            for erasing in self._erasing:
                erasing.cancel()
            await asyncio.gather(*self._erasing, return_exceptions=True)
            await asyncio.to_thread(self._let_go)

    async def _run(self, threads: ThreadPoolExecutor, engine: Engine, work: Work[T]) -> T:
        if self._closed:
            raise StoreUnavailableError(Reason.CLOSED)
        latest = time.monotonic() + PATIENCE_S
        return await asyncio.get_running_loop().run_in_executor(threads, _transact, engine, work, latest)

    async def _empty_log(self) -> None:
        """Move what was written into the database's file, and leave nothing in the log beside it."""
        pause, longest = AGAIN_S
        loop = asyncio.get_running_loop()
        while not await loop.run_in_executor(self._writer, _emptied, self._engine):
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    def _let_go(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()
        if self._lock is not None:
            os.close(self._lock)


def _transact(engine: Engine, work: Callable[[Connection], T], latest: float) -> T:
    if time.monotonic() > latest:
        raise StoreUnavailableError(Reason.BUSY)
    try:
        with engine.begin() as connection:
            return work(connection)
    except (SQLAlchemyError, sqlite3.Error, OSError) as failure:
        raise unavailable(failure) from failure


def _emptied(engine: Engine) -> bool:
    """Whether the log of writes (`-wal`) could be emptied: not while somebody reads what is older than its end. It does
    not wait for them, since other writes wait meanwhile."""
    try:
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            (patience,) = cursor.execute("PRAGMA busy_timeout").fetchone()
            cursor.execute("PRAGMA busy_timeout = 0")
            try:
                (busy, *_) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {patience}")
            return not busy
        finally:
            connection.close()
    except (SQLAlchemyError, sqlite3.Error, OSError):
        return False


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        pool_size=1 + READERS,
        max_overflow=0,
        pool_reset_on_return=None,
        hide_parameters=True,
        connect_args={"isolation_level": None, "check_same_thread": False},
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    # Left to itself, SQLite takes the write lock at the first write and fails at once if it read before.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _prepare(path: Path) -> int:
    """Make folder and file, and take the lock beside the file, which the system frees when we die."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _exclude_others(lock)
    except OSError as failure:
        os.close(lock)
        if isinstance(failure, BlockingIOError | PermissionError):
            raise StoreUnavailableError(Reason.IN_USE) from failure
        raise
    return lock


def _exclude_others(lock: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
