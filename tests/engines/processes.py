"""The processes that a test has started."""

from __future__ import annotations

import asyncio

import psutil


def children() -> set[int]:
    """The process ids of ours and theirs."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


async def assert_ended_but(before: set[int]) -> None:
    """None remains that was not there before. The loop may still be about to reap a process that it killed."""
    for _ in range(200):
        if children() == before:
            return
        await asyncio.sleep(0.01)
    assert children() == before


async def next_child(before: set[int]) -> int:
    """The next one to be started."""
    for _ in range(2000):
        if new := children() - before:
            return new.pop()
        await asyncio.sleep(0.001)
    raise AssertionError("no process was started")
