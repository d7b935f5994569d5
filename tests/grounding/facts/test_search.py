"""Searching collections: by words always, by vectors where there are any, each passage in its own language."""

from __future__ import annotations

from pathlib import Path

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.residency import Engines
from menagerie.grounding.facts.fusion import Nearness, Ranked, fused, spread
from menagerie.grounding.facts.index import Facts
from menagerie.grounding.facts.models import Maker
from menagerie.grounding.facts.reranking import probabilities
from menagerie.settings import RemoteEngine
from menagerie.store.database import Store
from menagerie.store.facts.vectors import NewVector
from tests.embeddings.conftest import texts_service
from tests.grounding.facts.conftest import ANN, add, collection, found

FEES = "A passport that is good for ten years costs 160 dollars."
PHOTOS = "Two photos of the applicant go with each application for a passport."
LOST = "Tell the police when your passport is lost or stolen."
HOURS = "Our offices are open from nine to five, Monday to Friday."
FRAIS = "Un passeport valide dix ans coûte 160 $ ; les élèves paient moins."
HEURES = "Nos bureaux sont ouverts de neuf heures à dix-sept heures."


async def test_without_embeddings_passages_are_found_by_their_words(store: Store, facts: Facts) -> None:
    owner = await collection(store)
    await add(store, facts, owner, "passports", FEES, PHOTOS, LOST, HOURS)
    assert (await found(facts, "What does a passport cost?", owner))[0] == FEES
    assert (await found(facts, "Was my passport stolen?", owner))[0] == LOST
    assert await found(facts, "Quantum chromodynamics?", owner) == []
    assert await found(facts, "", owner) == []
    (best, *_) = await facts.search([owner], "What does a passport cost?", language="en", user=ANN)
    assert (best.collection, best.passage.kind, best.passage.title) == (owner, "facts", "passports")
    assert (best.passage.page, best.passage.language) == (1, "en")
    assert best.document == (await store.facts.documents.find(owner, "passports")).id  # type: ignore[union-attr]


async def test_each_language_is_read_by_its_own_rules(store: Store, facts: Facts) -> None:
    owner = await collection(store)
    await add(store, facts, owner, "passports", FEES, HOURS)
    await add(store, facts, owner, "passeports", FRAIS, HEURES, language="fr")
    assert (await found(facts, "Combien coute un passeport pour une eleve ?", owner, language="fr"))[
        0
    ] == FRAIS
    assert (await found(facts, "What does a passport cost?", owner))[0] == FEES
    assert FRAIS in await found(facts, "160", owner)


async def test_only_the_collections_that_are_asked_are_searched(store: Store, facts: Facts) -> None:
    one, other = await collection(store, "one"), await collection(store, "other")
    await add(store, facts, one, "a", FEES)
    await add(store, facts, other, "b", LOST)
    assert await found(facts, "passport", one) == [FEES]
    assert set(await found(facts, "passport", one, other)) == {FEES, LOST}
    assert await found(facts, "passport") == []
    await store.facts.collections.remove(one)
    assert await found(facts, "passport", one, other) == [LOST]


async def test_what_changed_is_found_as_it_is_now(store: Store, facts: Facts) -> None:
    owner = await collection(store)
    record = await add(store, facts, owner, "passports", FEES)
    assert await found(facts, "passport cost", owner) == [FEES]
    await add(store, facts, owner, "passports", "A passport costs 170 dollars.")
    assert await found(facts, "passport cost", owner) == ["A passport costs 170 dollars."]
    await store.facts.documents.remove([record.key])
    assert await found(facts, "passport cost", owner) == []


async def test_a_score_is_higher_for_what_answers_more(store: Store, facts: Facts) -> None:
    owner = await collection(store)
    await add(store, facts, owner, "notes", FEES, PHOTOS, LOST, HOURS)
    (best, *_) = await facts.search([owner], "What does a passport cost?", language="en", user=ANN)
    (poor, *_) = await facts.search(
        [owner], "How much tax do cats pay on a passport in Paris?", language="en", user=ANN
    )
    assert 0 < poor.passage.score < 0.3 < best.passage.score <= 1


