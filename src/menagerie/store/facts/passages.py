"""The passages of documents, written in slices that hold nobody up, and searched only when they are all there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, update

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.store.connections import Database
from menagerie.store.facts.words import WordsOf, delete_words, insert_words, merge_words
from menagerie.store.tables import (
    fact_collections,
    fact_documents,
    fact_passages,
    fact_vectors,
)

REMOVED: Final = -1
"""The version of a document that is there only until its passages are deleted."""
SLICE: Final = 200
"""Passages of one transaction."""


class NewPassage(msgspec.Struct, frozen=True, kw_only=True):
    """A passage to be stored. `language` is that by which its words were made; of `digest`, those of what is embedded
    of two passages are equal where the vectors are."""

    text: str
    heading: str
    page: int
    language: str
    digest: bytes
    head_words: tuple[str, ...]
    """The words of its title and headings, as `store.facts.words` wants them …"""
    words: tuple[str, ...]
    """… and those of its text."""


class Passages:
    """The passages of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, document: int) -> int:
        """The number of a new version of a document, to be written by `add`. Raises `document.unknown`."""

        def work(connection: Connection) -> int:
            connection.execute(_BEGIN, {"its_key": document})
            found = connection.execute(_WRITING, {"its_key": document}).scalar()
            if found is None:
                raise MenagerieError(ErrorCode.DOCUMENT_UNKNOWN)
            return int(found)

        return await self._database.write(work)

    async def add(self, document: int, version: int, first: int, slice_: Sequence[NewPassage]) -> None:
        """Write at most `SLICE` passages from position `first` on, with the vectors of those of the version that is
        searched which say the same. Raises `document.unknown` where the document has gone, or a newer version is
        being written."""

        def work(connection: Connection) -> None:
            if connection.execute(_WRITING, {"its_key": document}).scalar() != version:
                raise MenagerieError(ErrorCode.DOCUMENT_UNKNOWN)
            rows = [
                {
                    "document": document,
                    "version": version,
                    "position": position,
                    "text": one.text,
                    "heading": one.heading,
                    "page": one.page,
                    "language": one.language,
                    "digest": one.digest,
                }
                for position, one in enumerate(slice_, first)
            ]
            query = insert(fact_passages).returning(fact_passages.c.key, sort_by_parameter_order=True)
            keys = list(connection.execute(query, rows).scalars())
            pairs = list(zip(keys, slice_, strict=True))
            insert_words(connection, [WordsOf(key, one.head_words, one.words) for key, one in pairs])
            _carry_over(connection, document, {one.digest: key for key, one in pairs}, pairs)

        if slice_:
            await self._database.write(work)

    async def finish(self, document: int, version: int, values: Mapping[str, Any]) -> None:
        """From now on this version is searched, and no other; `values` of the document are set. What is not searched
        any more is deleted. Raises `document.unknown` as `add` does, and `facts.unknown`."""

        def work(connection: Connection) -> None:
            collection = connection.execute(_COLLECTION, {"its_key": document}).scalar()
            if collection is None:
                raise MenagerieError(ErrorCode.DOCUMENT_UNKNOWN)
            change = next_change(connection, collection)
            if connection.execute(_WRITING, {"its_key": document}).scalar() != version:
                raise MenagerieError(ErrorCode.DOCUMENT_UNKNOWN)
            count = connection.execute(_COUNT, {"its_key": document, "its_version": version}).scalar_one()
            now = datetime.now(UTC)
            ready = {"state": "ready", "code": "", "values": "{}", "read_at": now, "passages": count}
            connection.execute(
                update(fact_documents)
                .where(fact_documents.c.key == document)
                .values({**values, **ready, "version": version, "change": change})
            )

        await self._database.write(work)
        await self.sweep([document])

    async def sweep(self, documents: Sequence[int] | None = None) -> int:
        """Delete what is not searched any more, of some documents or of all, in slices; gives how many passages."""
        if documents is None:
            documents = await self._database.read(_stale_documents)
        swept = 0
        for document in documents:
            while some := await self._database.write(partial(_sweep, document=document)):
                swept += some
        await self._database.write(_sweep_empty)
        return swept

    async def tidy(self) -> None:
        """Leave nothing of deleted passages in the index of words either, in steps."""
        if await self._database.write(_begin_merging):
            while await self._database.write(merge_words):
                pass


