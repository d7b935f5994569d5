"""An engine that is killed, hangs, fails to load, is stopped: at every stage, its users are told and it comes back."""

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
from menagerie.engines.engine import Engine, Limits
from menagerie.engines.plan import Load
from menagerie.engines.target import Remote
from tests.conftest import LIMITS
from tests.engines.faulty_server import EVENTS, event, faulty, reply
from tests.engines.processes import assert_ended_but, children, next_child
from tests.tiny_model import write_tiny_model

pytestmark = pytest.mark.engine

ASK = ChatRequest(messages=(Message("user", "Hello"),), max_tokens=8)
QUICK = Limits(load_timeout=10, token_timeout=1.5, queue_length=4)


@pytest.fixture(scope="module")
def endless_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that never ends an answer by itself."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "endless.gguf", end_bias=-100)


@pytest.fixture
async def endless(endless_model: Path, tiny_load: Load) -> AsyncIterator[Engine]:
    engine = Engine(msgspec.structs.replace(tiny_load, model=str(endless_model)), QUICK)
    await engine.ready()
    yield engine
    await engine.stop()


SLACK = 2.0
"""Seconds that a busy machine may add to anything."""
LONG = ChatRequest(messages=(Message("user", "Go on"),), max_tokens=1900)


async def answer_of(engine: Engine, request: ChatRequest = ASK) -> list[Chunk]:
    return [chunk async for chunk in engine.chat(request)]


async def exhausted(chunks: AsyncGenerator[Chunk, None]) -> None:
    async for _ in chunks:
        pass


async def failure_of(engine: Engine, request: ChatRequest = ASK) -> MenagerieError:
    with pytest.raises(MenagerieError) as failure:
        await answer_of(engine, request)
    return failure.value


async def refusal_of(engine: Engine) -> MenagerieError:
    with pytest.raises(MenagerieError) as failure:
        await engine.ready()
    return failure.value


def pid_of(engine: Engine) -> int:
    assert engine.pid is not None
    return engine.pid


async def until_absent(engine: Engine) -> None:
    for _ in range(400):
        if engine.state == "absent":
            return
        await asyncio.sleep(0.005)
    raise AssertionError(engine.state)


async def assert_serves_again(engine: Engine) -> None:
    began = time.monotonic()
    await engine.ready()
    assert (await answer_of(engine))[-1].finish
    assert time.monotonic() - began < engine.load_seconds + SLACK


async def test_killed_while_idle_it_serves_again(engine: Engine) -> None:
    first = pid_of(engine)
    os.kill(first, signal.SIGKILL)
    await until_absent(engine)
    assert (await failure_of(engine)).code is ErrorCode.ENGINE_LOST
    await assert_serves_again(engine)
    assert pid_of(engine) != first
    assert engine.loads == 2


async def test_killed_while_loading_it_is_lost_and_serves_at_the_next_wish(tiny_load: Load) -> None:
    engine = Engine(tiny_load, LIMITS)
    before = children()
    loading = asyncio.create_task(refusal_of(engine))
    os.kill(await next_child(before), signal.SIGKILL)
    assert (await loading).code is ErrorCode.ENGINE_LOST
    assert engine.state == "absent"
    await assert_serves_again(engine)
    await engine.stop()


