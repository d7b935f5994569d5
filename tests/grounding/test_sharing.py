"""Nobody keeps others waiting for longer than the work of one of theirs, and nothing is done twice at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from menagerie.grounding.sharing import Once, Places


class Bench:
    """Two places, and who is at them in which order."""

    def __init__(self) -> None:
        self.places = Places(2)
        self.order: list[str] = []
        self.may_end = asyncio.Semaphore(0)

    async def visit(self, name: str) -> None:
        async with self.places.place(name[0]):
            self.order.append(name)
            await self.may_end.acquire()

    def begin(self, names: str) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.visit(name)) for name in names.split()]

    async def end(self, count: int) -> None:
        for _ in range(count):
            self.may_end.release()
            await settled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_whoever_wants_many_places_has_one_of_them_while_others_wait() -> None:
    bench = Bench()
    tasks = bench.begin("a1 a2 a3 a4 a5 a6 b1 b2 c1")
    await settled()
    assert bench.order == ["a1", "a2"]
    await bench.end(len(tasks))
    await asyncio.gather(*tasks)
    assert bench.order == ["a1", "a2", "b1", "a3", "c1", "b2", "a4", "a5", "a6"]
    assert (bench.places._free, bench.places._held, bench.places._waiting) == (2, {}, {})


async def test_whoever_goes_away_waiting_or_at_a_place_keeps_none() -> None:
    bench = Bench()
    tasks = bench.begin("a1 a2 b1 c1 b2 c2")
    await settled()
    tasks[2].cancel()
    await settled()
    bench.may_end.release()
    await asyncio.sleep(0)
    for task in tasks[:4]:
        task.cancel()
    await settled()
    await bench.end(2)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert set(bench.order) >= {"a1", "a2", "b2", "c2"}
    assert (bench.places._free, bench.places._held, bench.places._waiting) == (2, {}, {})


async def test_a_place_that_comes_to_one_who_goes_at_that_moment_goes_on_to_the_next() -> None:
    bench = Bench()
    tasks = bench.begin("a1 a2 b1 c1")
    await settled()
    coming = bench.places._waiting["b"][0]
    bench.may_end.release()
    while not coming.done():  # noqa: ASYNC110
        await asyncio.sleep(0)
    tasks[2].cancel()
    await settled()
    assert bench.order == ["a1", "a2", "c1"]
    await bench.end(2)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (bench.places._free, bench.places._held) == (2, {})


class Work:
    """Something to be done, that ends when it may."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.begun = self.cancelled = 0
        self.may_end = asyncio.Event()
        self.failure = failure

    def __call__(self) -> Coroutine[Any, Any, int]:
        async def work() -> int:
            self.begun += 1
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            if self.failure:
                raise self.failure
            return self.begun

        return work()


async def test_what_is_under_way_is_not_begun_again_and_what_has_ended_is() -> None:
    once: Once[int] = Once()
    work, other = Work(), Work()
    tasks = [asyncio.create_task(once.do("a", work)) for _ in range(5)]
    tasks.append(asyncio.create_task(once.do("b", other)))
    await settled()
    work.may_end.set()
    other.may_end.set()
    assert await asyncio.gather(*tasks) == [1] * 6
    assert await once.do("a", work) == 2


async def test_whoever_goes_away_ends_it_for_nobody_else_and_the_last_one_ends_it() -> None:
    once: Once[int] = Once()
    work = Work()
    first, second = (asyncio.create_task(once.do("a", work)) for _ in range(2))
    await settled()
    first.cancel()
    await settled()
    assert (first.cancelled(), work.cancelled) == (True, 0)
    second.cancel()
    await settled()
    assert (second.cancelled(), work.cancelled) == (True, 1)
    work.may_end.set()
    assert await once.do("a", work) == 2


async def test_what_fails_fails_for_all_who_wait_and_is_begun_again_by_the_next() -> None:
    once: Once[int] = Once()
    work = Work(ValueError("no"))
    work.may_end.set()
    failed = await asyncio.gather(*(once.do("a", work) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in failed] == [ValueError] * 3
    with pytest.raises(ValueError, match="no"):
        await once.do("a", work)
    assert work.begun == 2
