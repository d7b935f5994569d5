"""Searches collections by words and by vectors at once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog

from menagerie.core.errors import MenagerieError
from menagerie.core.identity import User
from menagerie.embeddings.service import Embeddings
from menagerie.grounding.analysis import LANGUAGES, question_words
from menagerie.grounding.document import Passage
from menagerie.grounding.facts.fusion import (
    BY_SENTENCE,
    BY_VECTOR,
    BY_VECTOR_ACROSS,
    Nearness,
    Ranked,
    fused,
    spread,
)
from menagerie.grounding.facts.matrix import Scan
from menagerie.grounding.facts.models import Maker, Makers
from menagerie.grounding.facts.reranking import reranked
from menagerie.grounding.facts.sentences import nearest as nearest_sentences
from menagerie.grounding.facts.vectors import VectorIndex
from menagerie.grounding.ranking import bag_of, rarity, share
from menagerie.locales import Language
from menagerie.store.facts import Facts
from menagerie.store.facts.finding import FoundPassage, State
from menagerie.store.facts.words import mark

log = structlog.get_logger("menagerie.facts")

CANDIDATES: Final = 40
"""Passages that are looked at closely, of those found by words and of those found by vectors each."""
LONGEST: Final = 2000
"""Characters of a question."""
_MOST_WORDS: Final = 12
_MOST_POSTINGS: Final = 15_000
"""What looking up the words of a question may go through: of its words only the rarest are looked up, at least one.
What is found is scored by all of them."""
_EMBEDDING_S: Final = 15.0
_MOST_COUNTED: Final = 20_000


class Found(msgspec.Struct, frozen=True):
    """A passage that was found, with the id of its document and the key of its collection."""

    passage: Passage
    document: str
    collection: int


class _Question(msgspec.Struct, frozen=True):
    text: str
    language: Language
    words: Mapping[Language, Sequence[str]]


class _Nearest(msgspec.Struct, frozen=True):
    """What the vectors say of each collection; nothing where they are not there."""

    scans: Mapping[int, Scan] = {}
    maker: Maker = Maker("", False)
    vector: Sequence[float] = ()
    best: Sequence[int] = ()


class _Scored(Ranked, frozen=True):
    found: FoundPassage


class Search:
    """Searches by words, and by vectors as far as there are any."""

    def __init__(self, store: Facts, embeddings: Embeddings, makers: Makers, vectors: VectorIndex) -> None:
        self._finding = store.finding
        self._embeddings = embeddings
        self._makers = makers
        self._vectors = vectors
        self._states: dict[int, State] = {}
        self._counts: OrderedDict[tuple[str, int], int] = OrderedDict()

    async def search(
        self, collections: Sequence[int], question: str, *, language: Language, user: User, most: int
    ) -> list[Found]:
        """At most `most` passages of `collections`, best first, at most three of one document while there are others.

        A score is a mean of the passage's share of the question's words, each by how rare it is (see `ranking`), and of
        how much nearer it is to the question than passages of its collection usually are (see `fusion`). Without
        embeddings the words alone count. `language` is that of the question. Raises `store.unavailable` only.
        """
        states = await self._finding.states(collections, self._states)
        self._forget(set(collections) - states.keys())
        self._states.update(states)
        asked = _Question(question[:LONGEST], language, question_words(question[:LONGEST], language))
        (weights, keys), nearest = await asyncio.gather(
            self._by_words(states, asked), self._by_vectors(states, asked, user)
        )
        wanted = dict.fromkeys(keys)
        wanted.update(dict.fromkeys(nearest.best))
        found, sentences = await self._finding.passages(list(wanted), nearest.maker.id)
        scored = await asyncio.to_thread(_scored, found, asked, weights, nearest, sentences)
        best = spread(scored, max(most, CANDIDATES // 3))
        if self._embeddings.reranker.choice:
            texts = [one.found.text for one in best]
            best = await reranked(self._embeddings, asked.text, best, texts, user)
        return [
            Found(_passage(one), one.found.document_id, one.found.collection) for one in spread(best, most)
        ]

    async def _by_words(
        self, states: Mapping[int, State], asked: _Question
    ) -> tuple[Mapping[int, Mapping[str, float]], list[int]]:
        """What each word weighs in each collection, and the passages that have the most weight of them."""
        words = {
            mark(key, one) + stem: (key, state)
            for key, state in states.items()
            for one in LANGUAGES
            for stem in asked.words[one]
        }
        missing = [word for word, (_, state) in words.items() if (word, state.change) not in self._counts]
        if missing:
            for word, count in (await self._finding.counted(missing)).items():
                self._counts[word, words[word][1].change] = count
            while len(self._counts) > _MOST_COUNTED:
                self._counts.popitem(last=False)
        weights: dict[int, dict[str, float]] = {key: {} for key in states}
        rarest: list[tuple[int, str, float]] = []
        for word, (key, state) in words.items():
            count = self._counts.get((word, state.change), 0)
            weights[key][word] = rarity(state.passages, count)
            if count:
                rarest.append((count, word, weights[key][word]))
        rarest.sort()
        chosen: dict[str, float] = {}
        postings = 0
        for count, word, weight in rarest[: _MOST_WORDS * max(1, len(states))]:
            postings += count
            if chosen and postings > _MOST_POSTINGS:
                break
            chosen[word] = weight
        return weights, await self._finding.matching(chosen, CANDIDATES) if chosen else []

    async def _by_vectors(self, states: Mapping[int, State], asked: _Question, user: User) -> _Nearest:
        if not asked.text.strip():
            return _Nearest()
        try:
            async with asyncio.timeout(_EMBEDDING_S):
                maker = await self._makers.of(await self._embeddings.embedder.find())
                held = [
                    key
                    for key, state in states.items()
                    if await self._vectors.holds(key, state.change, maker.id)
                ]
                if not held:
                    return _Nearest()
                embedded = await self._embeddings.embed([asked.text], "query", user)
        except (MenagerieError, TimeoutError) as failure:
            log.info("facts.by_words_only", reason=str(failure) or "late")
            return _Nearest()
        (vector,) = embedded.vectors
        scans = {key: await self._vectors.scan(key, states[key].change, maker.id, vector) for key in held}
        best = [key for scan in scans.values() for key, _ in scan.best(CANDIDATES)]
        return _Nearest(scans, maker, vector, best)

    def _forget(self, collections: set[int]) -> None:
        for key in collections:
            self._states.pop(key, None)
            self._vectors.forget(key)


def _scored(
    found: Sequence[FoundPassage],
    asked: _Question,
    weights: Mapping[int, Mapping[str, float]],
    nearest: _Nearest,
    sentences: Mapping[int, bytes],
) -> list[_Scored]:
    cosines: dict[int, float] = {}
    usual: dict[int, Nearness] = {}
    for key, scan in nearest.scans.items():
        cosines |= scan.of([one.key for one in found if one.collection == key])
        usual[key] = Nearness.among(float(scan.cosines.mean()), len(scan.cosines))
    for key, cosine in nearest_sentences(sentences, nearest.vector).items():
        cosines[key] = (1 - BY_SENTENCE) * cosines.get(key, cosine) + BY_SENTENCE * cosine
    average = max(1.0, sum(len(one.words.words) for one in found) / max(1, len(found)))
    return [
        _Scored(
            one.key,
            one.document,
            fused(
                _share(one, asked, weights[one.collection], average),
                usual[one.collection].of(cosines[one.key]) if one.key in cosines else None,
                _weight(one, asked, nearest.maker),
            ),
            one,
        )
        for one in found
    ]


def _share(found: FoundPassage, asked: _Question, weights: Mapping[str, float], average: float) -> float:
    language: Language = "fr" if found.language == "fr" else "en"
    before = mark(found.collection, language)
    wanted = {before + stem: weights.get(before + stem, 0.0) for stem in asked.words[language]}
    return share(bag_of(found.words.heading, found.words.words), wanted, average)


def _weight(found: FoundPassage, asked: _Question, maker: Maker) -> float:
    return BY_VECTOR if maker.knows(asked.language, found.language) else BY_VECTOR_ACROSS


def _passage(scored: _Scored) -> Passage:
    found = scored.found
    return Passage(
        kind="facts",
        text=found.text,
        title=found.title or found.name,
        address=found.address,
        heading=found.heading,
        page=found.page,
        language=found.language,
        read=found.read_at,
        score=round(scored.score, 4),
    )
