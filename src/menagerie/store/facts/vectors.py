"""The vectors of passages, each with the model that made it: never compared with those of another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from menagerie.store.connections import Database
from menagerie.store.facts.passages import REMOVED, SLICE, next_change
from menagerie.store.tables import fact_collections, fact_documents, fact_passages, fact_vectors


class Unembedded(msgspec.Struct, frozen=True):
    """A passage without a vector, and what it is embedded by."""

    passage: int
    language: str
    title: str
    heading: str
    text: str


class NewVector(msgspec.Struct, frozen=True):
    """What a passage is about, and what each of its sentences is about, as `fact_vectors` has them."""

    vector: bytes
    sentences: bytes = b""


class StoredVector(msgspec.Struct, frozen=True):
    """The vector of a passage: half-precision floats, little-endian, of length 1."""

    passage: int
    document: int
    vector: bytes


class Vectors:
    """The vectors of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def missing(
        self, model: str, *, collection: int | None = None, after: int = 0, limit: int = SLICE
    ) -> tuple[Unembedded, ...]:
        """At most `limit` passages that are searched and have no vector of `model`, from the one after `after` on."""
        query = _MISSING if collection is None else _MISSING.where(fact_documents.c.collection == collection)
        values = {"its_model": model, "after": after}
        rows = await self._database.read(
            lambda connection: connection.execute(query.limit(limit), values).all()
        )
        return tuple(Unembedded(*row) for row in rows)

    async def set(self, model: str, vectors: Mapping[int, NewVector]) -> None:
        """Store the vectors of passages, at most `SLICE`, in place of those that they had. Passages that have gone are
        not missed."""

        def work(connection: Connection) -> None:
            keys = sorted(vectors)
            touched = connection.execute(_COLLECTIONS.where(fact_passages.c.key.in_(keys))).all()
            changes = {key: next_change(connection, key) for key in sorted({row[0] for row in touched})}
            found = connection.execute(_LIVING.where(fact_passages.c.key.in_(keys))).all()
            rows = [
                {
                    "passage": key,
                    "document": document,
                    "model": model,
                    "vector": vectors[key].vector,
                    "sentences": vectors[key].sentences,
                }
                for key, document, collection in found
                if collection in changes
            ]
            if not rows:
                return
            connection.execute(
                delete(fact_vectors).where(fact_vectors.c.passage.in_([row["passage"] for row in rows]))
            )
            connection.execute(insert(fact_vectors), rows)
            documents = {document: changes[collection] for _, document, collection in found}
            connection.execute(
                _CHANGED, [{"its_key": key, "its_change": change} for key, change in documents.items()]
            )

        if vectors:
            await self._database.write(work)

    async def forget(self, collection: int) -> None:
        """Delete all vectors of a collection, in slices, so that they are made anew."""

        def work(connection: Connection) -> bool:
            keys = list(connection.execute(_ANY, {"its_collection": collection}).scalars())
            if keys:
                change = next_change(connection, collection)
                connection.execute(delete(fact_vectors).where(fact_vectors.c.passage.in_(keys)))
                touched = select(fact_passages.c.document).where(fact_passages.c.key.in_(keys))
                query = fact_documents.update().where(fact_documents.c.key.in_(touched))
                connection.execute(query.values(change=change))
            return bool(keys)

        while await self._database.write(work):
            pass

    async def changes(self) -> dict[int, int]:
        """The number of the last change of each collection."""
        query = select(fact_collections.c.key, fact_collections.c.change).where(~fact_collections.c.removed)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {row[0]: row[1] for row in rows}

    async def documents(self, collection: int) -> dict[int, int]:
        """The documents of a collection that are searched, and the change of the collection that each last had."""
        rows = await self._database.read(
            lambda connection: connection.execute(_DOCUMENTS, {"its_collection": collection}).all()
        )
        return {row[0]: row[1] for row in rows}

    async def bytes_of(self, collection: int, model: str) -> int:
        """How many bytes the vectors of `model` take that a collection has."""
        values = {"its_collection": collection, "its_model": model}
        return int(
            await self._database.read(lambda connection: connection.execute(_BYTES, values).scalar_one())
        )

    async def slice(
        self,
        collection: int,
        model: str,
        *,
        documents: Sequence[int] | None = None,
        after: int = 0,
        limit: int,
    ) -> tuple[StoredVector, ...]:
        """At most `limit` vectors of passages that are searched, by keys from the passage after `after` on."""
        query = _SLICE if documents is None else _SLICE.where(fact_documents.c.key.in_(documents))
        values = {"its_collection": collection, "its_model": model, "after": after}
        rows = await self._database.read(
            lambda connection: connection.execute(query.limit(limit), values).all()
        )
        return tuple(StoredVector(passage, document, bytes(vector)) for passage, document, vector in rows)


