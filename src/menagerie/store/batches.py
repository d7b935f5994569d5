"""Batches of requests: who wants what answered, by when, and how far it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.store.connections import Database
from menagerie.store.files import File, insert_files
from menagerie.store.tables import OPEN, batches

Status = Literal[
    "validating",
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
]
BEGINNING: Final[tuple[Status, ...]] = ("validating",)
MAY_BE_CANCELLED: Final[tuple[Status, ...]] = ("validating", "in_progress")
ASKING: Final[tuple[Status, ...]] = ("in_progress",)
ENDING: Final[tuple[Status, ...]] = ("in_progress", "finalizing", "cancelling")
UNENDED: Final[tuple[Status, ...]] = (*BEGINNING, *ENDING)


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch. `address` is the caller's, `api_key` the id of the key they showed, `metadata` and `errors` are JSON;
    `total`, `completed` and `failed` count rows. Times are UTC."""

    id: str
    owner: str
    address: str
    api_key: str
    language: str
    endpoint: str
    window: str
    input_file: str
    output_file: str = ""
    error_file: str = ""
    status: Status = "validating"
    metadata: str = ""
    errors: str = ""
    total: int = 0
    completed: int = 0
    failed: int = 0
    created_at: datetime
    expires_at: datetime
    in_progress_at: datetime | None = None
    finalizing_at: datetime | None = None
    completed_at: datetime | None = None
    failed_at: datetime | None = None
    expired_at: datetime | None = None
    cancelling_at: datetime | None = None
    cancelled_at: datetime | None = None


class Batches:
    """The batches of a store, as one service (`instance`) runs them. A batch of somebody else behaves as if it did not
    exist."""

    def __init__(self, database: Database, instance: int) -> None:
        self._database = database
        self._instance = instance

    async def add(self, batch: Batch) -> None:
        """Remember a batch that this service is to run."""
        values = {**msgspec.structs.asdict(batch), "instance": self._instance}
        await self._database.write(lambda connection: connection.execute(insert(batches), values))

    async def get(self, batch: str, user: User) -> Batch:
        """A batch as it is now. Raises `batch.unknown`."""
        return await self._database.read(lambda connection: _batch(_row(connection, batch, user)))

    async def list(self, owner: User, *, limit: int, after: str = "") -> tuple[Batch, ...]:
        """At most `limit` batches of `owner` from the one after `after` on, the newest first. Nobody in particular has
        no list. Raises `batch.unknown` for an `after` that is not theirs."""
        if not owner.names:
            return ()

        def work(connection: Connection) -> tuple[Batch, ...]:
            query = select(batches).where(batches.c.owner.in_(owner.names)).limit(limit)
            if after:
                query = query.where(batches.c.key < _row(connection, after, owner)["key"])
            found = connection.execute(query.order_by(batches.c.key.desc())).mappings()
            return tuple(map(_batch, found))

        return await self._database.read(work)

    async def to_do(self) -> tuple[Batch, ...]:
        """The open batches of this service and of services that are dead, the oldest first."""
        living = self._database.living()

        def work(connection: Connection) -> tuple[Batch, ...]:
            others = batches.c.instance.not_in(living)
            query = (
                select(batches)
                .where(batches.c.status.in_(OPEN), others | (batches.c.instance == self._instance))
                .order_by(batches.c.key)
            )
            return tuple(map(_batch, connection.execute(query).mappings()))

        return await self._database.read(work)

    async def adopt(self, batch: Batch) -> bool:
        """Become the service that runs a batch of a dead one; False where another one was faster."""
        living = self._database.living()

        def work(connection: Connection) -> bool:
            mine = (
                update(batches)
                .where(
                    batches.c.id == batch.id,
                    batches.c.instance.not_in(living) | (batches.c.instance == self._instance),
                )
                .values(instance=self._instance)
            )
            return connection.execute(mine).rowcount == 1

        return await self._database.write(work)

    async def change(
        self,
        batch: str,
        states: Collection[Status],
        values: Mapping[str, object],
        made: Sequence[File] = (),
    ) -> Batch | None:
        """Set `values` of a batch that is in one of `states`, and remember the files that it has `made`, in one
        transaction. Gives the batch as it is then; None where it is in another state."""

        def work(connection: Connection) -> Batch | None:
            query = (
                update(batches)
                .where(batches.c.id == batch, batches.c.status.in_(states))
                .values(dict(values))
            )
            if connection.execute(query).rowcount != 1:
                return None
            insert_files(connection, list(made))
            return _batch(connection.execute(_GET, {"batch_id": batch}).mappings().one())

        return await self._database.write(work)


def _row(connection: Connection, batch: str, user: User) -> RowMapping:
    found = connection.execute(_GET, {"batch_id": batch}).mappings().one_or_none()
    if found is None or not user.owns(found["owner"]):
        raise MenagerieError(ErrorCode.BATCH_UNKNOWN)
    return found


def _batch(row: RowMapping) -> Batch:
    return Batch(**{name: row[name] for name in Batch.__struct_fields__})


_GET: Final = select(batches).where(batches.c.id == bindparam("batch_id"))
