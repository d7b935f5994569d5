"""What every text engine promises, whether it is our child process or stands at somebody's address."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message
from menagerie.engines.chat import ChatRequest, Chunk
from menagerie.engines.child import Child
from menagerie.engines.engine import LocalEngine, RunningEngine
from menagerie.engines.plan import Load
from menagerie.engines.remote import RemoteEngine
from menagerie.engines.target import Remote
from tests.conftest import LIMITS

pytestmark = pytest.mark.engine

ASK = ChatRequest(messages=(Message("system", "Be brief."), Message("user", "Hello")), max_tokens=12)


@pytest.fixture(params=["child", "address"])
async def text_engine(request: pytest.FixtureRequest, tiny_load: Load) -> AsyncIterator[RunningEngine]:
    if request.param == "child":
        ours = await LocalEngine.start(tiny_load, LIMITS)
        yield ours
        await ours.close()
        return
    server = await Child.start(tiny_load, 60, unix=False)
    engine = await RemoteEngine.start(Remote("other", (server.address,), "tiny", server.key, 2, 1024), LIMITS)
    yield engine
    await engine.close()
    await server.stop()


async def chunks_of(engine: RunningEngine, request: ChatRequest) -> list[Chunk]:
    return [chunk async for chunk in engine.chat(request)]


async def test_an_answer_comes_in_pieces_and_ends_with_its_reason_and_its_tokens(
    text_engine: RunningEngine,
) -> None:
    chunks = await chunks_of(text_engine, ASK)
    assert "".join(chunk.text for chunk in chunks)
    assert [bool(chunk.finish) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].finish in {"stop", "length"}
    usage = chunks[-1].usage
    assert usage is not None
    assert 0 < usage.answer <= 12
    assert usage.prompt > 0


async def test_the_same_seed_gives_the_same_answer(text_engine: RunningEngine) -> None:
    seeded = msgspec.structs.replace(ASK, seed=7, temperature=1.0)
    first, second = [await chunks_of(text_engine, seeded) for _ in range(2)]
    assert "".join(chunk.text for chunk in first) == "".join(chunk.text for chunk in second)


async def test_several_answers_are_written_at_once(text_engine: RunningEngine) -> None:
    answers = await asyncio.gather(*(chunks_of(text_engine, ASK) for _ in range(6)))
    assert all(answer[-1].finish for answer in answers)


async def test_a_prompt_beyond_the_pool_is_refused_with_both_numbers(text_engine: RunningEngine) -> None:
    endless = ChatRequest(messages=(Message("user", "word " * 3000),), max_tokens=4)
    with pytest.raises(MenagerieError) as refused:
        await chunks_of(text_engine, endless)
    assert refused.value.code is ErrorCode.PROMPT_TOO_LONG
    assert refused.value.values["window"] == 2048
    assert float(refused.value.values["tokens"]) > 2048


async def test_tokens_are_counted(text_engine: RunningEngine) -> None:
    assert await text_engine.count("") == 0
    assert 3 <= await text_engine.count("one two three") <= 13


async def test_closing_the_generator_frees_the_engine_at_once(text_engine: RunningEngine) -> None:
    long = msgspec.structs.replace(ASK, max_tokens=900)
    for _ in range(8):
        async with contextlib.aclosing(text_engine.chat(long)) as chunks:
            await anext(chunks)
    async with asyncio.timeout(10):
        assert await chunks_of(text_engine, ASK)


async def test_a_system_message_reaches_the_template(text_engine: RunningEngine) -> None:
    assert text_engine.takes_system


async def test_the_key_is_needed(tiny_load: Load) -> None:
    server = await Child.start(tiny_load, 60, unix=False)
    try:
        stranger = await RemoteEngine.start(
            Remote("other", (server.address,), "tiny", "wrong", 2, 1024), LIMITS
        )
        with pytest.raises(MenagerieError) as refused:
            await chunks_of(stranger, ASK)
        assert refused.value.code is ErrorCode.ENGINE_REFUSED
        await stranger.close()
    finally:
        await server.stop()


def test_a_socket_of_ours_is_in_a_folder_of_ours(engine: LocalEngine) -> None:
    assert engine._child is not None
    folder = Path(engine._child.address).parent
    assert folder.stat().st_mode & 0o077 == 0
