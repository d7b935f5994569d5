"""What every embedding engine promises, whether it is our child process or stands at somebody's address."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec
import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.chat import Vectors
from menagerie.engines.child import Child
from menagerie.engines.client import HttpEngine
from menagerie.engines.plan import Load
from tests.tiny_model import WIDTH

pytestmark = pytest.mark.engine

WINDOW = 1024


@pytest.fixture
def embedding_load(tiny_load: Load) -> Load:
    return msgspec.structs.replace(tiny_load, kind="embedding")


@contextlib.asynccontextmanager
async def engine_on(load: Load, *, unix: bool, key: str = "") -> AsyncGenerator[HttpEngine, None]:
    child = await Child.start(load, 60, unix=unix)
    client = HttpEngine(child.address, key=key or child.key, model="tiny", token_timeout=20, native=unix)
    try:
        yield client
    finally:
        await client.close()
        await child.stop()


@pytest.fixture(params=["child", "address"])
async def engine(request: pytest.FixtureRequest, embedding_load: Load) -> AsyncIterator[HttpEngine]:
    async with engine_on(embedding_load, unix=request.param == "child") as client:
        yield client


def alike(one: list[float], other: list[float]) -> float:
    """The cosine of the angle between two vectors."""
    return math.sumprod(one, other) if hasattr(math, "sumprod") else sum(map(float.__mul__, one, other))


async def test_each_text_has_its_vector_in_their_order(engine: HttpEngine) -> None:
    texts = [f"number {number} of many" * (number % 5 + 1) for number in range(24)]
    together = (await engine.embed(texts)).vectors
    assert [len(vector) for vector in together] == [WIDTH] * len(texts)
    for index in (0, 7, 23):
        (alone,) = (await engine.embed([texts[index]])).vectors
        assert alike(alone, together[index]) == pytest.approx(1.0, abs=1e-3)
    assert alike(together[0], together[1]) < 0.999


async def test_no_texts_have_no_vectors(engine: HttpEngine) -> None:
    assert await engine.embed([]) == Vectors([], 0)


async def test_many_may_ask_at_once(engine: HttpEngine) -> None:
    answers = await asyncio.gather(*(engine.embed([f"text {number}", "b"]) for number in range(6)))
    assert all(len(answer.vectors) == 2 for answer in answers)


async def test_a_text_as_long_as_the_window_has_a_vector_and_a_longer_one_is_refused(
    engine: HttpEngine,
) -> None:
    assert await engine.count("w" * WINDOW) == WINDOW
    ((first, *_),) = (await engine.embed(["w" * WINDOW])).vectors
    assert math.isfinite(first)
    with pytest.raises(MenagerieError) as refused:
        await engine.embed(["short", "w" * (WINDOW + 1)])
    assert refused.value.code is ErrorCode.PROMPT_TOO_LONG
    assert refused.value.values == {"tokens": WINDOW + 1, "window": WINDOW}


async def test_a_text_longer_than_the_pool_is_refused_too(engine: HttpEngine) -> None:
    with pytest.raises(MenagerieError) as refused:
        await engine.embed(["w" * 5000])
    assert refused.value.code is ErrorCode.PROMPT_TOO_LONG


async def test_an_empty_text_is_refused(engine: HttpEngine) -> None:
    with pytest.raises(MenagerieError) as refused:
        await engine.embed(["a", ""])
    assert refused.value.code is ErrorCode.ENGINE_REFUSED


@pytest.mark.parametrize("unix", [True, False])
async def test_without_the_key_nothing_is_embedded(unix: bool, embedding_load: Load) -> None:
    async with engine_on(embedding_load, unix=unix, key="wrong") as stranger:
        with pytest.raises(MenagerieError) as refused:
            await stranger.embed(["a"])
    assert refused.value.code is ErrorCode.ENGINE_REFUSED


async def test_a_text_model_that_embeds_nothing_refuses(tiny_load: Load) -> None:
    async with engine_on(tiny_load, unix=True) as client:
        with pytest.raises(MenagerieError) as refused:
            await client.embed(["a"])
    assert refused.value.code is ErrorCode.ENGINE_REFUSED


async def test_an_engine_that_is_gone_is_lost(embedding_load: Load) -> None:
    child = await Child.start(embedding_load, 60)
    client = HttpEngine(child.address, key=child.key, model="", token_timeout=20, native=True)
    await child.stop()
    with pytest.raises(MenagerieError) as lost:
        await client.embed(["a"])
    assert lost.value.code is ErrorCode.ENGINE_LOST
    await client.close()
