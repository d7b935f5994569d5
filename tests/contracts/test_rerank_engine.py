"""What every engine that ranks promises, whether it is our child process or stands at somebody's address."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import msgspec
import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.chat import Scores
from menagerie.engines.child import Child
from menagerie.engines.client import HttpEngine
from menagerie.engines.plan import Load
from tests.tiny_bert import WINDOW, write_reranker

pytestmark = pytest.mark.engine

DOCUMENTS = ["here it is", "there it was", "nowhere", "the end"] * 5


@pytest.fixture(scope="session")
def tiny_reranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reranker(tmp_path_factory.mktemp("reranker"))


@contextlib.asynccontextmanager
async def engine_on(load: Load, *, unix: bool) -> AsyncGenerator[HttpEngine, None]:
    child = await Child.start(load, 60, unix=unix)
    client = HttpEngine(child.address, key=child.key, model="tiny", token_timeout=20, native=unix)
    try:
        yield client
    finally:
        await client.close()
        await child.stop()


@pytest.fixture
def rerank_load(tiny_load: Load, tiny_reranker: Path) -> Load:
    return msgspec.structs.replace(tiny_load, model=str(tiny_reranker), window=WINDOW, kind="rerank")


@pytest.fixture(params=["child", "address"])
async def engine(request: pytest.FixtureRequest, rerank_load: Load) -> AsyncIterator[HttpEngine]:
    async with engine_on(rerank_load, unix=request.param == "child") as client:
        yield client


async def test_each_document_has_its_score_in_their_order(engine: HttpEngine) -> None:
    together = await engine.rerank("where is it?", DOCUMENTS)
    assert len(together.scores) == len(DOCUMENTS)
    assert together.tokens > len(DOCUMENTS)
    for index in (0, 2, 11):
        (alone,) = (await engine.rerank("where is it?", [DOCUMENTS[index]])).scores
        assert alone == pytest.approx(together.scores[index], abs=1e-2)
    assert len({round(score, 3) for score in together.scores}) > 2


async def test_the_query_counts(engine: HttpEngine) -> None:
    one, other = [(await engine.rerank(query, ["here"])).scores for query in ("where", "when")]
    assert one != pytest.approx(other, abs=1e-3)


async def test_no_documents_have_no_scores(engine: HttpEngine) -> None:
    assert await engine.rerank("where", []) == Scores([], 0)


async def test_a_pair_that_is_longer_than_the_window_is_refused(engine: HttpEngine) -> None:
    assert math.isfinite((await engine.rerank("a", ["b " * (WINDOW - 10)])).scores[0])
    with pytest.raises(MenagerieError) as refused:
        await engine.rerank("a", ["b", "b " * WINDOW])
    assert refused.value.code is ErrorCode.PROMPT_TOO_LONG
    assert refused.value.values["window"] == WINDOW


async def test_many_may_ask_at_once(engine: HttpEngine) -> None:
    answers = await asyncio.gather(*(engine.rerank(f"query {number}", ["a", "b"]) for number in range(6)))
    assert all(len(answer.scores) == 2 for answer in answers)


async def test_an_engine_that_embeds_ranks_nothing(rerank_load: Load) -> None:
    async with engine_on(msgspec.structs.replace(rerank_load, kind="embedding"), unix=True) as client:
        with pytest.raises(MenagerieError) as refused:
            await client.rerank("a", ["b"])
    assert refused.value.code is ErrorCode.ENGINE_REFUSED
