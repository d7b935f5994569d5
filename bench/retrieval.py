"""How well passages are found: the bilingual set of questions, in one collection of all its texts."""

from __future__ import annotations

import re
import statistics
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from bench import processes
from bench.figure import Figure
from bench.retrieval_set import (
    Question,
    RetrievalSet,
    Retrieved,
    SetDocument,
    load,
    recall_at,
    reciprocal_rank,
)
from menagerie.core.identity import User
from menagerie.embeddings.service import Embeddings
from menagerie.engines.devices import detect
from menagerie.engines.engine import Limits
from menagerie.engines.residency import Engines
from menagerie.grounding.chunking import passages_of
from menagerie.grounding.document import Document, Part
from menagerie.grounding.facts.index import Facts
from menagerie.grounding.selection import FOUND
from menagerie.models.catalogue import Catalogue
from menagerie.settings import Settings
from menagerie.store.database import Store
from menagerie.store.facts.collections import Collection
from menagerie.store.facts.documents import DocumentRecord

MOST: Final = 5
EN_GOAL: Final = 0.92
LOSS_GOAL: Final = -0.01
_USER: Final = User(("bench",))
_HEADING: Final = re.compile(r"^(#+)\s+(.*)$", re.MULTILINE)


class Asked(msgspec.Struct, frozen=True):
    """A question, what was retrieved for it, and the best score."""

    question: Question
    retrieved: tuple[Retrieved, ...]
    score: float


async def retrieval(model: Path) -> list[Figure]:
    """Recall and ranks by words alone and by words and vectors; what a threshold of the score refuses."""
    found = load()
    answers: dict[str, list[Asked]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, embedding in (("BM25", "none"), ("hybrid", str(model))):
            settings = Settings(whisper_embedding_model=embedding, data=processes.ROOT / "var")
            async with texts(settings) as embeddings:
                answers[name] = [asked async for asked in ask(found, embeddings, Path(folder) / name)]
    return [*_recalls(answers), *_refusals(answers)]


@asynccontextmanager
async def texts(settings: Settings) -> AsyncIterator[Embeddings]:
    """The models of texts, as the service has them."""
    machine = detect(settings)
    engines = Engines(machine, Limits(60, 60, 4))
    embeddings = Embeddings(settings, Catalogue(settings.data / "models"), engines, machine)
    try:
        yield embeddings
    finally:
        await embeddings.close()
        await engines.stop()


async def ask(found: RetrievalSet, embeddings: Embeddings, folder: Path) -> AsyncIterator[Asked]:
    """Every question of the set, of one collection of its texts."""
    store = await Store.open("", folder)
    try:
        facts, collection = await filled(store, embeddings, found)
        for question in found.questions:
            best = await facts.search(
                [collection], standing_alone(question), language=question.language, user=_USER, most=MOST
            )
            by_title = {one.title: one.id for one in found.documents}
            retrieved = tuple(
                Retrieved(by_title[one.passage.title], f"{one.passage.heading}\n{one.passage.text}")
                for one in best
            )
            yield Asked(question, retrieved, best[0].passage.score if best else 0.0)
    finally:
        await store.close()


async def filled(store: Store, embeddings: Embeddings, found: RetrievalSet) -> tuple[Facts, int]:
    """A collection of all texts of the set."""
    facts = Facts.of(store, embeddings)
    now = datetime.now(UTC)
    collection = await store.facts.collections.create(Collection(name="bench", created_at=now))
    for one in found.documents:
        record = DocumentRecord(
            collection=collection.key,
            kind="file",
            name=one.id,
            origin=one.id,
            title=one.title,
            language=one.language,
            added_at=now,
        )
        put = await store.facts.documents.put(record)
        record = msgspec.structs.replace(record, key=put.key, id=put.id)
        await facts.replace(record, list(passages_of(as_document(one), "facts")))
    if await facts.model():
        while await facts.embed_missing(_USER):
            pass
    return facts, collection.key


def standing_alone(question: Question) -> str:
    """A follow-up with what it follows."""
    return " ".join((*question.history, question.question))


def as_document(text: SetDocument) -> Document:
    """The parts of a Markdown text, by its headings."""
    parts = tuple(_parts(text.text))
    return Document(title=text.title, parts=parts, language=text.language)


def _parts(text: str) -> Iterator[Part]:
    above: list[tuple[int, str]] = []
    start = 0
    for heading in [*_HEADING.finditer(text), None]:
        end = heading.start() if heading else len(text)
        if body := text[start:end].strip():
            yield Part(body, tuple(name for level, name in above if level > 1))
        if heading:
            level = len(heading[1])
            above = [(other, name) for other, name in above if other < level] + [(level, heading[2])]
            start = heading.end()


def _recalls(answers: dict[str, list[Asked]]) -> list[Figure]:
    groups: dict[str, dict[str, list[Asked]]] = {}
    for name, asked in answers.items():
        groups[name] = defaultdict(list)
        for one in asked:
            if one.question.kind == "cross-language":
                groups[name]["across languages"].append(one)
            elif one.question.kind != "unanswerable":
                groups[name][one.question.language].append(one)
                groups[name]["same language"].append(one)
    figures = []
    for group in ("en", "fr", "same language", "across languages"):
        words, both = (groups[name][group] for name in ("BM25", "hybrid"))
        recalls = [
            _mean(recall_at(MOST, one.retrieved, one.question) for one in some) for some in (words, both)
        ]
        ranks = [
            _mean(reciprocal_rank(one.retrieved, one.question) for one in some) for some in (words, both)
        ]
        gain = recalls[1] - recalls[0]
        detail = (
            f"{len(both)} questions; BM25 {recalls[0]:.3f}, hybrid {recalls[1]:.3f};"
            f" mean reciprocal rank {ranks[0]:.3f}, {ranks[1]:.3f}"
        )
        if group == "en":
            figures.append(
                Figure("recall@5, hybrid, en", recalls[1], f"≥ {EN_GOAL}", recalls[1] >= EN_GOAL, detail)
            )
        figures.append(
            Figure(f"recall@5, hybrid − BM25, {group}", gain, f"≥ {LOSS_GOAL}", gain >= LOSS_GOAL, detail)
        )
    return figures


def _refusals(answers: dict[str, list[Asked]]) -> list[Figure]:
    figures = []
    for name, asked in answers.items():
        for language in ("en", "fr"):
            own = [one for one in asked if one.question.language == language]
            none = [one.score for one in own if one.question.kind == "unanswerable"]
            some = [one.score for one in own if one.question.kind not in ("unanswerable", "cross-language")]
            refused = _mean(score < FOUND for score in none)
            kept = _mean(score >= FOUND for score in some)
            detail = (
                f"{kept:.3f} of the answerable are kept; medians of the best score"
                f" {statistics.median(none):.2f} and {statistics.median(some):.2f}"
            )
            figures.append(
                Figure(f"unanswerable refused below {FOUND}, {name}, {language}", refused, "", True, detail)
            )
    return figures


def _mean(values: Iterator[float] | Sequence[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
