"""A store with collections, and the facts that are indexed in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from menagerie.core.identity import User
from menagerie.engines.residency import Engines
from menagerie.grounding.document import Passage
from menagerie.grounding.facts.index import Facts
from menagerie.store.database import Store
from menagerie.store.facts.collections import Collection
from menagerie.store.facts.documents import DocumentRecord
from tests.embeddings.conftest import embedder, engines, reranker, texts_service
from tests.store.examples import NOON

__all__ = ["embedder", "engines", "reranker"]

ANN = User(("ann",))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open("", tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def facts(store: Store, tmp_path: Path, engines: Engines) -> Facts:
    """Facts without embeddings."""
    return Facts(store, texts_service(tmp_path, engines, whisper_embedding_model="none"))


async def collection(store: Store, name: str = "rules") -> int:
    return (await store.facts.collections.create(Collection(name=name, created_at=NOON))).key


async def add(
    store: Store, facts: Facts, owner: int, name: str, *texts: str, language: str = "en"
) -> DocumentRecord:
    """A document with these passages, in place of those that it had."""
    record = DocumentRecord(
        collection=owner, kind="file", name=name, origin=name, title=name, language=language, added_at=NOON
    )
    known = await store.facts.documents.put(record)
    passages = [Passage(kind="facts", text=text, page=page) for page, text in enumerate(texts, 1)]
    return await facts.replace(known, passages)


async def found(facts: Facts, question: str, *collections: int, language: str = "en") -> list[str]:
    """The texts of what is found, best first."""
    answers = await facts.search(collections, question, language="fr" if language == "fr" else "en", user=ANN)
    return [one.passage.text for one in answers]
