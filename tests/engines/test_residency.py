"""Which engines are in memory, when there is room for few."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message
from menagerie.engines import residency
from menagerie.engines.chat import ChatRequest
from menagerie.engines.engine import Engine
from menagerie.engines.plan import Load
from menagerie.engines.residency import Engines, Resident, evictions
from menagerie.engines.target import Remote
from tests.conftest import LIMITS
from tests.engines.faulty_server import faulty, reply
from tests.engines.processes import children

ASK = ChatRequest(messages=(Message("user", "Hello"),), max_tokens=4)


def target(name: str) -> Remote:
    return Remote(name, ("",), "", "", 1, 1)


RESIDENTS = st.lists(
    st.builds(
        Resident,
        key=st.integers(0, 999).map(lambda number: target(str(number))),
        memory_mib=st.integers(0, 1000),
        idle_s=st.none() | st.integers(0, 100).map(float),
    ),
    max_size=8,
    unique_by=lambda resident: resident.key,
)


class TestEvictions:
    @given(RESIDENTS, st.integers(0, 2000), st.integers(0, 4000))
    def test_what_stays_and_what_comes_fits_the_budget(
        self, residents: list[Resident], needed: int, budget: int
    ) -> None:
        chosen = evictions(residents, needed, budget)
        if chosen is not None:
            stays = [resident for resident in residents if resident.key not in chosen]
            assert sum(resident.memory_mib for resident in stays) + needed <= budget

    @given(RESIDENTS, st.integers(0, 2000), st.integers(0, 4000))
    def test_none_is_the_answer_exactly_when_all_the_idle_together_are_not_enough(
        self, residents: list[Resident], needed: int, budget: int
    ) -> None:
        busy = sum(resident.memory_mib for resident in residents if resident.idle_s is None)
        assert (evictions(residents, needed, budget) is None) is (busy + needed > budget)

    @given(RESIDENTS, st.integers(0, 2000), st.integers(0, 4000))
    def test_the_longest_idle_leave_first_and_no_more_than_it_takes(
        self, residents: list[Resident], needed: int, budget: int
    ) -> None:
        chosen = evictions(residents, needed, budget) or []
        by_key = {resident.key: resident for resident in residents}
        idle = [by_key[key].idle_s for key in chosen]
        assert None not in idle
        assert idle == sorted(idle, key=lambda seconds: -(seconds or 0))
        assert all(by_key[key].memory_mib for key in chosen)
        spared = [
            resident.idle_s or 0.0
            for resident in residents
            if resident.key not in chosen and resident.idle_s is not None and resident.memory_mib
        ]
        assert not chosen or not spared or max(spared) <= min(seconds or 0.0 for seconds in idle)
        if chosen:
            without_last = set(chosen[:-1])
            stays = sum(resident.memory_mib for resident in residents if resident.key not in without_last)
            assert stays + needed > budget


def load_of(tiny_load: Load, name: str, memory_mib: int = 100) -> Load:
    return msgspec.structs.replace(tiny_load, alias=name, memory=(memory_mib,))


@pytest.fixture
async def engines() -> AsyncIterator[Engines]:
    """Room for two of the tiny models at 100 MiB each."""
    engines = Engines(250, LIMITS)
    yield engines
    await engines.stop()


async def answered(engines: Engines, load: Load | Remote) -> int | None:
    async with engines.use(load) as engine:
        await asyncio.gather(*(_answer(engine) for _ in range(2)))
        return engine.pid


async def _answer(engine: Engine) -> None:
    assert [chunk async for chunk in engine.chat(ASK)][-1].finish


pytestmark = pytest.mark.engine


async def test_one_process_serves_all_personas_of_a_model(engines: Engines, tiny_load: Load) -> None:
    before = children()
    same = [load_of(tiny_load, "a") for _ in range(8)]
    pids = await asyncio.gather(*(answered(engines, load) for load in same))
    assert set(pids) == children() - before
    assert len(set(pids)) == 1


async def test_models_that_fit_together_stay_together(engines: Engines, tiny_load: Load) -> None:
    loads = [load_of(tiny_load, "a"), load_of(tiny_load, "b")]
    first = [await answered(engines, load) for load in loads]
    assert [await answered(engines, load) for load in loads] == first


async def test_the_longest_unused_leaves_for_a_third(engines: Engines, tiny_load: Load) -> None:
    a, b, c = [load_of(tiny_load, name) for name in "abc"]
    for load in (a, b, a, c):
        await answered(engines, load)
    assert [engines.state(load) for load in (a, b, c)] == ["ready", "absent", "ready"]
    assert len(engines.loaded()) == 2


async def test_two_that_do_not_fit_alternate_and_everyone_is_answered(
    engines: Engines, tiny_load: Load
) -> None:
    before = children()
    loads = [load_of(tiny_load, name, 200) for name in "ab"]
    most = 0

    async def turn(load: Load) -> None:
        nonlocal most
        async with engines.use(load) as engine:
            most = max(most, len(children() - before))
            await _answer(engine)

    async with asyncio.timeout(20):
        await asyncio.gather(*(turn(loads[number % 2]) for number in range(6)))
    assert most == 1


async def test_what_can_never_fit_is_refused_at_once_even_while_others_wait_for_room(
    engines: Engines, tiny_load: Load
) -> None:
    async with engines.use(load_of(tiny_load, "busy", 200)):
        waiting = asyncio.create_task(answered(engines, load_of(tiny_load, "next", 200)))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(1):
            with pytest.raises(MenagerieError) as refused:
                await answered(engines, load_of(tiny_load, "whale", 251))
    assert refused.value.code is ErrorCode.MODEL_TOO_LARGE
    assert refused.value.values == {"model": "whale", "needed": 251, "budget": 250}
    await waiting


async def test_a_busy_engine_is_never_unloaded(engines: Engines, tiny_load: Load) -> None:
    async with engines.use(load_of(tiny_load, "busy", 200)) as busy:
        pid = busy.pid
        waiting = asyncio.create_task(answered(engines, load_of(tiny_load, "next", 200)))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        assert busy.pid == pid
        await _answer(busy)
    async with asyncio.timeout(5):
        await waiting
    assert busy.pid is None


async def test_an_engine_that_is_used_again_while_others_leave_is_spared(
    engines: Engines, tiny_load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both idle ones were to leave for a large one; while the first ends, somebody comes back to the second."""
    a, b, large = load_of(tiny_load, "a"), load_of(tiny_load, "b"), load_of(tiny_load, "large", 250)
    for load in (a, b):
        await answered(engines, load)
    came_back, may_go = asyncio.Event(), asyncio.Event()
    unload = Engine.unload

    async def slow_unload(engine: Engine) -> None:
        await unload(engine)
        came_back.set()
        await may_go.wait()

    monkeypatch.setattr(Engine, "unload", slow_unload)
    waiting = asyncio.create_task(answered(engines, large))
    await came_back.wait()
    async with engines.use(b) as second:
        pid = second.pid
        may_go.set()
        await asyncio.sleep(0.1)
        assert second.pid == pid
        await _answer(second)
    async with asyncio.timeout(5):
        await waiting
    assert engines.state(b) == "absent"


