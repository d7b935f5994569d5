"""What a client sends ahead: many short prompts, few long ones, in order."""

from __future__ import annotations

import asyncio

import pytest

from menagerie.web.inbox import Inbox


async def test_hundreds_of_short_prompts_do_not_keep_the_socket_from_being_read() -> None:
    inbox: Inbox[int] = Inbox(1_048_576)
    async with asyncio.timeout(1):
        for number in range(500):
            await inbox.put(number, 5)
        assert [await inbox.get() for _ in range(500)] == list(range(500))


@pytest.mark.parametrize(("size", "kept"), [(0, 1024), (300_000, 3)])
async def test_what_is_kept_is_bounded_however_long_the_prompts_are(size: int, kept: int) -> None:
    inbox: Inbox[int] = Inbox(1_048_576)
    for number in range(kept):
        await inbox.put(number, size)
    waiting = asyncio.create_task(inbox.put(kept, size))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    assert await inbox.get() == 0
    async with asyncio.timeout(1):
        await waiting


async def test_a_prompt_larger_than_the_inbox_is_taken_alone() -> None:
    inbox: Inbox[str] = Inbox(10)
    async with asyncio.timeout(1):
        await inbox.put("large", 100)
        assert await inbox.get() == "large"


async def test_who_is_cancelled_while_waiting_takes_and_leaves_nothing() -> None:
    inbox: Inbox[str] = Inbox(10)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.get(), 0.05)
    await inbox.put("one", 1)
    assert await inbox.get() == "one"