@pytest.mark.parametrize("tokens_before", [0, 5])
async def test_killed_during_an_answer_all_running_answers_end_at_once_as_lost(
    tokens_before: int, endless: Engine
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
    await assert_serves_again(endless)


async def test_a_hanging_engine_is_timed_out_ended_and_replaced(endless: Engine) -> None:
    first = pid_of(endless)
    chunks = endless.chat(LONG)
    await anext(chunks)
    os.kill(first, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(MenagerieError) as failure:
        await exhausted(chunks)
    assert failure.value.code is ErrorCode.ENGINE_TIMEOUT
    assert 1.4 < time.monotonic() - began < 3
    await assert_serves_again(endless)
    assert pid_of(endless) != first
    assert not psutil.pid_exists(first)


async def test_an_engine_that_hangs_when_it_counts_is_replaced_too(endless: Engine) -> None:
    first = pid_of(endless)
    os.kill(first, signal.SIGSTOP)
    with pytest.raises(MenagerieError) as failure:
        await endless.count("how many")
    assert failure.value.code is ErrorCode.ENGINE_TIMEOUT
    await assert_serves_again(endless)
    assert not psutil.pid_exists(first)


async def test_whoever_tries_again_at_once_after_a_death_is_served(endless: Engine) -> None:
    """Connections break a moment before the system tells of the death: the next must not meet the dead one."""
    for _ in range(2):
        await endless.ready()
        chunks = endless.chat(LONG)
        await anext(chunks)
        os.kill(pid_of(endless), signal.SIGKILL)
        with pytest.raises(MenagerieError):
            await exhausted(chunks)
        assert endless.state == "absent"


async def test_many_who_wait_start_it_once(tiny_load: Load) -> None:
    engine = Engine(tiny_load, LIMITS)
    before = children()
    await asyncio.gather(*(engine.ready() for _ in range(50)))
    assert engine.loads == 1
    assert len(children() - before) == 1
    await engine.stop()


async def test_one_who_gives_up_does_not_stop_the_start_for_the_others(tiny_load: Load) -> None:
    engine = Engine(tiny_load, LIMITS)
    impatient, patient = asyncio.create_task(engine.ready()), asyncio.create_task(engine.ready())
    await next_child(set())
    impatient.cancel()
    await patient
    assert impatient.cancelled()
    assert engine.loads == 1
    await engine.stop()


async def test_all_who_give_up_leave_an_engine_that_is_ready_for_the_next(tiny_load: Load) -> None:
    engine = Engine(tiny_load, LIMITS)
    impatient = asyncio.create_task(engine.ready())
    await next_child(set())
    impatient.cancel()
    await engine.ready()
    assert engine.loads == 1
    await engine.stop()


async def test_a_stop_during_the_load_tells_those_who_wait_and_leaves_no_process(tiny_load: Load) -> None:
    engine = Engine(tiny_load, LIMITS)
    before = children()
    waiting = [asyncio.create_task(refusal_of(engine)) for _ in range(3)]
    await next_child(before)
    await engine.stop()
    assert {(await one).code for one in waiting} == {ErrorCode.STOPPING}
    await assert_ended_but(before)
    assert (await refusal_of(engine)).code is ErrorCode.STOPPING
    assert engine.state == "stopped"


async def test_a_stop_while_it_greets_leaves_neither_process_nor_connection(
    tiny_load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[HttpEngine] = []

    class Recorded(HttpEngine):
        def __init__(self, address: str, *, key: str, model: str, token_timeout: float, native: bool) -> None:
            super().__init__(address, key=key, model=model, token_timeout=token_timeout, native=native)
            opened.append(self)

    monkeypatch.setattr(engine_module, "HttpEngine", Recorded)
    engine = Engine(tiny_load, LIMITS)
    before = children()
    waiting = asyncio.create_task(refusal_of(engine))
    while engine.pid is None:  # noqa: ASYNC110 - between the child's answer and the first call there is no event
        await asyncio.sleep(0)
    await engine.stop()
    assert (await waiting).code is ErrorCode.STOPPING
    await assert_ended_but(before)
    assert [client._session.closed for client in opened] == [True]


async def test_a_process_that_dies_while_it_is_greeted_never_counts_as_ready(tiny_load: Load) -> None:
    engine = Engine(tiny_load, LIMITS)
    waiting = asyncio.create_task(refusal_of(engine))
    while engine.pid is None:  # noqa: ASYNC110 - see above
        await asyncio.sleep(0)
    os.kill(pid_of(engine), signal.SIGKILL)
    assert (await waiting).code is ErrorCode.ENGINE_LOST
    await assert_serves_again(engine)
    await engine.stop()


async def test_at_most_one_process_at_a_time(endless: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "_STOP_SECONDS", 0.3)
    first = pid_of(endless)
    os.kill(first, signal.SIGSTOP)
    unloading = asyncio.create_task(endless.unload())
    await asyncio.sleep(0)
    assert endless.state == "absent"
    await endless.ready()
    assert not psutil.pid_exists(first)
    await unloading


async def test_an_unload_that_is_given_up_ends_the_process_all_the_same(
    endless: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_STOP_SECONDS", 0.3)
    first = pid_of(endless)
    os.kill(first, signal.SIGSTOP)
    unloading = asyncio.create_task(endless.unload())
    await asyncio.sleep(0.05)
    unloading.cancel()
    await endless.stop()
    assert not psutil.pid_exists(first)


async def test_an_unloaded_engine_comes_back_without_a_rest(engine: Engine) -> None:
    for loads in (2, 3, 4, 5):
        await engine.unload()
        assert engine.pid is None
        await engine.ready()
        assert engine.loads == loads


async def test_a_model_that_never_loads_rests_longer_and_longer_and_says_why(
    tiny_load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_BACK_OFF_S", (0.0, 0.0, 0.3, 60.0))
    engine = Engine(msgspec.structs.replace(tiny_load, model=str(tmp_path / "absent.gguf")), LIMITS)
    for _ in range(2):
        first = await refusal_of(engine)
        assert (first.code, first.retry_after) == (ErrorCode.MODEL_BROKEN, None)
    resting = await refusal_of(engine)
    assert (resting.code, resting.retry_after) == (ErrorCode.MODEL_BROKEN, 1)
    assert resting.values == {"model": "tiny"}
    await asyncio.sleep(0.35)
    assert (await refusal_of(engine)).retry_after is None
    began = time.monotonic()
    resting = await refusal_of(engine)
    assert resting.retry_after == 60
    assert time.monotonic() - began < 0.1
    await engine.stop()


async def test_one_that_lived_well_begins_a_new_count_of_failures(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_BACK_OFF_S", (0.0, 0.0, 60.0))
    monkeypatch.setattr(engine_module, "_LIVED_WELL_S", 0.05)
    for _ in range(3):
        await asyncio.sleep(0.1)
        os.kill(pid_of(engine), signal.SIGKILL)
        await until_absent(engine)
        await engine.ready()


async def test_one_that_keeps_dying_young_rests(engine: Engine) -> None:
    for _ in range(2):
        await engine.ready()
        os.kill(pid_of(engine), signal.SIGKILL)
        await until_absent(engine)
    refused = await refusal_of(engine)
    assert refused.code is ErrorCode.ENGINE_UNAVAILABLE
    assert refused.retry_after == 1


async def test_everyone_who_waits_for_a_failing_start_gets_an_error_of_their_own(
    tiny_load: Load, tmp_path: Path
) -> None:
    engine = Engine(msgspec.structs.replace(tiny_load, model=str(tmp_path / "absent.gguf")), LIMITS)
    failures = await asyncio.gather(*(engine.ready() for _ in range(3)), return_exceptions=True)
    assert all(isinstance(failure, MenagerieError) for failure in failures)
    assert len({id(failure) for failure in failures}) == 3
    await engine.stop()


async def test_what_was_counted_is_not_asked_for_again_and_not_remembered_as_text(engine: Engine) -> None:
    counted = await engine.count("a secret of somebody")
    assert counted == await engine.count("a secret of somebody")
    assert "secret" not in repr(vars(engine))
    await engine.unload()
    assert await engine.count("a secret of somebody") == counted
    with pytest.raises(MenagerieError) as lost:
        await engine.count("another text")
    assert lost.value.code is ErrorCode.ENGINE_LOST


async def test_the_memory_of_counts_is_bounded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_COUNTED_TEXTS", 3)
    for number in range(5):
        await engine.count(f"text {number}")
    assert len(engine._counts) == 3


async def test_using_an_engine_moves_its_last_use(engine: Engine) -> None:
    before = engine.last_used
    await asyncio.sleep(0.01)
    await answer_of(engine)
    assert engine.last_used > before


async def test_an_address_that_goes_away_is_unavailable_until_it_is_back() -> None:
    async def serve(writer: asyncio.StreamWriter) -> None:
        path = server.heads[-1].split()[1]
        answers = {
            "/health": reply(200),
            "/v1/chat/completions": EVENTS + event("a") + b"data: [DONE]\n\n",
        }
        writer.write(answers.get(path, reply(404)))

    async with faulty(serve) as server:
        engine = Engine(Remote("other", (server.address,), "m", "", 2, 1024), QUICK)
        await engine.ready()
        assert await answer_of(engine) == [Chunk(text="a", finish="stop")]
        assert engine.takes_system
        assert engine.memory_mib == 0
    gone = await failure_of(engine)
    assert gone.code is ErrorCode.ENGINE_UNAVAILABLE
    assert gone.retry_after
    async with faulty(serve, port=int(server.address.rpartition(":")[2])) as server:
        assert (await answer_of(engine))[-1].finish
    await engine.stop()


async def test_an_address_that_is_down_is_asked_again_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_BACK_OFF_S", (0.0, 60.0))
    engine = Engine(Remote("other", ("http://127.0.0.1:9",), "m", "", 2, 1024), QUICK)
    for _ in range(2):
        refused = await refusal_of(engine)
        assert refused.retry_after == 5
    await engine.stop()
