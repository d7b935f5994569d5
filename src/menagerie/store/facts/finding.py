"""What a search reads: which passages have its words, and all that is known of those that it may give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, func, select

from menagerie.store.connections import Database
from menagerie.store.facts.passages import REMOVED
from menagerie.store.facts.vectors import sentences
from menagerie.store.facts.words import WordsOf, frequencies, matching, words_of_passages
from menagerie.store.tables import fact_collections, fact_documents, fact_passages

MOST_COUNTED: Final = 200_000
"""Passages that have a word, beyond which nobody counts."""


class State(msgspec.Struct, frozen=True):
    """A collection as it is now: the number of its last change, and how many passages are searched in it."""

    change: int
    passages: int


class FoundPassage(msgspec.Struct, frozen=True, kw_only=True):
    """A passage that is searched, and its document."""

    key: int
    collection: int
    document: int
    document_id: str
    position: int
    text: str
    heading: str
    page: int
    language: str
    title: str
    address: str
    name: str
    read_at: datetime | None = None
    words: WordsOf


class Finding:
    """Reads what searches need."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def states(self, collections: Sequence[int], known: Mapping[int, State]) -> dict[int, State]:
        """The states of those collections that there are; `known` are earlier ones, which spare counting."""

        def work(connection: Connection) -> dict[int, State]:
            states: dict[int, State] = {}
            for key, change in connection.execute(_CHANGES.where(fact_collections.c.key.in_(collections))):
                states[key] = known.get(key, _UNKNOWN)
                if states[key].change != change:
                    passages = connection.execute(_PASSAGES, {"its_collection": key}).scalar_one()
                    states[key] = State(change, int(passages))
            return states

        return await self._database.read(work)

    async def counted(self, words: Sequence[str]) -> dict[str, int]:
        """How many passages have each of these words, as `store.facts.words` has them."""
        return await self._database.read(lambda connection: frequencies(connection, words, MOST_COUNTED))

    async def matching(self, weights: Mapping[str, float], most: int) -> list[int]:
        """The keys of at most `most` passages that have any of these words, best first."""
        return await self._database.read(lambda connection: matching(connection, weights, most))

    async def passages(
        self, keys: Sequence[int], model: str = ""
    ) -> tuple[list[FoundPassage], dict[int, bytes]]:
        """Those of these passages that are searched, and what `model` has said of their sentences."""

        def work(connection: Connection) -> tuple[list[FoundPassage], dict[int, bytes]]:
            rows = connection.execute(_FOUND.where(fact_passages.c.key.in_(keys))).mappings().all()
            words = words_of_passages(connection, [row["key"] for row in rows])
            found = [FoundPassage(**row, words=words[row["key"]]) for row in rows if row["key"] in words]
            return found, sentences(connection, model, keys) if model else {}

        return await self._database.read(work) if keys else ([], {})


_UNKNOWN: Final = State(-1, 0)
_CHANGES: Final = select(fact_collections.c.key, fact_collections.c.change).where(~fact_collections.c.removed)
_PASSAGES: Final = select(func.coalesce(func.sum(fact_documents.c.passages), 0)).where(
    fact_documents.c.collection == bindparam("its_collection"), fact_documents.c.version != REMOVED
)
_FOUND: Final = select(
    fact_passages.c.key,
    fact_documents.c.collection,
    fact_documents.c.key.label("document"),
    fact_documents.c.id.label("document_id"),
    fact_passages.c.position,
    fact_passages.c.text,
    fact_passages.c.heading,
    fact_passages.c.page,
    fact_passages.c.language,
    fact_documents.c.title,
    fact_documents.c.address,
    fact_documents.c.name,
    fact_documents.c.read_at,
).join(
    fact_documents,
    (fact_documents.c.key == fact_passages.c.document)
    & (fact_documents.c.version == fact_passages.c.version),
)
