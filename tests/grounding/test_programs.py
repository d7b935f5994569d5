"""Whoever goes away while a program starts leaves neither it nor somebody who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
import pytest

from menagerie.grounding import programs
from menagerie.grounding.feeds.reading import read_feed
from menagerie.grounding.search.ddgs import DDGS
from menagerie.settings import Settings
from tests.grounding.feeds.examples import RSS_20, page


async def feed() -> object:
    return await read_feed(page(RSS_20))


async def engines() -> object:
    return await DDGS(Settings())._run({"query": ""})


async def program() -> object:
    return await programs.start("feed.py")


def left() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "grounding/workers" in " ".join(one.cmdline())]


@pytest.mark.parametrize("begin", [feed, engines, program])
async def test_whoever_goes_away_while_a_program_starts_leaves_nothing(
    begin: Callable[[], Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = asyncio.create_subprocess_exec
    starting = asyncio.Event()

    async def slowly(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await start(*arguments, **options)
        starting.set()
        await asyncio.sleep(0.1)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slowly)
    leaving = asyncio.ensure_future(begin())
    await starting.wait()
    assert left()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(leaving, 5)
    assert left() == []
