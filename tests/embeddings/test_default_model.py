"""The model that the service brings along, from the package index that this machine uses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from menagerie.core.identity import User
from menagerie.embeddings.service import Embeddings, cosine
from menagerie.engines.residency import Engines
from menagerie.models.catalogue import Catalogue
from menagerie.models.pull import pull_with_bar
from menagerie.models.wish import DEFAULT_EMBEDDING_MODEL
from menagerie.settings import Settings
from tests.conftest import LIMITS, machine

pytestmark = [pytest.mark.engine, pytest.mark.model]

ANA = User(("ana",))
QUESTION = "How do I request access to information?"
ANSWER = "Anyone in Canada may ask a federal institution for its records under the Access to Information Act."
HOCKEY = "The Senators won the hockey game in overtime last night."


@pytest.fixture(scope="session")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data")
    pull_with_bar(DEFAULT_EMBEDDING_MODEL, Catalogue(data / "models"), Settings(data=data), "en")
    return data


@pytest.fixture
async def texts(pulled: Path) -> AsyncIterator[Embeddings]:
    engines = Engines(machine(1000), LIMITS)
    yield Embeddings(Settings(data=pulled), Catalogue(pulled / "models"), engines, machine(1000))
    await engines.stop()


async def test_it_tells_what_a_text_is_about(texts: Embeddings) -> None:
    question = (await texts.embed([QUESTION], "query", ANA)).vectors[0]
    embedded = await texts.embed([ANSWER, HOCKEY], "document", ANA)
    answer, hockey = (cosine(question, vector) for vector in embedded.vectors)
    assert answer > 0.45
    assert hockey < 0.1
    assert len(question) == 384


async def test_it_ranks_what_answers_above_what_does_not(texts: Embeddings) -> None:
    ranking = await texts.rerank(QUESTION, [HOCKEY, ANSWER], ANA)
    assert ranking.scores[1] > ranking.scores[0] + 0.3


async def test_it_says_what_it_is(texts: Embeddings) -> None:
    facts = (await texts.embedder.find()).facts
    assert (facts.name, facts.quantization, facts.licence) == ("all-MiniLM-L6-v2", "F16", "apache-2.0")
    assert facts.source == DEFAULT_EMBEDDING_MODEL.label
    assert len(facts.sha256) == 64


async def test_a_text_becomes_the_pieces_that_its_makers_meant(texts: Embeddings) -> None:
    embedded = await texts.embed(["Ottawa is the capital of Canada."], None, ANA)
    pieces = ["[CLS]", "ottawa", "is", "the", "capital", "of", "canada", ".", "[SEP]"]
    assert embedded.tokens == len(pieces)
