"""Files of batches: what is known of them. What is in them lies in the data folder."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, RowMapping, Select, bindparam, delete, insert, select

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.store.connections import Database
from menagerie.store.tables import OPEN, batches, files

Order = Literal["asc", "desc"]


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file. `filename` is what its owner calls it, never a path of ours; times are UTC."""

    id: str
    owner: str
    filename: str
    purpose: str
    sha256: str
    bytes: int
    created_at: datetime
    expires_at: datetime | None = None


class Files:
    """The files of a store. A file of somebody else behaves as if it did not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, file: File) -> None:
        """Remember a file that lies in its place."""
        await self._database.write(lambda connection: insert_files(connection, [file]))

    async def get(self, file: str, user: User) -> File:
        """What is known of a file. Raises `file.unknown`."""
        return await self._database.read(lambda connection: _owned(connection, file, user))

    async def list(
        self, owner: User, *, limit: int, after: str = "", order: Order = "desc", purpose: str = ""
    ) -> tuple[File, ...]:
        """At most `limit` files of `owner` from the one after `after` on, by age. Nobody in particular has no list:
        their ids are all that protects what they made. Raises `file.unknown` for an `after` that is not theirs."""
        if not owner.names:
            return ()

        def work(connection: Connection) -> tuple[File, ...]:
            query = select(files).where(files.c.owner.in_(owner.names)).limit(limit)
            if purpose:
                query = query.where(files.c.purpose == purpose)
            if after:
                query = _beyond(connection, query, _row(connection, after, owner)["key"], order)
            query = query.order_by(files.c.key if order == "asc" else files.c.key.desc())
            return tuple(_file(row) for row in connection.execute(query).mappings())

        return await self._database.read(work)

    async def delete(self, file: str, user: User) -> None:
        """Forget a file. Raises `file.unknown`."""

        def work(connection: Connection) -> None:
            _owned(connection, file, user)
            connection.execute(_DELETE, {"file_id": file})

        await self._database.write(work)

    async def forget_expired(self, now: datetime) -> tuple[str, ...]:
        """Forget the files whose time is over and that no batch waits for; gives their ids."""

        def work(connection: Connection) -> tuple[str, ...]:
            late = tuple(connection.execute(_EXPIRED, {"now": now}).scalars())
            for file in late:
                connection.execute(_DELETE, {"file_id": file})
            return late

        return await self._database.write(work)


def insert_files(connection: Connection, made: list[File]) -> None:
    """Remember files, in a transaction of the caller's."""
    for file in made:
        connection.execute(insert(files), msgspec.structs.asdict(file))


def _row(connection: Connection, file: str, user: User) -> RowMapping:
    found = connection.execute(_GET, {"file_id": file}).mappings().one_or_none()
    if found is None or not user.owns(found["owner"]):
        raise MenagerieError(ErrorCode.FILE_UNKNOWN)
    return found


def _owned(connection: Connection, file: str, user: User) -> File:
    return _file(_row(connection, file, user))


def _beyond(connection: Connection, query: Select[Any], key: int, order: Order) -> Select[Any]:
    return query.where(files.c.key > key if order == "asc" else files.c.key < key)


def _file(row: RowMapping) -> File:
    return File(**{name: row[name] for name in File.__struct_fields__})


_GET: Final = select(files).where(files.c.id == bindparam("file_id"))
_DELETE: Final = delete(files).where(files.c.id == bindparam("file_id"))
_WANTED: Final = select(batches.c.input_file).where(batches.c.status.in_(OPEN))
_EXPIRED: Final = select(files.c.id).where(files.c.expires_at <= bindparam("now"), files.c.id.not_in(_WANTED))
