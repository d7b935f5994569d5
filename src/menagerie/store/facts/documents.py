"""The documents of collections: where each comes from, what was found there, and how reading it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.store.connections import Database
from menagerie.store.facts.passages import REMOVED, Passages, next_change
from menagerie.store.tables import fact_collections, fact_documents, fact_vectors, generated_key

DocumentKind = Literal["file", "upload", "address"]
State = Literal["waiting", "ready", "failed", "removed"]
"""`removed` is a file of a folder that somebody has taken out: only its name is left, so that it is not read again."""


class DocumentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A document. `origin` is where it is read, one of its kind in its collection, and may be a path of this machine;
    `address` is what a citation may show. `code` and `values` are those of the error with which reading it failed.
    `embedded` counts the passages that have a vector of the model that was asked for; times are UTC."""

    key: int = 0
    id: str = ""
    collection: int
    kind: DocumentKind
    name: str
    origin: str
    folder: int | None = None
    address: str = ""
    size: int = 0
    modified_ns: int = 0
    sha256: str = ""
    etag: str = ""
    title: str = ""
    language: str = ""
    pages: int = 0
    state: State = "waiting"
    code: str = ""
    values: dict[str, str | float] = {}
    passages: int = 0
    embedded: int = 0
    added_at: datetime
    read_at: datetime | None = None


class Counts(msgspec.Struct, frozen=True):
    """How much there is in a collection."""

    documents: int
    failed: int
    passages: int
    embedded: int


class Documents:
    """The documents of a store."""

    def __init__(self, database: Database, passages: Passages) -> None:
        self._database = database
        self._passages = passages

    async def put(self, record: DocumentRecord) -> DocumentRecord:
        """A document of this collection and origin. One that is known keeps its id, its passages and its state, and is
        known from now on by the kind, name, folder, address, size, time and tag of `record`. Raises `facts.unknown`."""

        def work(connection: Connection) -> DocumentRecord:
            next_change(connection, record.collection)  # nobody else adds the same one meanwhile
            known = _by_origin(connection, record.collection, record.origin)
            if known is None:
                made = msgspec.structs.replace(record, id=record.id or str(uuid4()))
                values = {**_values(made), "version": 0, "writing": 0, "change": 0}
                key = generated_key(connection.execute(insert(fact_documents), values))
                return msgspec.structs.replace(made, key=key)
            values = {name: getattr(record, name) for name in _OF_FILE}
            connection.execute(_CHANGE.values(values), {"its_key": known.key})
            return msgspec.structs.replace(known, **values)

        return await self._database.write(work)

    async def get(self, document: str) -> DocumentRecord:
        """The document of this id. Raises `document.unknown`."""
        found = await self._database.read(
            lambda connection: connection.execute(_BY_ID, {"its_id": document}).mappings().one_or_none()
        )
        if found is None:
            raise MenagerieError(ErrorCode.DOCUMENT_UNKNOWN)
        return _record(found)

    async def find(self, collection: int, origin: str) -> DocumentRecord | None:
        """The document that is read at `origin`."""
        return await self._database.read(lambda connection: _by_origin(connection, collection, origin))

    async def list(
        self,
        collection: int,
        *,
        limit: int = 100,
        after: int = 0,
        model: str = "",
        folder: int | None = None,
        removed: bool = True,
    ) -> tuple[DocumentRecord, ...]:
        """At most `limit` documents, by their keys from the one after `after` on; only those of `folder`; `removed`
        ones among them, or not."""
        query = _LIST.where(fact_documents.c.collection == collection, fact_documents.c.key > after)
        if folder is not None:
            query = query.where(fact_documents.c.folder == folder)
        if not removed:
            query = query.where(fact_documents.c.state != "removed")

        def work(connection: Connection) -> tuple[DocumentRecord, ...]:
            rows = connection.execute(query.order_by(fact_documents.c.key).limit(limit)).mappings().all()
            embedded = _embedded(connection, [row["key"] for row in rows], model)
            return tuple(_record(row, embedded.get(row["key"], 0)) for row in rows)

        return await self._database.read(work)

    async def change(self, key: int, **fields: Any) -> None:
        """Set fields of `DocumentRecord`, of those that a search does not depend on. A document that has gone is not
        missed."""
        if "values" in fields:
            fields["values"] = msgspec.json.encode(fields["values"]).decode()
        if fields:
            await self._database.write(
                lambda connection: connection.execute(_CHANGE.values(fields), {"its_key": key})
            )

    async def fail(self, key: int, code: str, values: Mapping[str, str | float]) -> None:
        """Remember why a document was not read. What was read of it before is still searched."""
        now = datetime.now(UTC)
        await self.change(key, state="failed", code=code, values=dict(values), read_at=now)

    async def remove(self, keys: Sequence[int]) -> None:
        """Remove documents. They are unknown, and nothing of them is found, after the first of several transactions;
        should the process die before the last, `Passages.sweep` goes on."""

        def work(connection: Connection) -> None:
            living = select(fact_collections.c.key).where(~fact_collections.c.removed)
            touched = select(fact_documents.c.collection).where(
                fact_documents.c.key.in_(keys), fact_documents.c.collection.in_(living)
            )
            for collection in sorted(connection.execute(touched.distinct()).scalars()):
                next_change(connection, collection)
            connection.execute(_REMOVE, [{"its_key": key, "nameless": f"-{key}"} for key in keys])

        if keys:
            await self._database.erase(work)
            await self._passages.sweep(keys)
            await self._passages.tidy()

    async def counts(self, collection: int, model: str = "") -> Counts:
        """How much there is in a collection, and how much of it has vectors of `model`."""

        def work(connection: Connection) -> Counts:
            rows = connection.execute(_STATES, {"its_collection": collection}).all()
            embedded = connection.execute(
                _ALL_EMBEDDED, {"its_collection": collection, "its_model": model}
            ).scalar_one()
            return Counts(
                documents=sum(count for _, count, _ in rows),
                failed=sum(count for state, count, _ in rows if state == "failed"),
                passages=sum(int(passages) for _, _, passages in rows),
                embedded=embedded,
            )

        return await self._database.read(work)


