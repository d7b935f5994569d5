"""Which engines run, and who may use them: the policy, carried out with real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message
from menagerie.engines import residency
from menagerie.engines.chat import ChatRequest
from menagerie.engines.engine import Limits, LocalEngine, RunningEngine
from menagerie.engines.measurements import Measurements
from menagerie.engines.overview import EngineView
from menagerie.engines.plan import Load, Local
from menagerie.engines.residency import Engines
from menagerie.engines.rules import Rules
from menagerie.engines.target import Remote, Target
from menagerie.engines.unit import Care
from tests.conftest import LIMITS, local, machine
from tests.engines.faulty_server import faulty, reply
from tests.engines.processes import children, next_child

pytestmark = pytest.mark.engine

ASK = ChatRequest(messages=(Message("user", "Hello"),), max_tokens=4)
HASTE = Rules(queue_length=8, least_patience_s=0.3, patience_loads=0.5)
"""As the service's, with less patience."""


class AsEstimated(Measurements):
    """Takes what is estimated for what is: the tiny model would need far less than these tests want."""

    def correct(self, load: Load) -> Load:
        return load


@contextlib.asynccontextmanager
async def engines_with(
    budget_mib: int, limits: Limits = LIMITS, rules: Rules = HASTE, measurements: Measurements | None = None
) -> AsyncGenerator[Engines, None]:
    measurements = measurements or AsEstimated()
    engines = Engines(machine(budget_mib), limits, rules=rules, measurements=measurements)
    try:
        yield engines
    finally:
        await engines.stop()


def model(tiny_load: Load, name: str, memory_mib: int = 300, *smaller_mib: int) -> Local:
    """A model of its own name, and of the tiny one's weights."""
    return local(
        *(
            msgspec.structs.replace(tiny_load, alias=name, memory=(size,), slots=max(1, 2 - number))
            for number, size in enumerate((memory_mib, *smaller_mib))
        )
    )


@pytest.fixture
async def engines() -> AsyncIterator[Engines]:
    """Room for two models of 300 MiB each."""
    async with engines_with(700) as engines:
        yield engines


async def answer_of(engine: RunningEngine) -> None:
    assert [chunk async for chunk in engine.chat(ASK)][-1].finish


async def answered(engines: Engines, target: Target, user: str = "ana") -> int | None:
    async with engines.use(target, user) as engine:
        await answer_of(engine)
        return engine.pid if isinstance(engine, LocalEngine) else None