def sentences(connection: Connection, model: str, passages: Sequence[int]) -> dict[int, bytes]:
    """What the sentences of passages are about, of those of which `model` has said so."""
    query = select(fact_vectors.c.passage, fact_vectors.c.sentences).where(
        fact_vectors.c.passage.in_(passages), fact_vectors.c.model == model
    )
    return {row[0]: bytes(row[1]) for row in connection.execute(query) if row[1]}


_SEARCHED: Final = (fact_documents.c.key == fact_passages.c.document) & (
    fact_documents.c.version == fact_passages.c.version
)
_MISSING: Final = (
    select(
        fact_passages.c.key,
        fact_passages.c.language,
        func.coalesce(func.nullif(fact_documents.c.title, ""), fact_documents.c.name),
        fact_passages.c.heading,
        fact_passages.c.text,
    )
    .join(fact_documents, _SEARCHED)
    .join(
        fact_vectors,
        (fact_vectors.c.passage == fact_passages.c.key) & (fact_vectors.c.model == bindparam("its_model")),
        isouter=True,
    )
    .where(fact_vectors.c.passage.is_(None), fact_passages.c.key > bindparam("after"))
    .order_by(fact_passages.c.key)
)
_COLLECTIONS: Final = (
    select(fact_documents.c.collection)
    .join(fact_passages, _SEARCHED)
    .join(fact_collections, fact_collections.c.key == fact_documents.c.collection)
    .where(~fact_collections.c.removed)
    .distinct()
)
_LIVING: Final = (
    select(fact_passages.c.key, fact_documents.c.key, fact_documents.c.collection)
    .join(fact_documents, _SEARCHED)
    .with_for_update(key_share=True, of=fact_passages)
)
_CHANGED: Final = (
    fact_documents.update()
    .where(fact_documents.c.key == bindparam("its_key"))
    .values(change=bindparam("its_change"))
)
_ANY: Final = (
    select(fact_vectors.c.passage)
    .join(fact_documents, fact_documents.c.key == fact_vectors.c.document)
    .where(fact_documents.c.collection == bindparam("its_collection"))
    .limit(SLICE)
)
_DOCUMENTS: Final = select(fact_documents.c.key, fact_documents.c.change).where(
    fact_documents.c.collection == bindparam("its_collection"), fact_documents.c.version > 0
)
_BYTES: Final = (
    select(func.coalesce(func.sum(func.length(fact_vectors.c.vector)), 0))
    .select_from(fact_vectors)
    .join(fact_documents, fact_documents.c.key == fact_vectors.c.document)
    .where(
        fact_documents.c.collection == bindparam("its_collection"),
        fact_documents.c.version != REMOVED,
        fact_vectors.c.model == bindparam("its_model"),
    )
)
_SLICE: Final = (
    select(fact_passages.c.key, fact_passages.c.document, fact_vectors.c.vector)
    .join(fact_documents, _SEARCHED)
    .join(fact_vectors, fact_vectors.c.passage == fact_passages.c.key)
    .where(
        fact_documents.c.collection == bindparam("its_collection"),
        fact_vectors.c.model == bindparam("its_model"),
        fact_passages.c.key > bindparam("after"),
    )
    .order_by(fact_passages.c.key)
)
