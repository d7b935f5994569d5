"""The store: sessions, the record of every turn, keys, and the log of everything that happened."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import URL, Connection, insert, make_url
from sqlalchemy.exc import ArgumentError

from menagerie.store import schema
from menagerie.store.batches import Batches
from menagerie.store.connections import Database
from menagerie.store.conversations import Conversations
from menagerie.store.facts import Facts
from menagerie.store.failures import Reason, StoreUnavailableError, unavailable
from menagerie.store.files import Files
from menagerie.store.keys import Keys
from menagerie.store.log import Log
from menagerie.store.sessions import Sessions
from menagerie.store.tables import generated_key, instances
from menagerie.store.turns import Turns

log = structlog.get_logger(__name__)

FILE_NAME: Final = "menagerie.sqlite3"
WATCH_S: Final = 15.0
VISITOR: Final = 0
"""The number of a store that was opened by no service; services have numbers from 1."""


class Store:
    """An open store. Its parts raise `MenagerieError` only; what the database said goes to the log."""

    def __init__(self, database: Database, instance: int) -> None:
        self._database = database
        self._instance = instance
        self.log = Log(database)
        self.files = Files(database)
        self.batches = Batches(database, instance)
        self.facts = Facts(database)
        self.keys = Keys(database)
        self.sessions = Sessions(database)
        self.conversations = Conversations(database, self.log)
        self.turns = Turns(database, self.log, instance)
        self._watch = (
            asyncio.create_task(self._keep_watch()) if database.shared and instance != VISITOR else None
        )

    @classmethod
    async def open(cls, url: str, data: Path) -> Store:
        """Open the store at `url` (`sqlite:///path` or `postgresql://user:password@host/name`); without one,
        the SQLite file in the folder `data`. Creates it and brings its tables up to date.

        Raises `StoreUnavailableError`, whose text names the place and the reason.
        """
        address = _parse(url, data)
        place = _place(address)
        try:
            database = await _open(address)
            try:
                await database.write(schema.upgrade)
                instance = await database.write(_register)
                await database.claim(instance)
            except BaseException:
                await database.close()
                raise
        except StoreUnavailableError as failure:
            raise failure.at(place) from failure
        return cls(database, instance)

    @classmethod
    async def visit(cls, url: str, data: Path, *, upgrade: bool = True) -> Store:
        """Open the store that `open` would open, beside the services that may be using it: for a command, not for
        turns. It keeps no lock and is no service. Where there are no tables yet, or old ones, it brings them up to date
        first, unless `upgrade` is False.

        Raises as `open` does, with `outdated` where it may not, or cannot because a service is at work.
        """
        address = _parse(url, data)
        try:
            if not await _is_current(address):
                await _upgrade(address, allowed=upgrade)
            return cls(await _beside(address), VISITOR)
        except StoreUnavailableError as failure:
            raise failure.at(_place(address)) from failure

    @staticmethod
    async def look(url: str, data: Path) -> schema.Age:
        """How the store that `open` would open stands to this version of the service; changes nothing in it.

        Raises as `open` does, with `in_use` where a service has it open.
        """
        address = _parse(url, data)
        in_file = address.get_backend_name() == "sqlite"
        if in_file and not await asyncio.to_thread(Path(address.database or "").exists):
            return "new"
        try:
            database = await _open(address)
            try:
                return await database.read(schema.age)
            finally:
                await database.close()
        except StoreUnavailableError as failure:
            raise failure.at(_place(address)) from failure

    async def close(self) -> None:
        """Write what waits, and let go of the database. The second time it does nothing."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        await self.turns.close()
        await self.log.close()
        await self._database.close()

    async def _keep_watch(self) -> None:
        """Stay known as alive, and end the turns of services that no longer are."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self._database.claim(self._instance)
                await self.turns.close_interrupted()
            except StoreUnavailableError as failure:
                log.warning("store_watch_failed", reason=failure.reason.value)


async def _open(address: URL) -> Database:
    kind = address.get_backend_name()
    if kind == "sqlite":
        from menagerie.store.sqlite import Sqlite

        return await Sqlite.open(Path(address.database or ""))
    try:
        from menagerie.store.postgres import Postgres
    except ModuleNotFoundError as failure:
        raise unavailable(failure) from failure
    return await Postgres.open(address)


async def _beside(address: URL) -> Database:
    """The database as it is, with no lock on it."""
    if address.get_backend_name() == "sqlite":
        from menagerie.store.sqlite import Sqlite

        return await Sqlite.visit(Path(address.database or ""))
    return await _open(address)


async def _is_current(address: URL) -> bool:
    try:
        database = await _beside(address)
    except StoreUnavailableError as failure:
        if failure.reason is Reason.OUTDATED:
            return False
        raise
    try:
        return await database.read(schema.age) == "current"
    finally:
        await database.close()


async def _upgrade(address: URL, *, allowed: bool) -> None:
    """Create the tables or bring them up to date, with the lock that keeps services out meanwhile."""
    if not allowed:
        raise StoreUnavailableError(Reason.OUTDATED)
    try:
        database = await _open(address)
    except StoreUnavailableError as failure:
        raise StoreUnavailableError(
            Reason.OUTDATED if failure.reason is Reason.IN_USE else failure.reason
        ) from failure
    try:
        await database.write(schema.upgrade)
    finally:
        await database.close()


def _parse(url: str, data: Path) -> URL:
    if not url:
        return URL.create("sqlite", database=str(data / FILE_NAME))
    try:
        address = make_url(url.replace("postgres://", "postgresql://", 1))
    except ArgumentError as failure:
        raise StoreUnavailableError(Reason.ADDRESS, "MENAGERIE_DATABASE") from failure
    kind = address.get_backend_name()
    named = address.database not in (None, "", ":memory:")
    if not named or kind not in ("sqlite", "postgresql"):
        raise StoreUnavailableError(Reason.ADDRESS, "MENAGERIE_DATABASE")
    return address


def _place(address: URL) -> str:
    if address.get_backend_name() == "sqlite":
        return str(address.database)
    return address.set(query={}).render_as_string(hide_password=True)


def _register(connection: Connection) -> int:
    return generated_key(connection.execute(insert(instances), {"started": datetime.now(UTC)}))