async def comes_true(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def view(engines: Engines, name: str) -> EngineView:
    return next(one for one in engines.overview().engines if one.name == name)


async def failure_of(engines: Engines, target: Target) -> MenagerieError:
    with pytest.raises(MenagerieError) as failure:
        async with asyncio.timeout(10):
            await answered(engines, target)
    return failure.value


async def test_one_process_serves_all_personas_of_a_model(engines: Engines, tiny_load: Load) -> None:
    before = children()
    pids = await asyncio.gather(
        *(answered(engines, model(tiny_load, "a"), f"user {number}") for number in range(8))
    )
    assert set(pids) == children() - before
    assert len(set(pids)) == 1
    assert engines.overview().loads == 1


async def test_models_that_fit_together_stay_together(engines: Engines, tiny_load: Load) -> None:
    models = [model(tiny_load, "a"), model(tiny_load, "b")]
    first = [await answered(engines, one) for one in models]
    assert [await answered(engines, one) for one in models] == first


async def test_the_one_that_is_wanted_least_leaves_for_a_third(engines: Engines, tiny_load: Load) -> None:
    a, b, c = [model(tiny_load, name) for name in "abc"]
    for one in (a, b, a, c):
        await answered(engines, one)
    assert [engines.state(one) for one in (a, b, c)] == ["ready", "absent", "ready"]
    assert engines.overview().evictions == 1


async def test_two_that_do_not_fit_alternate_and_everyone_is_answered(
    engines: Engines, tiny_load: Load
) -> None:
    before = children()
    models = [model(tiny_load, name, 600) for name in "ab"]
    most = 0

    async def turn(one: Local, user: str) -> None:
        nonlocal most
        async with engines.use(one, user) as engine:
            most = max(most, len(children() - before))
            await answer_of(engine)

    async with asyncio.timeout(20):
        await asyncio.gather(*(turn(models[number % 2], f"user {number}") for number in range(6)))
    assert most == 1
    assert engines.overview().loads <= 4, "they thrash"


async def test_what_can_never_fit_is_refused_at_once_with_the_figures(
    engines: Engines, tiny_load: Load
) -> None:
    async with engines.use(model(tiny_load, "busy", 600)):
        waiting = asyncio.create_task(answered(engines, model(tiny_load, "next", 600)))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(1):
            refused = await failure_of(engines, model(tiny_load, "whale", 701))
    assert refused.code is ErrorCode.MODEL_TOO_LARGE
    assert refused.values == {"model": "whale", "needed": 701, "budget": 700}
    assert "701" in refused.message("en")
    assert "700" in refused.message("fr")
    assert not engines.could_hold(model(tiny_load, "whale", 701))
    assert engines.could_hold(model(tiny_load, "calf", 700))
    await waiting


async def test_a_busy_engine_is_never_ended(engines: Engines, tiny_load: Load) -> None:
    async with engines.use(model(tiny_load, "busy", 600)) as busy:
        assert isinstance(busy, LocalEngine)
        waiting = asyncio.create_task(answered(engines, model(tiny_load, "next", 600)))
        await asyncio.sleep(1.0)
        assert not waiting.done()
        await answer_of(busy)
    async with asyncio.timeout(5):
        await waiting
    assert busy.pid is None


async def test_while_one_model_loads_another_answers(engines: Engines, tiny_load: Load) -> None:
    a, b = model(tiny_load, "a"), model(tiny_load, "b")
    await answered(engines, a)
    loading = asyncio.create_task(answered(engines, b))
    while engines.state(b) != "loading":  # noqa: ASYNC110 - the state is the event
        await asyncio.sleep(0)
    await answered(engines, a)
    assert engines.state(b) == "loading"
    await loading


async def test_who_needs_no_load_does_not_wait_for_room(engines: Engines, tiny_load: Load) -> None:
    a, b = model(tiny_load, "a"), model(tiny_load, "b")
    async with faulty(reply(200)) as server, engines.use(a), engines.use(b):
        waiting = asyncio.create_task(answered(engines, model(tiny_load, "c")))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(1):
            await answered(engines, a)
            async with engines.use(Remote("other", (server.address,), "", "", 1, 1024)):
                pass
        assert not waiting.done()
    await waiting


async def test_one_that_waits_is_not_starved_by_turns_that_never_leave_a_gap(
    engines: Engines, tiny_load: Load
) -> None:
    popular, other = model(tiny_load, "popular", 600), model(tiny_load, "other", 600)
    over = asyncio.Event()
    turns = 0

    async def one_after_the_other(user: str) -> None:
        nonlocal turns
        while not over.is_set():
            async with engines.use(popular, user):
                turns += 1
                await asyncio.sleep(0.03)

    crowd = [asyncio.create_task(one_after_the_other(f"user {number}")) for number in range(3)]
    await comes_true(lambda: turns > 10)
    async with asyncio.timeout(10):
        await answered(engines, other)
    before = turns
    await comes_true(lambda: turns > before + 3)
    over.set()
    await asyncio.gather(*crowd)


async def test_one_who_gives_up_waiting_leaves_no_trace(engines: Engines, tiny_load: Load) -> None:
    busy, other = model(tiny_load, "busy", 600), model(tiny_load, "other", 600)
    async with engines.use(busy):
        waiting = asyncio.create_task(answered(engines, other))
        await asyncio.sleep(0.05)
        assert engines.overview().waiting == 1
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await answered(engines, model(tiny_load, "third", 600))
    assert engines.state(other) == "absent"
    assert engines.overview().waiting == engines.overview().running == 0


async def test_who_waits_hears_of_the_place_and_of_the_wait(engines: Engines, tiny_load: Load) -> None:
    target = model(tiny_load, "a")
    async with engines.use(target), engines.use(target):
        leases = [engines.enter(target, f"user {number}", 16) for number in range(3)]
        assert [lease.position for lease in leases] == [1, 2, 3]
        assert all(lease.expected_s > 0 for lease in leases)
        leases[0].release()
        assert await leases[2].moved(1)
        assert [lease.position for lease in leases] == [0, 1, 2]
    await leases[1].granted_engine()
    assert (leases[1].position, leases[1].expected_s) == (0, 0)
    for lease in leases:
        lease.release()


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(
    engines: Engines, tiny_load: Load
) -> None:
    target = model(tiny_load, "a")
    leases = [engines.enter(target, f"user {number}", 16) for number in range(HASTE.queue_length)]
    with pytest.raises(MenagerieError) as full:
        engines.enter(target, "late", 16)
    assert full.value.code is ErrorCode.QUEUE_FULL
    assert full.value.retry_after
    for lease in leases:
        lease.release()


async def test_a_pool_is_never_promised_twice(engines: Engines, tiny_load: Load) -> None:
    target = model(tiny_load, "a")
    first = engines.enter(target, "ana", tiny_load.context)
    second = engines.enter(target, "ben", 100)
    await first.granted_engine()
    assert not second.granted
    first.adjust(tiny_load.context - 100)
    await second.granted_engine()
    with pytest.raises(MenagerieError) as refused:
        engines.enter(target, "ana", tiny_load.context + 1)
    assert refused.value.code is ErrorCode.PROMPT_TOO_LONG
    first.release()
    second.release()


async def test_what_leaves_for_another_comes_back_smaller_beside_it(tiny_load: Load) -> None:
    async with engines_with(700) as engines:
        a, b = model(tiny_load, "a", 500, 250), model(tiny_load, "b", 500, 250)
        await answered(engines, a)
        await answered(engines, b)
        await comes_true(lambda: engines.state(a) == "ready")
        assert engines.state(b) == "ready"
        assert engines.overview().devices[0].reserved_mib <= 700
        loads = engines.overview().loads
        await answered(engines, a)
        await answered(engines, b)
        assert engines.overview().loads == loads


async def test_a_pinned_engine_is_loaded_at_the_start_and_stays(engines: Engines, tiny_load: Load) -> None:
    pinned, *others = [model(tiny_load, name) for name in "abc"]
    cares: dict[Target, Care] = dict.fromkeys(others, Care())
    cares[pinned] = Care(pinned=True)
    engines.expect(cares)
    await comes_true(lambda: engines.state(pinned) == "ready")
    for one in (*others, *others):
        await answered(engines, one)
    assert engines.state(pinned) == "ready"
    assert view(engines, "a").loads == 1


async def test_an_engine_that_nobody_wants_for_long_leaves(engines: Engines, tiny_load: Load) -> None:
    target = model(tiny_load, "a")
    engines.expect({target: Care(idle_after_s=0.2)})
    await answered(engines, target)
    assert engines.state(target) == "ready"
    await comes_true(lambda: engines.state(target) == "absent")
    await answered(engines, target)


async def test_a_smaller_window_is_served_by_the_engine_that_is_there(
    engines: Engines, tiny_load: Load
) -> None:
    wide = model(tiny_load, "a")
    narrow = local(msgspec.structs.replace(wide.forms[0], window=512, context=1024))
    assert await answered(engines, wide) == await answered(engines, narrow)
    assert engines.overview().loads == 1
    engines.expect({narrow: Care()})
    assert await answered(engines, narrow)
    assert engines.overview().loads == 1


async def test_a_larger_window_takes_an_engine_of_its_own(engines: Engines, tiny_load: Load) -> None:
    wide = model(tiny_load, "a")
    narrow = local(msgspec.structs.replace(wide.forms[0], window=512, context=1024))
    assert await answered(engines, narrow) != await answered(engines, wide)


async def test_an_engine_of_another_kind_comes_through_the_same_door(
    engines: Engines, tiny_load: Load
) -> None:
    embedding = msgspec.structs.replace(tiny_load, alias="vectors", kind="embedding", memory=(600,))
    await answered(engines, model(tiny_load, "talks", 600))
    async with engines.use(local(embedding), "ana") as engine:
        first, second = (await engine.embed(["a day in May", "a night in June"])).vectors
        assert len(first) == len(second) > 0
    assert view(engines, "vectors").kind == "embedding"
    assert view(engines, "talks").state == "absent"


async def test_a_failed_load_makes_no_room_disappear(engines: Engines, tiny_load: Load) -> None:
    broken = local(msgspec.structs.replace(tiny_load, alias="broken", model="/nowhere.gguf", memory=(600,)))
    assert (await failure_of(engines, broken)).code is ErrorCode.MODEL_BROKEN
    await answered(engines, model(tiny_load, "whole", 600))


async def test_everyone_who_waits_for_a_failing_load_gets_an_error_of_their_own(
    engines: Engines,
) -> None:
    broken = local(Load("/nowhere.gguf", "broken", 256, 256, 2, 1, 0, "auto", 0, (10,)))
    failures = await asyncio.gather(
        *(answered(engines, broken, f"user {number}") for number in range(3)), return_exceptions=True
    )
    assert all(isinstance(failure, MenagerieError) for failure in failures)
    assert len({id(failure) for failure in failures}) == 3


async def test_a_model_that_fails_three_times_is_set_aside_and_said_why(
    tmp_path: Path, tiny_load: Load
) -> None:
    rules = Rules(set_aside_s=0.6, rests_s=(0.0, 0.05))
    noted = AsEstimated()
    async with engines_with(700, rules=rules, measurements=noted) as engines:
        path = tmp_path / "later.gguf"
        target = local(msgspec.structs.replace(tiny_load, alias="later", model=str(path)))
        for _ in range(3):
            failure = await failure_of(engines, target)
            assert failure.code is ErrorCode.MODEL_BROKEN
        refused = await failure_of(engines, target)
        assert refused.code is ErrorCode.MODEL_SET_ASIDE
        assert refused.retry_after == 1
        seen = view(engines, "later")
        assert (seen.state, seen.failure, seen.failures) == ("set_aside", "model.broken", 3)
        assert seen.retry_in_s
        assert set(noted.set_aside) == {"later"}
        await answered(engines, model(tiny_load, "other"))
        path.write_bytes(Path(tiny_load.model).read_bytes())  # noqa: ASYNC240
        await asyncio.sleep(0.7)
        await answered(engines, target)
        assert view(engines, "later").failure == ""
        assert not noted.set_aside


async def test_killed_under_load_only_its_own_turns_are_lost_and_the_next_is_served(
    engines: Engines, tiny_load: Load
) -> None:
    a, b = model(tiny_load, "a"), model(tiny_load, "b")
    async with engines.use(a, "ana") as dying, engines.use(a, "dan"), engines.use(b, "ben") as other:
        waiting = asyncio.create_task(answered(engines, a, "cleo"))
        assert isinstance(dying, LocalEngine)
        assert dying.pid
        os.kill(dying.pid, signal.SIGKILL)
        with pytest.raises(MenagerieError) as lost:
            await answer_of(dying)
        assert lost.value.code is ErrorCode.ENGINE_LOST
        await answer_of(other)
        async with asyncio.timeout(5):
            await waiting
    assert view(engines, "a").loads == 2
    assert view(engines, "b").loads == 1


async def test_a_hung_engine_is_replaced_for_those_who_wait(tiny_load: Load) -> None:
    async with engines_with(700, Limits(60, 1.0, 8)) as engines:
        target = model(tiny_load, "a")
        async with engines.use(target, "ana") as hung:
            assert isinstance(hung, LocalEngine)
            pid = hung.pid
            assert pid
            os.kill(pid, signal.SIGSTOP)
            with pytest.raises(MenagerieError) as failure:
                await answer_of(hung)
            assert failure.value.code is ErrorCode.ENGINE_TIMEOUT
        async with asyncio.timeout(10):
            await answered(engines, target)
        assert not psutil.pid_exists(pid)


async def test_killed_while_it_loads_the_next_is_served(engines: Engines, tiny_load: Load) -> None:
    target, before = model(tiny_load, "a"), children()
    loading = asyncio.create_task(failure_of(engines, target))
    os.kill(await next_child(before), signal.SIGKILL)
    assert (await loading).code is ErrorCode.ENGINE_LOST
    await answered(engines, target)


async def test_one_that_dies_while_it_leaves_for_another_has_only_left(
    engines: Engines, tiny_load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    broke: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: broke.append(context))
    async with engines.use(model(tiny_load, "first", 600)) as engine:
        assert isinstance(engine, LocalEngine)
    end = Engines._end

    async def die_first(self: Engines, *how: Any) -> None:
        engine.end_because(ErrorCode.ENGINE_LOST)
        await end(self, *how)

    monkeypatch.setattr(Engines, "_end", die_first)
    await answered(engines, model(tiny_load, "second", 600))
    await engines.stop()
    assert not broke
    assert engines.overview().failures == 0


async def test_whose_engine_was_lost_may_leave_after_it_was_forgotten(
    engines: Engines, tiny_load: Load
) -> None:
    target = model(tiny_load, "a")
    lease = engines.enter(target, "user", 10)
    engine = await lease.granted_engine()
    assert isinstance(engine, LocalEngine)
    assert engine.pid
    os.kill(engine.pid, signal.SIGKILL)
    while engines.state(target) != "absent":  # noqa: ASYNC110 - the state is the event
        await asyncio.sleep(0.01)
    engines.expect({})
    lease.release()
    await answered(engines, target)


async def test_an_engine_that_takes_more_than_expected_is_expected_to_from_then_on(
    engines: Engines, tiny_load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residency, "_LOOKS_EVERY_S", 0.05)
    a, b = model(tiny_load, "a"), model(tiny_load, "b")
    watching = asyncio.create_task(engines.watch())
    for one in (a, b):
        await answered(engines, one)
    monkeypatch.setattr(LocalEngine, "resident_mib", lambda _engine: 650)
    await comes_true(lambda: "absent" in {engines.state(a), engines.state(b)})
    assert engines.overview().devices[0].reserved_mib <= 700
    watching.cancel()


async def test_stopping_ends_all_processes_and_refuses_all_who_wait_or_come(tiny_load: Load) -> None:
    async with engines_with(700) as engines:
        before = children()
        for name in "ab":
            await answered(engines, model(tiny_load, name))
        async with engines.use(model(tiny_load, "a")), engines.use(model(tiny_load, "b")):
            waiting = asyncio.create_task(failure_of(engines, model(tiny_load, "c")))
            await asyncio.sleep(0.05)
            await engines.stop()
            async with asyncio.timeout(1):
                assert (await waiting).code is ErrorCode.STOPPING
        assert children() == before
        for name in "ad":
            assert (await failure_of(engines, model(tiny_load, name))).code is ErrorCode.STOPPING
        assert children() == before


async def test_before_the_end_who_waits_is_told_and_who_generates_goes_on(
    engines: Engines, tiny_load: Load
) -> None:
    target = model(tiny_load, "a")
    async with engines.use(target) as engine, engines.use(target):
        waiting = engines.enter(target, "ana", 16)
        engines.refuse_who_waits()
        with pytest.raises(MenagerieError) as told:
            await waiting.moved(1)
        assert told.value.code is ErrorCode.STOPPING
        waiting.release()
        await answer_of(engine)


async def test_a_stop_during_a_load_leaves_no_process(engines: Engines, tiny_load: Load) -> None:
    before = children()
    waiting = asyncio.create_task(failure_of(engines, model(tiny_load, "a")))
    await next_child(before)
    await engines.stop()
    assert (await waiting).code is ErrorCode.STOPPING
    assert children() == before