async def test_no_question_is_an_error(store: Store, facts: Facts) -> None:
    owner = await collection(store)
    await add(store, facts, owner, "passports", FEES)
    for question in (
        '"passport" OR (',
        "passport'); --",
        "NEAR(passport)",
        "\0",
        "\ud800 passport",
        "p" * 100_000,
    ):
        await found(facts, question, owner)
    assert await found(facts, 'heading: "passport*" AND NOT -x', owner) == [FEES]


async def test_an_engine_that_fails_leaves_the_search_by_words(
    store: Store, engines: Engines, tmp_path: Path
) -> None:
    gone = RemoteEngine(url=("http://127.0.0.1:9",), model="gone")
    texts = texts_service(tmp_path, engines, gone, whisper_embedding_model="far")
    facts = Facts(store, texts)
    owner = await collection(store)
    await add(store, facts, owner, "passports", FEES, LOST)
    missing = await store.facts.vectors.missing(await facts.model())
    await store.facts.vectors.set(await facts.model(), {one.passage: NewVector(b"\0\0") for one in missing})
    assert await found(facts, "What does a passport cost?", owner) == [FEES, LOST]


@pytest.mark.engine
async def test_vectors_are_made_once_found_by_and_kept_where_a_text_is_the_same(
    store: Store, engines: Engines, embedder: Path, tmp_path: Path
) -> None:
    texts = texts_service(tmp_path, engines, whisper_embedding_model=str(embedder))
    facts = Facts(store, texts)
    owner = await collection(store)
    await add(store, facts, owner, "a", "fees of ten", "photos of you", "x" * 2_000)
    assert await facts.embed_missing(ANN, most=2) == 2
    assert await facts.embed_missing(ANN, most=2) == 1
    assert await facts.embed_missing(ANN) == 0
    counts = await store.facts.documents.counts(owner, await facts.model())
    assert (counts.passages, counts.embedded) == (3, 3)
    assert "photos of you" in await found(facts, "zzz", owner)
    await add(store, facts, owner, "a", "photos of you", "nothing")
    assert await facts.embed_missing(ANN) == 1
    assert await facts.embed_missing(ANN) == 0


@pytest.mark.engine
async def test_a_reranker_has_the_last_word(
    store: Store, engines: Engines, reranker: Path, tmp_path: Path
) -> None:
    texts = texts_service(tmp_path, engines, whisper_embedding_model="none", reranker=str(reranker))
    facts = Facts(store, texts)
    owner = await collection(store)
    await add(store, facts, owner, "a", FEES[:25], "Your passport is lost.")
    answers = await facts.search([owner], "passport", language="en", user=ANN)
    assert len(answers) == 2
    ranking = await texts.rerank("passport", [one.passage.text for one in answers], ANN)
    assert [one.passage.score for one in answers] == pytest.approx(
        sorted(probabilities(ranking.scores), reverse=True), abs=1e-3
    )


async def test_making_vectors_without_a_model_says_so(facts: Facts) -> None:
    with pytest.raises(MenagerieError) as off:
        await facts.embed_missing(ANN)
    assert off.value.code is ErrorCode.EMBEDDINGS_OFF
    assert await facts.model() == ""


def test_of_one_document_only_some_passages_come_first() -> None:
    long = [Ranked(number, 1, 1 - number / 100) for number in range(6)]
    short = [Ranked(10, 2, 0.5), Ranked(11, 3, 0.1)]
    assert [one.key for one in spread([*short, *long], 5)] == [0, 1, 2, 10, 11]
    assert [one.key for one in spread(long, 5)] == [0, 1, 2, 3, 4]


def test_near_means_nearer_than_usual() -> None:
    far_apart, alike = Nearness.among(0.1, 1000), Nearness.among(0.75, 1000)
    assert far_apart.of(0.1) == pytest.approx(0, abs=0.01)
    assert alike.of(0.75) == pytest.approx(0, abs=0.05)
    assert 0 < alike.of(0.85) < far_apart.of(0.85) < 1
    assert far_apart.of(-1) == 0
    assert far_apart.of(1.1) == 1
    assert Nearness.among(0.9, 1).of(0.9) > 0.8
    assert fused(0.4, None, 0.7) == 0.4
    assert fused(0.4, 0.9, 0.5) == pytest.approx(0.65)


def test_an_english_model_is_heard_on_english_only() -> None:
    assert Maker("m", knows_french=False).knows("en", "en")
    assert not Maker("m", knows_french=False).knows("en", "fr")
    assert Maker("m", knows_french=True).knows("fr", "en")
