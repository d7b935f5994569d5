"""Embeddings and rankings, on real engines behind the real door."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest
from pydantic import SecretStr

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.embeddings.batches import MOST_TEXTS
from menagerie.embeddings.service import cosine
from menagerie.engines.lease import Lease
from menagerie.engines.residency import Engines
from menagerie.engines.target import Target
from menagerie.engines.unit import Care
from menagerie.models.failures import ModelError
from menagerie.settings import RemoteEngine
from tests.embeddings.conftest import texts_service
from tests.tiny_bert import WIDTH, WINDOW

pytestmark = pytest.mark.engine

ANA = User(("ana",))
MANY = [f"text {number} of many" for number in range(3 * MOST_TEXTS + 5)]


async def test_texts_get_their_vectors_and_say_what_computed_them(
    tmp_path: Path, engines: Engines, embedder: Path
) -> None:
    texts = texts_service(tmp_path, engines, whisper_embedding_model=str(embedder))
    embedded = await texts.embed(["one", "another", "one"], "document", ANA)
    assert [len(vector) for vector in embedded.vectors] == [WIDTH] * 3
    assert embedded.vectors[0] == pytest.approx(embedded.vectors[2], abs=1e-3)
    assert math.hypot(*embedded.vectors[0]) == pytest.approx(1.0, abs=1e-3)
    assert embedded.tokens == 3 * 2 + len("one" + "another" + "one")
    assert (embedded.model.name, embedded.model.file) == ("Tiny-BERT", "tiny-bert.gguf")
    assert str(tmp_path) not in str(embedded.model)


async def test_the_hash_of_a_file_that_was_put_there_by_hand_is_told_once_it_is_known(
    tmp_path: Path, engines: Engines, embedder: Path
) -> None:
    texts = texts_service(tmp_path, engines, whisper_embedding_model=str(embedder))
    async with asyncio.timeout(10):
        while not (await texts.embedder.find()).facts.sha256:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.01)
    await texts.close()


async def test_many_texts_go_in_pieces_that_let_others_between(
    tmp_path: Path, engines: Engines, embedder: Path
) -> None:
    texts = texts_service(tmp_path, engines, whisper_embedding_model=str(embedder), engine_slots=1)
    await texts.embed(["warm"], None, ANA)
    order: list[str] = []

    async def embed(who: str, what: list[str]) -> None:
        await texts.embed(what, None, User((who,)))
        order.append(who)

    async with asyncio.TaskGroup() as group:
        group.create_task(embed("batch", MANY * 8))
        await asyncio.sleep(0.02)
        group.create_task(embed("person", ["a"]))
    assert order == ["person", "batch"]
    together = await texts.embed(MANY, None, ANA)
    alone = await texts.embed([MANY[40]], None, ANA)
    assert together.vectors[40] == pytest.approx(alone.vectors[0], abs=1e-3)


async def test_many_texts_are_a_batch_and_few_are_a_persons(
    tmp_path: Path, engines: Engines, embedder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[tuple[str, bool]] = []
    enter = engines.enter

    def note(target: Target, user: str, tokens: int, *, batch: bool = False) -> Lease:
        entered.append((user, batch))
        return enter(target, user, tokens, batch=batch)

    monkeypatch.setattr(engines, "enter", note)
    texts = texts_service(tmp_path, engines, whisper_embedding_model=str(embedder))
    await texts.embed(MANY[:MOST_TEXTS], None, ANA)
    await texts.embed(MANY[: MOST_TEXTS + 1], None, ANA)
    assert entered == [("ana", False), ("ana", True), ("ana", True)]


async def test_a_text_longer_than_the_window_is_refused_with_the_figures(
    tmp_path: Path, engines: Engines, embedder: Path
) -> None:
    texts = texts_service(tmp_path, engines, whisper_embedding_model=str(embedder))
    assert (await texts.embed(["a " * (WINDOW - 2)], None, ANA)).tokens == WINDOW
    with pytest.raises(MenagerieError) as refused:
        await texts.embed(["short", "a " * WINDOW], None, ANA)
    assert refused.value.code is ErrorCode.PROMPT_TOO_LONG
    assert refused.value.values == {"tokens": WINDOW + 2, "window": WINDOW}


async def test_an_empty_text_is_refused_before_anything_is_loaded(
    tmp_path: Path, engines: Engines, embedder: Path
) -> None:
    texts = texts_service(tmp_path, engines, whisper_embedding_model=str(embedder))
    with pytest.raises(MenagerieError) as refused:
        await texts.embed(["a", " \n"], None, ANA)
    assert refused.value.code is ErrorCode.PROMPT_EMPTY
    assert engines.overview().loads == 0


async def test_an_engine_that_dies_in_between_is_started_again(
    tmp_path: Path, engines: Engines, embedder: Path
) -> None:
    texts = texts_service(tmp_path, engines, whisper_embedding_model=str(embedder))
    first = await texts.embed(MANY, None, ANA)
    embedding = asyncio.create_task(texts.embed(MANY * 8, None, ANA))
    await asyncio.sleep(0.05)
    (unit,) = engines._units.values()
    assert unit.engine
    unit.engine._child._process.kill()  # type: ignore[attr-defined]
    again = await embedding
    assert len(again.vectors) == len(MANY) * 8
    assert again.vectors[-1] == pytest.approx(first.vectors[-1], abs=1e-3)
    assert engines.overview().loads == 2


async def test_without_a_reranker_documents_are_ranked_by_their_vectors(
    tmp_path: Path, engines: Engines, embedder: Path
) -> None:
    texts = texts_service(tmp_path, engines, whisper_embedding_model=str(embedder))
    ranking = await texts.rerank("where is it", ["nothing at all", "where is it"], ANA)
    assert ranking.by == "cosine"
    assert ranking.scores[1] == pytest.approx(1.0, abs=1e-3)
    assert ranking.scores[0] < ranking.scores[1]
    assert ranking.tokens > 0


async def test_a_reranker_ranks_many_documents_in_their_order(
    tmp_path: Path, engines: Engines, embedder: Path, reranker: Path
) -> None:
    texts = texts_service(tmp_path, engines, whisper_embedding_model=str(embedder), reranker=str(reranker))
    ranking = await texts.rerank("where", MANY, ANA)
    assert (ranking.by, len(ranking.scores)) == ("reranker", len(MANY))
    alone = await texts.rerank("where", [MANY[-1]], ANA)
    assert alone.scores[0] == pytest.approx(ranking.scores[-1], abs=2e-2)
    assert {view.kind for view in engines.overview().engines} == {"rerank"}


async def test_what_cannot_do_the_work_is_refused_and_never_loaded(
    tmp_path: Path, engines: Engines, embedder: Path, reranker: Path, tiny_model: Path
) -> None:
    for wrong in (tiny_model, reranker):
        texts = texts_service(tmp_path, engines, whisper_embedding_model=str(wrong))
        with pytest.raises(ModelError) as refused:
            await texts.embed(["a"], None, ANA)
        assert (refused.value.code, refused.value.reason) == (ErrorCode.MODEL_UNSUITABLE, "no_embedding")
    for wrong in (tiny_model, embedder):
        texts = texts_service(tmp_path, engines, reranker=str(wrong))
        with pytest.raises(ModelError) as refused:
            await texts.rerank("a", ["b"], ANA)
        assert (refused.value.code, refused.value.reason) == (ErrorCode.MODEL_UNSUITABLE, "no_ranking")
    assert engines.overview().loads == 0


async def test_what_is_not_there_says_how_to_get_it_and_what_is_off_that_it_is(
    tmp_path: Path, engines: Engines
) -> None:
    with pytest.raises(MenagerieError) as missing:
        await texts_service(tmp_path, engines).embed(["a"], None, ANA)
    assert missing.value.code is ErrorCode.MODEL_MISSING
    assert missing.value.values["command"] == "menagerie models pull embedding"
    off = texts_service(tmp_path, engines, whisper_embedding_model="none")
    with pytest.raises(MenagerieError) as refused:
        await off.rerank("a", ["b"], ANA)
    assert refused.value.code is ErrorCode.EMBEDDINGS_OFF


async def test_a_model_that_arrives_while_the_service_runs_is_found(
    tmp_path: Path, engines: Engines, embedder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("menagerie.embeddings.model._FRESH_SECONDS", 0.0)
    texts = texts_service(tmp_path, engines, whisper_embedding_model="file:late.gguf")
    with pytest.raises(MenagerieError):
        await texts.embed(["a"], None, ANA)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "late.gguf").symlink_to(embedder)
    assert await texts.embed(["a"], None, ANA)
    await texts.close()


async def test_an_engine_at_an_address_embeds_too(tmp_path: Path, engines: Engines, embedder: Path) -> None:
    from menagerie.engines.child import Child
    from menagerie.engines.plan import Load

    load = Load(str(embedder), "far", 512, WINDOW, 2, 1, 0, "auto", 0, (100,), kind="embedding")
    child = await Child.start(load, 60, unix=False)
    try:
        far = RemoteEngine(url=(child.address,), key=SecretStr(child.key), model="far-e5")
        texts = texts_service(tmp_path, engines, whisper_embedding_model="far", far=far)
        document = await texts.embed(["a"], "document", ANA)
        query = await texts.embed(["a"], "query", ANA)
        (as_it_is,) = (await texts.embed(["query: a"], None, ANA)).vectors
        assert document.vectors != query.vectors
        assert query.vectors[0] == pytest.approx(as_it_is, abs=1e-3)
        assert query.model.source == "engine:far"
    finally:
        await engines.stop()
        await child.stop()


async def test_its_engines_are_expected_once_they_are_known(
    tmp_path: Path, engines: Engines, embedder: Path
) -> None:
    texts = texts_service(tmp_path, engines, whisper_embedding_model=str(embedder), engine_idle=30.0)
    assert texts.cared_for() == {}
    model = await texts.embedder.find()
    assert texts.cared_for() == {model.target: Care(idle_after_s=30.0)}
    await texts.close()


def test_the_cosine_heeds_the_angle_alone() -> None:
    assert cosine([1.0, 0.0], [5.0, 0.0]) == pytest.approx(1.0)
    assert cosine([1.0, 1.0], [1.0, -1.0]) == pytest.approx(0.0)
    assert cosine([0.0, 0.0], [1.0, 0.0]) == 0.0
