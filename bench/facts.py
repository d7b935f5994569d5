"""Searching one large collection: words and vectors of 100,000 passages, made up, through the real index."""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from bench import processes
from bench.figure import Figure
from bench.retrieval import texts
from menagerie.core.identity import User
from menagerie.embeddings.prefixes import Purpose
from menagerie.embeddings.service import Embedded, Embeddings
from menagerie.grounding.document import Passage
from menagerie.grounding.facts.index import Facts
from menagerie.grounding.facts.matrix import stored
from menagerie.grounding.facts.sentences import packed
from menagerie.settings import Settings
from menagerie.store.database import Store
from menagerie.store.facts.collections import Collection
from menagerie.store.facts.documents import DocumentRecord
from menagerie.store.facts.vectors import NewVector

PASSAGES: Final = 100_000
OF_A_DOCUMENT: Final = 100
QUESTIONS: Final = 200
_USER: Final = User(("bench",))
_WIDTH: Final = 384
_SENTENCES: Final = 3
_VOCABULARY: Final = 60_000
_SYLLABLES: Final = tuple(one + two for one in "bcdfghjklmnprstvwz" for two in "aeiou")

_COMMON: Final = re.findall(
    r"\w+",
    "the of and to in a is that for it was on are as with his they at be this from have or by not but what all"
    " were when we there can an your which their if do will each about how up out them then she many some so",
)
"""The commonest words of English, as often as they come: half of a text. Questions have them too."""


class Words:
    """Texts of made-up words, the nth of which comes about n times as seldom as the first, as in a language."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(11)
        self.last = 0
        syllables = self.random.integers(0, len(_SYLLABLES), (_VOCABULARY, 4))
        lengths = self.random.integers(2, 5, _VOCABULARY)
        self._words = np.array(
            [
                "".join(_SYLLABLES[one] for one in row[:length])
                for row, length in zip(syllables, lengths, strict=True)
            ]
        )
        self._words[: len(_COMMON)] = _COMMON
        chances = 1 / (np.arange(_VOCABULARY) + 2.7)
        self._up_to = np.cumsum(chances / chances.sum())

    def text(self, words: int) -> str:
        """So many words, with a full stop now and then."""
        drawn = self._words[np.searchsorted(self._up_to[:-1], self.random.random(words))]
        return ". ".join(" ".join(drawn[first : first + 14]) for first in range(0, words, 14)) + "."

    def vectors(self, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """So many vectors, as wide as those of the default model."""
        return self.random.standard_normal((count, _WIDTH)).astype(np.float32)


class AtOnce(Embeddings):
    """The models of texts, but for the time that the vector of a question takes."""

    words: Words
    real = False

    async def embed(self, texts: Sequence[str], purpose: Purpose | None, user: User) -> Embedded:
        """Any vectors."""
        if self.real:
            return await super().embed(texts, purpose, user)
        model = await self.embedder.find()
        return Embedded(
            model.facts, [[float(one) for one in row] for row in self.words.vectors(len(texts))], 0
        )


async def search(model: Path, passages: int = PASSAGES) -> list[Figure]:
    """How long a search takes, and adding a document; what the vectors take of memory."""
    settings = Settings(whisper_embedding_model=str(model), data=processes.ROOT / "var")
    with tempfile.TemporaryDirectory() as folder:
        async with texts(settings) as embeddings:
            embeddings.__class__ = AtOnce
            assert isinstance(embeddings, AtOnce)
            embeddings.words = Words()
            store = await Store.open("", Path(folder))
            try:
                return await _measured(store, embeddings, passages)
            finally:
                await store.close()


async def _measured(store: Store, embeddings: AtOnce, passages: int) -> list[Figure]:
    words = embeddings.words
    facts = Facts.of(store, embeddings)
    collection = await store.facts.collections.create(Collection(name="bench", created_at=datetime.now(UTC)))
    began = time.perf_counter()
    for number in range(passages // OF_A_DOCUMENT):
        await _add(store, facts, collection.key, words, number)
    built = time.perf_counter() - began
    questions = [words.text(int(words.random.integers(5, 10))) for _ in range(QUESTIONS + 1)]
    before = psutil.Process().memory_info().rss
    first = await _timed(facts, collection.key, questions[0])
    memory = (psutil.Process().memory_info().rss - before) / 2**20
    cpu = time.process_time()
    times = [await _timed(facts, collection.key, question) for question in questions[1:]]
    cpu = 1000 * (time.process_time() - cpu) / len(times)
    embeddings.real = True
    await _timed(facts, collection.key, questions[0])
    with_model = [await _timed(facts, collection.key, question) for question in questions[1:51]]
    embeddings.real = False
    began = time.perf_counter()
    await _add(store, facts, collection.key, words, passages)
    added = time.perf_counter() - began
    after = await _timed(facts, collection.key, questions[0])
    median, late = (1000 * value for value in (statistics.median(times), _late(times)))
    what = f"{passages:,} passages of {passages // OF_A_DOCUMENT:,} documents, built in {built:.0f} s"
    rows = (
        ("search, hybrid, median, ms", median, 30.0, what),
        (
            "search, hybrid, 95th percentile, ms",
            late,
            80.0,
            f"{len(times)} questions of 5 to 9 words, {cpu:.0f} ms of processor time each",
        ),
        (
            "search and the question's vector, median, ms",
            1000 * statistics.median(with_model),
            0.0,
            f"95th percentile {1000 * _late(with_model):.0f} ms",
        ),
        (
            "adding a document of 100 passages, besides embedding, s",
            added,
            1.0,
            f"next search {after * 1000:.0f} ms",
        ),
        ("first search, which loads the vectors, s", first, 0.0, f"{memory:.0f} MB more in memory"),
    )
    return [
        Figure(name, value, f"≤ {goal:g}" if goal else "", not goal or value <= goal, detail)
        for name, value, goal, detail in rows
    ]


async def _add(store: Store, facts: Facts, collection: int, words: Words, number: int) -> None:
    record = DocumentRecord(
        collection=collection,
        kind="file",
        name=f"{number}",
        origin=f"{number}",
        title=words.text(5),
        language="en",
        added_at=datetime.now(UTC),
    )
    put = await store.facts.documents.put(record)
    made = [
        Passage(kind="facts", text=words.text(int(words.random.integers(60, 160))), heading=words.text(4))
        for _ in range(OF_A_DOCUMENT)
    ]
    await facts.replace(put, made)
    missing = await store.facts.vectors.missing(await facts.model(), collection=collection, after=words.last)
    vectors = {
        one.passage: NewVector(stored(vector.tolist()), packed(words.vectors(_SENTENCES).tolist()))
        for one, vector in zip(missing, words.vectors(len(missing)), strict=True)
    }
    await store.facts.vectors.set(await facts.model(), vectors)
    words.last = max(vectors)


async def _timed(facts: Facts, collection: int, question: str) -> float:
    began = time.perf_counter()
    await facts.search([collection], question, language="en", user=_USER)
    return time.perf_counter() - began


def _late(times: Sequence[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]
