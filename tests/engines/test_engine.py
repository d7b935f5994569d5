"""An engine that is killed, hangs, fails to load, raves or is closed: at every stage its users are told, and nothing of
it remains."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import msgspec
import psutil
import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message
from menagerie.engines import child as child_module
from menagerie.engines import engine as engine_module
from menagerie.engines.chat import ChatRequest, Chunk
from menagerie.engines.client import HttpEngine
from menagerie.engines.engine import Limits, LocalEngine
from menagerie.engines.plan import Load
from tests.conftest import LIMITS
from tests.engines.faulty_server import EVENTS, faulty
from tests.engines.processes import assert_ended_but, children, next_child
from tests.tiny_model import write_tiny_model

pytestmark = pytest.mark.engine

ASK = ChatRequest(messages=(Message("user", "Hello"),), max_tokens=8)
QUICK = Limits(load_timeout=10, token_timeout=1.5, queue_length=4)
SLACK = 2.0
"""Seconds that a busy machine may add to anything."""
LONG = ChatRequest(messages=(Message("user", "Go on"),), max_tokens=1900)


@pytest.fixture(scope="module")
def endless_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that never ends an answer by itself."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "endless.gguf", end_bias=-100)


@pytest.fixture
async def endless(endless_model: Path, tiny_load: Load) -> AsyncIterator[LocalEngine]:
    engine = await LocalEngine.start(msgspec.structs.replace(tiny_load, model=str(endless_model)), QUICK)
    yield engine
    await engine.close()


async def answer_of(engine: LocalEngine, request: ChatRequest = ASK) -> list[Chunk]:
    return [chunk async for chunk in engine.chat(request)]


async def exhausted(chunks: AsyncGenerator[Chunk, None]) -> None:
    async for _ in chunks:
        pass


async def failure_of(engine: LocalEngine, request: ChatRequest = ASK) -> MenagerieError:
    with pytest.raises(MenagerieError) as failure:
        await answer_of(engine, request)
    return failure.value


def pid_of(engine: LocalEngine) -> int:
    assert engine.pid is not None
    return engine.pid


async def reason_of(engine: LocalEngine) -> ErrorCode:
    async with asyncio.timeout(SLACK):
        return await asyncio.shield(engine.over)


async def test_killed_while_idle_it_says_so_and_serves_no_more(engine: LocalEngine) -> None:
    os.kill(pid_of(engine), signal.SIGKILL)
    assert await reason_of(engine) is ErrorCode.ENGINE_LOST
    assert (await failure_of(engine)).code is ErrorCode.ENGINE_LOST
    with pytest.raises(MenagerieError):
        await engine.count("how many")


async def test_killed_while_loading_it_is_lost_and_leaves_nothing(tiny_load: Load) -> None:
    before = children()
    loading = asyncio.create_task(LocalEngine.start(tiny_load, LIMITS))
    os.kill(await next_child(before), signal.SIGKILL)
    with pytest.raises(MenagerieError) as lost:
        await loading
    assert lost.value.code is ErrorCode.ENGINE_LOST
    await assert_ended_but(before)


@pytest.mark.parametrize("tokens_before", [0, 5])
async def test_killed_during_an_answer_all_running_answers_end_at_once_as_lost(
    tokens_before: int, endless: LocalEngine
) -> None:
    first = endless.chat(LONG)
    for _ in range(tokens_before):
        await anext(first)
    others = [asyncio.create_task(failure_of(endless, LONG)) for _ in range(2)]
    await asyncio.sleep(0.05)
    os.kill(pid_of(endless), signal.SIGKILL)
    async with asyncio.timeout(SLACK):
        with pytest.raises(MenagerieError) as lost:
            await exhausted(first)
        assert lost.value.code is ErrorCode.ENGINE_LOST
        assert {(await other).code for other in others} == {ErrorCode.ENGINE_LOST}
    assert await reason_of(endless) is ErrorCode.ENGINE_LOST


async def test_whoever_is_told_of_the_loss_finds_the_engine_over_already(endless: LocalEngine) -> None:
    """Connections break a moment before the system tells of the death: whoever tries again must not meet the dead
    one."""
    chunks = endless.chat(LONG)
    await anext(chunks)
    os.kill(pid_of(endless), signal.SIGKILL)
    with pytest.raises(MenagerieError):
        await exhausted(chunks)
    assert endless.over.done()


async def test_a_hanging_engine_is_timed_out_and_over(endless: LocalEngine) -> None:
    chunks = endless.chat(LONG)
    await anext(chunks)
    os.kill(pid_of(endless), signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(MenagerieError) as failure:
        await exhausted(chunks)
    assert failure.value.code is ErrorCode.ENGINE_TIMEOUT
    assert 1.4 < time.monotonic() - began < 3
    assert endless.over.result() is ErrorCode.ENGINE_TIMEOUT


async def test_an_engine_that_hangs_when_it_counts_is_over_too(endless: LocalEngine) -> None:
    os.kill(pid_of(endless), signal.SIGSTOP)
    with pytest.raises(MenagerieError) as failure:
        await endless.count("how many")
    assert failure.value.code is ErrorCode.ENGINE_TIMEOUT
    assert endless.over.result() is ErrorCode.ENGINE_TIMEOUT


async def test_one_that_answers_nothing_but_garbage_is_over_and_one_good_answer_in_between_saves_it(
    engine: LocalEngine,
) -> None:
    real = engine._client
    async with faulty(EVENTS + b"data: garbage\n\n") as server:
        raving = HttpEngine(server.address, key="", model="", token_timeout=2, native=True)
        for round_ in ("raves", "raves", "answers", "raves", "raves", "raves"):
            assert not engine.over.done()
            engine._client = real if round_ == "answers" else raving
            if round_ == "answers":
                assert (await answer_of(engine))[-1].finish
            else:
                assert (await failure_of(engine)).code is ErrorCode.ENGINE_LOST
        assert engine.over.result() is ErrorCode.ENGINE_LOST
        await raving.close()
    engine._client = real


async def test_a_prompt_that_it_refuses_does_not_count_against_it(engine: LocalEngine) -> None:
    too_long = ChatRequest(messages=(Message("user", "word " * 5000),), max_tokens=8)
    for _ in range(4):
        assert (await failure_of(engine, too_long)).code is ErrorCode.PROMPT_TOO_LONG
    assert not engine.over.done()
    assert (await answer_of(engine))[-1].finish


async def test_a_start_that_is_given_up_leaves_neither_process_nor_connection(
    tiny_load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[HttpEngine] = []

    class Recorded(HttpEngine):
        def __init__(self, address: str, *, key: str, model: str, token_timeout: float, native: bool) -> None:
            super().__init__(address, key=key, model=model, token_timeout=token_timeout, native=native)
            opened.append(self)

    monkeypatch.setattr(engine_module, "HttpEngine", Recorded)
    before = children()
    for stage in ("loading", "greeting"):
        starting = asyncio.create_task(LocalEngine.start(tiny_load, LIMITS))
        await next_child(before)
        while stage == "greeting" and not opened:  # noqa: ASYNC110 - there is no event in between
            await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await assert_ended_but(before)
    assert [client._session.closed for client in opened] == [True]


async def test_a_process_that_dies_while_it_is_greeted_never_counts_as_ready(tiny_load: Load) -> None:
    before = children()
    starting = asyncio.create_task(LocalEngine.start(tiny_load, LIMITS))
    pid = await next_child(before)
    greeting = asyncio.all_tasks()
    while not any(task.get_name() == "engine-watch" for task in greeting):  # the child has answered
        await asyncio.sleep(0)
        greeting = asyncio.all_tasks()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(MenagerieError) as lost:
        await starting
    assert lost.value.code is ErrorCode.ENGINE_LOST
    await assert_ended_but(before)


async def test_closed_it_is_not_over_but_gone(engine: LocalEngine) -> None:
    told: list[ErrorCode] = []
    engine.when_over(told.append)
    pid = pid_of(engine)
    await engine.close()
    assert not psutil.pid_exists(pid)
    assert told == []
    assert (await failure_of(engine)).code is ErrorCode.ENGINE_LOST


async def test_a_close_that_is_given_up_ends_the_process_all_the_same(
    endless: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_STOP_SECONDS", 0.3)
    before = children() - {pid_of(endless)}
    os.kill(pid_of(endless), signal.SIGSTOP)
    closing = asyncio.create_task(endless.close())
    await asyncio.sleep(0.05)
    closing.cancel()
    await assert_ended_but(before)


async def test_whoever_asks_for_the_end_is_told_of_it(endless: LocalEngine) -> None:
    told: list[ErrorCode] = []
    endless.when_over(told.append)
    endless.end_because(ErrorCode.ENGINE_TIMEOUT)
    endless.end_because(ErrorCode.ENGINE_LOST)
    await asyncio.sleep(0)
    assert told == [ErrorCode.ENGINE_TIMEOUT]


async def test_what_was_counted_is_not_asked_for_again_and_not_remembered_as_text(
    engine: LocalEngine,
) -> None:
    counted = await engine.count("a secret of somebody")
    assert "secret" not in repr(vars(engine))
    await engine.close()
    assert await engine.count("a secret of somebody") == counted
    with pytest.raises(MenagerieError) as lost:
        await engine.count("another text")
    assert lost.value.code is ErrorCode.ENGINE_LOST


async def test_the_memory_of_counts_is_bounded(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_COUNTED_TEXTS", 3)
    for number in range(5):
        await engine.count(f"text {number}")
    assert len(engine._counts) == 3


async def test_it_tells_what_it_takes_of_the_memory(engine: LocalEngine) -> None:
    assert 10 < engine.resident_mib() < 2000
