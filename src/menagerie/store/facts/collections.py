"""Collections of facts, and the folders that they are filled from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.store.connections import Database
from menagerie.store.facts.passages import REMOVED, Passages
from menagerie.store.tables import fact_collections, fact_documents, fact_folders, generated_key


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection. What its `readers` mean is for those who check them; times are UTC."""

    key: int = 0
    name: str
    title: str = ""
    owner: str = ""
    readers: tuple[str, ...] = ()
    created_at: datetime
    change: int = 0
    """Grows with whatever changes what a search may find."""


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of this machine that a collection is filled from. `mark` tells one disk's from another's."""

    key: int = 0
    collection: int
    path: str
    watched: bool = False
    mark: str = ""
    looked_at: datetime | None = None
    problem: str = ""


class Collections:
    """The collections of a store."""

    def __init__(self, database: Database, passages: Passages) -> None:
        self._database = database
        self._passages = passages

    async def create(self, collection: Collection) -> Collection:
        """A new collection, with its key. Raises `facts.name_taken`."""

        def work(connection: Connection) -> Collection:
            if connection.execute(_BY_NAME, {"its_name": collection.name}).first() is not None:
                raise MenagerieError(ErrorCode.FACTS_NAME_TAKEN, name=collection.name)
            values = msgspec.structs.asdict(collection)
            del values["key"]
            values |= {"readers": _json(collection.readers), "removed": False}
            key = generated_key(connection.execute(insert(fact_collections), values))
            return msgspec.structs.replace(collection, key=key)

        return await self._database.write(work)

    async def get(self, name: str) -> Collection:
        """The collection of this name. Raises `facts.unknown`."""
        found = await self._database.read(
            lambda connection: connection.execute(_BY_NAME, {"its_name": name}).mappings().one_or_none()
        )
        if found is None:
            raise MenagerieError(ErrorCode.FACTS_UNKNOWN, name=name)
        return _collection(found)

    async def list(self) -> tuple[Collection, ...]:
        """All of them, by name."""
        rows = await self._database.read(lambda connection: connection.execute(_LIST).mappings().all())
        return tuple(map(_collection, rows))

    async def change(
        self, key: int, *, title: str | None = None, readers: Sequence[str] | None = None
    ) -> Collection:
        """Give it another title, or other readers. Raises `facts.unknown`."""
        values: dict[str, Any] = {}
        if title is not None:
            values["title"] = title
        if readers is not None:
            values["readers"] = _json(readers)

        def work(connection: Connection) -> Collection:
            known = fact_collections.c.key == key
            if values:
                connection.execute(update(fact_collections).where(known).values(values))
            found = connection.execute(_LIST.where(known)).mappings().one_or_none()
            if found is None:
                raise MenagerieError(ErrorCode.FACTS_UNKNOWN, name="")
            return _collection(found)

        return await self._database.write(work)

    async def remove(self, key: int) -> None:
        """Remove it with all that is in it. It is unknown, and nothing of it is found, after the first of several
        transactions; should the process die before the last, `Passages.sweep` goes on."""

        def work(connection: Connection) -> list[int]:
            connection.execute(_REMOVE, {"its_key": key, "nameless": f"-{key}"})
            connection.execute(_FORGET_FOLDERS, {"its_collection": key})
            connection.execute(_FORGET_DOCUMENTS, {"its_collection": key})
            return list(connection.execute(_DOCUMENTS, {"its_collection": key}).scalars())

        documents = await self._database.erase(work)
        await self._passages.sweep(documents)
        await self._passages.tidy()

    async def add_folder(self, folder: Folder) -> Folder:
        """A folder of a collection; where it has that one, `watched` is set anew. Raises `facts.unknown`."""

        def work(connection: Connection) -> Folder:
            living = _LIST.where(fact_collections.c.key == folder.collection)
            if connection.execute(living).first() is None:
                raise MenagerieError(ErrorCode.FACTS_UNKNOWN, name="")
            same = {"its_collection": folder.collection, "its_path": folder.path}
            known = connection.execute(_FOLDER, same).mappings().one_or_none()
            if known is not None:
                _set_folder(connection, known["key"], {"watched": folder.watched})
                return msgspec.structs.replace(_folder(known), watched=folder.watched)
            values = msgspec.structs.asdict(folder)
            del values["key"]
            key = generated_key(connection.execute(insert(fact_folders), values))
            return msgspec.structs.replace(folder, key=key)

        return await self._database.write(work)

    async def folders(
        self, collection: int | None = None, *, watched: bool | None = None
    ) -> tuple[Folder, ...]:
        """The folders of one collection, or of all, the oldest first; only those that are watched, or are not."""
        query = select(fact_folders).order_by(fact_folders.c.key)
        if collection is not None:
            query = query.where(fact_folders.c.collection == collection)
        if watched is not None:
            query = query.where(fact_folders.c.watched == watched)
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        return tuple(map(_folder, rows))

    async def change_folder(
        self,
        key: int,
        *,
        watched: bool | None = None,
        mark: str | None = None,
        looked_at: datetime | None = None,
        problem: str | None = None,
    ) -> None:
        """Set what is given. A folder that has gone is not missed."""
        given = {"watched": watched, "mark": mark, "looked_at": looked_at, "problem": problem}
        values = {name: value for name, value in given.items() if value is not None}
        if values:
            await self._database.write(lambda connection: _set_folder(connection, key, values))

    async def remove_folder(self, key: int) -> None:
        """Forget the folder, and leave its documents."""
        query = delete(fact_folders).where(fact_folders.c.key == key)
        await self._database.erase(lambda connection: connection.execute(query))


def _set_folder(connection: Connection, key: int, values: dict[str, Any]) -> None:
    connection.execute(update(fact_folders).where(fact_folders.c.key == key).values(values))


def _json(names: Sequence[str]) -> str:
    return msgspec.json.encode(tuple(names)).decode()


def _collection(row: RowMapping) -> Collection:
    return Collection(**{**row, "readers": msgspec.json.decode(row["readers"], type=tuple[str, ...])})


def _folder(row: RowMapping) -> Folder:
    return Folder(**row)


_LIST: Final = (
    select(*(fact_collections.c[name] for name in Collection.__struct_fields__))
    .where(~fact_collections.c.removed)
    .order_by(fact_collections.c.name)
)
_BY_NAME: Final = _LIST.where(fact_collections.c.name == bindparam("its_name"))
_FOLDER: Final = select(fact_folders).where(
    fact_folders.c.collection == bindparam("its_collection"), fact_folders.c.path == bindparam("its_path")
)
_FORGET_FOLDERS: Final = delete(fact_folders).where(fact_folders.c.collection == bindparam("its_collection"))
_FORGET_DOCUMENTS: Final = (
    update(fact_documents)
    .where(fact_documents.c.collection == bindparam("its_collection"))
    .values(version=REMOVED)
)
_DOCUMENTS: Final = select(fact_documents.c.key).where(
    fact_documents.c.collection == bindparam("its_collection")
)
_REMOVE: Final = (
    update(fact_collections)
    .where(fact_collections.c.key == bindparam("its_key"))
    .values(
        name=bindparam("nameless"),
        title="",
        owner="",
        readers="[]",
        removed=True,
        change=fact_collections.c.change + 1,
    )
)