def next_change(connection: Connection, collection: int) -> int:
    """Number a change of a collection. Until the transaction ends nobody else changes it, so that the numbers come in
    the order in which changes are seen. Raises `facts.unknown`."""
    connection.execute(_CHANGE, {"its_key": collection})
    change = connection.execute(_LAST_CHANGE, {"its_key": collection}).scalar()
    if change is None:
        raise MenagerieError(ErrorCode.FACTS_UNKNOWN, name="")
    return int(change)


def _carry_over(
    connection: Connection,
    document: int,
    wanted: Mapping[bytes, int],
    pairs: Sequence[tuple[int, NewPassage]],
) -> None:
    query = _KNOWN.where(fact_passages.c.digest.in_(list(wanted)))
    rows_of = connection.execute(query, {"its_key": document}).mappings()
    known = {bytes(row["digest"]): row for row in rows_of}
    rows = [
        {
            "passage": key,
            "document": document,
            **{name: known[one.digest][name] for name in ("model", "vector", "sentences")},
        }
        for key, one in pairs
        if one.digest in known
    ]
    if rows:
        connection.execute(insert(fact_vectors), rows)


def _begin_merging(connection: Connection) -> bool:
    return merge_words(connection, begin=True)


def _stale_documents(connection: Connection) -> list[int]:
    return list(connection.execute(_STALE.with_only_columns(fact_documents.c.key).distinct()).scalars())


def _sweep(connection: Connection, document: int) -> int:
    query = _STALE.where(fact_documents.c.key == document).limit(SLICE)
    keys = list(connection.execute(query).scalars())
    if keys:
        delete_words(connection, keys)
        connection.execute(delete(fact_vectors).where(fact_vectors.c.passage.in_(keys)))
        connection.execute(delete(fact_passages).where(fact_passages.c.key.in_(keys)))
    return len(keys)


def _sweep_empty(connection: Connection) -> None:
    """Documents and collections that were waiting for their passages to go."""
    connection.execute(delete(fact_documents).where(fact_documents.c.version == REMOVED, ~_HAS_PASSAGES))
    removed = list(connection.execute(_REMOVED_COLLECTIONS).scalars())
    has_documents = select(fact_documents.c.key).where(fact_documents.c.collection == fact_collections.c.key)
    if removed:
        connection.execute(
            delete(fact_collections).where(fact_collections.c.key.in_(removed), ~has_documents.exists())
        )


def slices(passages: Sequence[NewPassage]) -> Iterator[tuple[int, Sequence[NewPassage]]]:
    """`passages` in slices, each with the position of its first."""
    for first in range(0, len(passages), SLICE):
        yield first, passages[first : first + SLICE]


_ALIVE: Final = and_(fact_documents.c.key == bindparam("its_key"), fact_documents.c.version != REMOVED)
_BEGIN: Final = update(fact_documents).where(_ALIVE).values(writing=fact_documents.c.writing + 1)
_WRITING: Final = select(fact_documents.c.writing).where(_ALIVE)
_COLLECTION: Final = select(fact_documents.c.collection).where(_ALIVE)
_COUNT: Final = (
    select(func.count())
    .select_from(fact_passages)
    .where(
        fact_passages.c.document == bindparam("its_key"), fact_passages.c.version == bindparam("its_version")
    )
)
_CHANGE: Final = (
    update(fact_collections)
    .where(fact_collections.c.key == bindparam("its_key"), ~fact_collections.c.removed)
    .values(change=fact_collections.c.change + 1)
)
_LAST_CHANGE: Final = select(fact_collections.c.change).where(
    fact_collections.c.key == bindparam("its_key"), ~fact_collections.c.removed
)
_KNOWN: Final = (
    select(fact_passages.c.digest, fact_vectors.c.model, fact_vectors.c.vector, fact_vectors.c.sentences)
    .join(fact_documents, fact_documents.c.key == fact_passages.c.document)
    .join(fact_vectors, fact_vectors.c.passage == fact_passages.c.key)
    .where(
        fact_passages.c.document == bindparam("its_key"),
        fact_passages.c.version == fact_documents.c.version,
    )
)
_STALE: Final = (
    select(fact_passages.c.key)
    .join(fact_documents, fact_documents.c.key == fact_passages.c.document)
    .where(
        or_(
            fact_documents.c.version == REMOVED,
            and_(
                fact_passages.c.version != fact_documents.c.version,
                fact_passages.c.version != fact_documents.c.writing,
            ),
        )
    )
)
_HAS_PASSAGES: Final = (
    select(fact_passages.c.key).where(fact_passages.c.document == fact_documents.c.key).exists()
)
_REMOVED_COLLECTIONS: Final = select(fact_collections.c.key).where(fact_collections.c.removed)
