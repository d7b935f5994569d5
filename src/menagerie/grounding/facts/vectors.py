"""Which passages are nearest to a question: the vectors of collections, kept in memory while they are asked for."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec
import structlog

from menagerie.grounding.facts.matrix import Matrix, Precision, Scan
from menagerie.store.facts.vectors import Vectors

log = structlog.get_logger("menagerie.facts")

LARGEST: Final = 512 * 2**20
"""Bytes of vectors in memory, all collections together. What takes more than half of it is kept in half precision;
what takes more than that is not searched by vectors."""
_SLICE: Final = 2048
_MOST_NAMED: Final = 500
"""Documents that are named in one query."""


class VectorIndex(Protocol):
    """Finds the vectors that are nearest to one. An index of a database (pgvector's) can stand in for `Matrices`.
    `change` is the state of the collection that its answers must have seen. Raises `store.unavailable`."""

    async def holds(self, collection: int, change: int, model: str) -> bool:
        """Whether a collection can be searched by vectors of that model."""
        ...

    async def scan(self, collection: int, change: int, model: str, vector: Sequence[float]) -> Scan:
        """The cosines of the passages of a collection that may be near."""
        ...

    def forget(self, collection: int) -> None:
        """Let go of a collection that has gone."""
        ...


class _Held(msgspec.Struct, frozen=True):
    """A matrix, and the state of the collection that it was made of."""

    change: int
    documents: dict[int, int]
    matrix: Matrix


class Matrices:
    """Vectors by collection and model, made when they are first asked for and brought up to date by what has changed
    since, whoever changed it. Those that were not asked for longest make room for others."""

    def __init__(self, store: Vectors, largest: int = LARGEST) -> None:
        self._store = store
        self._largest = largest
        self._held: dict[tuple[int, str], _Held] = {}
        self._locks: defaultdict[tuple[int, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return sum(held.matrix.size for held in self._held.values())

    async def holds(self, collection: int, change: int, model: str) -> bool:
        return bool((await self._current(collection, change, model)).blocks)

    async def scan(self, collection: int, change: int, model: str, vector: Sequence[float]) -> Scan:
        matrix = await self._current(collection, change, model)
        return await asyncio.to_thread(matrix.scan, vector)

    def forget(self, collection: int) -> None:
        for key in [key for key in self._held if key[0] == collection]:
            del self._held[key]

    async def _current(self, collection: int, change: int, model: str) -> Matrix:
        key = (collection, model)
        async with self._locks[key]:
            held = self._held.pop(key, None)
            if held is None or held.change < change:
                held = await self._brought_up_to_date(collection, change, model, held)
            self._held[key] = held  # as the last one asked for
        self._make_room(key)
        return held.matrix

    async def _brought_up_to_date(
        self, collection: int, change: int, model: str, held: _Held | None
    ) -> _Held:
        documents = await self._store.documents(collection)
        if held is None or held.matrix.refused:
            return _Held(change, documents, await self._loaded(collection, model))
        known = held.documents
        stale = {key for key, at in known.items() if documents.get(key) != at}
        fresh = [key for key, at in documents.items() if known.get(key) != at]
        matrix = await asyncio.to_thread(held.matrix.without, stale.union(fresh))
        for first in range(0, len(fresh), _MOST_NAMED):
            matrix = await self._with_slices(matrix, collection, model, fresh[first : first + _MOST_NAMED])
        return _Held(change, documents, matrix)

    async def _loaded(self, collection: int, model: str) -> Matrix:
        size = 2 * await self._store.bytes_of(collection, model)
        precision: Precision = "single" if 2 * size <= self._largest else "half"
        return await self._with_slices(Matrix(precision=precision), collection, model, None)

    async def _with_slices(
        self, matrix: Matrix, collection: int, model: str, documents: Sequence[int] | None
    ) -> Matrix:
        after = 0
        while not matrix.refused:
            rows = await self._store.slice(collection, model, documents=documents, after=after, limit=_SLICE)
            if rows:
                after = rows[-1].passage
                columns = ([row.passage for row in rows], [row.document for row in rows])
                raw = [row.vector for row in rows]
                matrix = await asyncio.to_thread(matrix.with_vectors, *columns, raw)
            if matrix.size > self._largest:
                log.warning("facts.too_many_vectors", collection=collection, bytes=matrix.size)
                matrix = Matrix(refused=True)
            if len(rows) < _SLICE:
                break
        return matrix

    def _make_room(self, asked_for: tuple[int, str]) -> None:
        for key in list(self._held):
            if self.size <= self._largest:
                break
            if key != asked_for:
                del self._held[key]
