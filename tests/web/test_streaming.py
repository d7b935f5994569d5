"""Work that lasts only as long as its client is there."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from menagerie.web.streaming import ClientGoneError, while_connected


class Client:
    """A client that goes away when told to."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.waited_on = 0

    async def receive(self) -> Message:
        self.waited_on += 1
        try:
            await self.gone.wait()
        finally:
            self.waited_on -= 1
        return {"type": "http.disconnect"}


async def test_work_that_is_done_in_time_is_left_alone() -> None:
    client = Client()
    async with while_connected(client.receive):
        await asyncio.sleep(0)
        assert client.waited_on == 1
    assert client.waited_on == 0


async def test_work_is_cancelled_when_the_client_goes_and_may_clean_up() -> None:
    client = Client()
    cleaned = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    asyncio.get_running_loop().call_later(0.05, client.gone.set)
    with pytest.raises(ClientGoneError):
        async with asyncio.timeout(2), while_connected(client.receive):
            await work()
    assert cleaned.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_client_that_has_gone_already_gets_no_work_done() -> None:
    client = Client()
    client.gone.set()
    with pytest.raises(ClientGoneError):
        async with while_connected(client.receive):
            await asyncio.Event().wait()


async def test_a_timeout_of_the_work_itself_is_not_taken_for_a_client_that_went() -> None:
    with pytest.raises(TimeoutError):
        async with while_connected(Client().receive):
            raise TimeoutError


async def test_whoever_cancels_from_outside_cancels_the_work() -> None:
    client = Client()

    async def work() -> None:
        async with while_connected(client.receive):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.waited_on == 0