def _by_origin(connection: Connection, collection: int, origin: str) -> DocumentRecord | None:
    query = _LIST.where(fact_documents.c.collection == collection, fact_documents.c.origin == origin)
    found = connection.execute(query).mappings().one_or_none()
    return None if found is None else _record(found)


def _embedded(connection: Connection, documents: Sequence[int], model: str) -> dict[int, int]:
    if not model or not documents:
        return {}
    query = (
        select(fact_vectors.c.document, func.count())
        .where(fact_vectors.c.document.in_(documents), fact_vectors.c.model == model)
        .group_by(fact_vectors.c.document)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _values(record: DocumentRecord) -> dict[str, Any]:
    values = msgspec.structs.asdict(record)
    del values["key"], values["embedded"]
    return {**values, "values": msgspec.json.encode(record.values).decode()}


def _record(row: RowMapping, embedded: int = 0) -> DocumentRecord:
    values = msgspec.json.decode(row["values"], type=dict[str, str | float])
    return DocumentRecord(**{**row, "values": values, "embedded": embedded})


_OF_FILE: Final = ("kind", "name", "folder", "address", "size", "modified_ns", "etag")
_COLUMNS: Final = tuple(name for name in DocumentRecord.__struct_fields__ if name != "embedded")
_LIST: Final = select(*(fact_documents.c[name] for name in _COLUMNS)).where(
    fact_documents.c.version != REMOVED
)
_BY_ID: Final = _LIST.where(fact_documents.c.id == bindparam("its_id"))
_CHANGE: Final = update(fact_documents).where(fact_documents.c.key == bindparam("its_key"))
_REMOVE: Final = _CHANGE.values(version=REMOVED, origin=bindparam("nameless"), title="", name="", address="")
_STATES: Final = (
    select(
        fact_documents.c.state,
        func.count(),
        func.coalesce(func.sum(fact_documents.c.passages), 0),
    )
    .where(
        fact_documents.c.collection == bindparam("its_collection"),
        fact_documents.c.version != REMOVED,
        fact_documents.c.state != "removed",
    )
    .group_by(fact_documents.c.state)
)
_ALL_EMBEDDED: Final = (
    select(func.count())
    .select_from(fact_vectors)
    .join(fact_documents, fact_documents.c.key == fact_vectors.c.document)
    .where(
        fact_documents.c.collection == bindparam("its_collection"),
        fact_documents.c.version != REMOVED,
        fact_vectors.c.model == bindparam("its_model"),
    )
)
