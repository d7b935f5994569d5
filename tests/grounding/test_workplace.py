"""Work of one user keeps nobody else from theirs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from menagerie.grounding.workplace import Workplace


async def test_one_piece_of_work_at_a_time_for_each_user() -> None:
    place = Workplace(4)
    going, release = [], threading.Event()

    def work(who: str) -> str:
        going.append(who)
        release.wait(10)
        return who

    tasks = [asyncio.create_task(place.run(who, work, who)) for who in ("ana", "ana", "ana", "bob")]
    while len(going) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert sorted(going) == ["ana", "bob"]
    release.set()
    assert await asyncio.gather(*tasks) == ["ana", "ana", "ana", "bob"]
    place.close()


async def test_who_goes_away_keeps_their_place_until_the_work_is_over() -> None:
    place = Workplace(4)
    release = threading.Event()
    leaving = asyncio.create_task(place.run("ana", release.wait, 10))
    await asyncio.sleep(0.05)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    next_one = asyncio.create_task(place.run("ana", lambda: 1))
    await asyncio.sleep(0.05)
    assert not next_one.done()
    release.set()
    assert await next_one == 1
    place.close()


async def test_what_work_raises_is_raised() -> None:
    place = Workplace()
    with pytest.raises(ZeroDivisionError):
        await place.run("ana", lambda: 1 // 0)
    assert await place.run("ana", lambda: 2) == 2
    place.close()