async def test_who_needs_no_load_does_not_wait_for_room(engines: Engines, tiny_load: Load) -> None:
    a, b = load_of(tiny_load, "a"), load_of(tiny_load, "b")
    async with faulty(reply(200)) as server, engines.use(a), engines.use(b):
        waiting = asyncio.create_task(answered(engines, load_of(tiny_load, "c")))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(1):
            await answered(engines, a)
            async with engines.use(Remote("other", (server.address,), "", "", 1, 1024)):
                pass
        assert not waiting.done()
    await waiting


async def test_who_shares_a_load_in_progress_does_not_wait_for_room(
    engines: Engines, tiny_load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = [load_of(tiny_load, name) for name in "abc"]
    async with engines.use(a):
        loading = asyncio.create_task(answered(engines, b))
        while engines.state(b) != "loading":  # noqa: ASYNC110 - the state is the event
            await asyncio.sleep(0)
        making_room = asyncio.create_task(answered(engines, c))
        await asyncio.sleep(0)
        async with asyncio.timeout(2), engines.use(b):
            assert not making_room.done()
        await loading
        await making_room


async def test_one_that_waits_is_not_starved_by_turns_that_never_leave_a_gap(
    engines: Engines, tiny_load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residency, "_PATIENCE_SECONDS", 0.2)
    popular, other = load_of(tiny_load, "popular", 200), load_of(tiny_load, "other", 200)
    over = asyncio.Event()
    turns = 0

    async def one_after_the_other() -> None:
        nonlocal turns
        while not over.is_set():
            async with engines.use(popular):
                turns += 1
                await asyncio.sleep(0.03)

    crowd = [asyncio.create_task(one_after_the_other())]
    await asyncio.sleep(0.015)
    crowd += [asyncio.create_task(one_after_the_other()) for _ in range(2)]
    async with asyncio.timeout(30):
        while engines.state(popular) != "ready":  # noqa: ASYNC110 - the state is the event
            await asyncio.sleep(0.01)
    began = time.monotonic()
    async with asyncio.timeout(5):
        await answered(engines, other)
    assert time.monotonic() - began >= 0.2
    before = turns
    async with asyncio.timeout(5):
        while turns < before + 3:  # noqa: ASYNC110 - the crowd goes on
            await asyncio.sleep(0.01)
    over.set()
    await asyncio.gather(*crowd)


async def test_without_room_in_time_it_is_unavailable_and_the_next_may_try(
    engines: Engines, tiny_load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residency, "_ROOM_SECONDS", 0.2)
    busy, other = load_of(tiny_load, "busy", 200), load_of(tiny_load, "other", 200)
    async with engines.use(busy):
        with pytest.raises(MenagerieError) as refused:
            await answered(engines, other)
        assert refused.value.code is ErrorCode.ENGINE_UNAVAILABLE
        assert refused.value.retry_after
    monkeypatch.undo()
    await answered(engines, other)


async def test_one_who_gives_up_waiting_leaves_no_trace(engines: Engines, tiny_load: Load) -> None:
    busy, other = load_of(tiny_load, "busy", 200), load_of(tiny_load, "other", 200)
    async with engines.use(busy):
        waiting = asyncio.create_task(answered(engines, other))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await answered(engines, load_of(tiny_load, "third", 200))
    assert engines.state(other) == "absent"


async def test_a_failed_load_makes_no_room_disappear(engines: Engines, tiny_load: Load) -> None:
    broken = msgspec.structs.replace(load_of(tiny_load, "broken", 200), model="/nowhere.gguf")
    with pytest.raises(MenagerieError) as failure:
        await answered(engines, broken)
    assert failure.value.code is ErrorCode.MODEL_BROKEN
    await answered(engines, load_of(tiny_load, "whole", 200))
    assert [engine.target for engine in engines.loaded()] == [load_of(tiny_load, "whole", 200)]


async def test_an_engine_that_dies_in_use_is_there_for_the_next(engines: Engines, tiny_load: Load) -> None:
    load = load_of(tiny_load, "a")
    async with engines.use(load) as engine:
        assert engine.pid
        psutil.Process(engine.pid).kill()
        with pytest.raises(MenagerieError) as lost:
            await _answer(engine)
        assert lost.value.code is ErrorCode.ENGINE_LOST
    await answered(engines, load)


async def test_stopping_ends_all_processes_and_refuses_all_who_wait_or_come(tiny_load: Load) -> None:
    engines = Engines(250, LIMITS)
    before = children()
    for name in "ab":
        await answered(engines, load_of(tiny_load, name))
    async with engines.use(load_of(tiny_load, "a")), engines.use(load_of(tiny_load, "b")):
        waiting = asyncio.create_task(answered(engines, load_of(tiny_load, "c")))
        await asyncio.sleep(0.05)
        await engines.stop()
        async with asyncio.timeout(1):
            with pytest.raises(MenagerieError) as refused:
                await waiting
            assert refused.value.code is ErrorCode.STOPPING
    assert children() == before
    for name in "ad":
        with pytest.raises(MenagerieError) as refused:
            await answered(engines, load_of(tiny_load, name))
        assert refused.value.code is ErrorCode.STOPPING
    assert children() == before
