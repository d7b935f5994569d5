"""What many want at the same time: places, shared fairly, and work that is done once for all who wait for it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Places:
    """So many places. One that is free goes to the share that holds the fewest; of several, to the one that has waited
    the longest since it began to wait or last got one by waiting."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def place(self, share: str) -> AsyncGenerator[None, None]:
        """A place for this share, for as long as the block runs."""
        await self._enter(share)
        try:
            yield
        finally:
            self._leave(share)

    async def _enter(self, share: str) -> None:
        if self._free:
            self._take(share)
            return
        coming = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(share, deque()).append(coming)
        try:
            await coming
        except asyncio.CancelledError:
            if not coming.cancelled():
                self._leave(share)  # it came at the same moment
            else:
                self._give_up(share, coming)
            raise

    def _take(self, share: str) -> None:
        self._free -= 1
        self._held[share] += 1

    def _leave(self, share: str) -> None:
        self._free += 1
        self._held[share] -= 1
        if not self._held[share]:
            del self._held[share]
        while self._free and self._waiting:
            following = min(self._waiting, key=lambda one: self._held[one])
            queue = self._waiting.pop(following)
            coming = queue.popleft()
            if queue:
                self._waiting[following] = queue  # behind all others
            if not coming.done():
                self._take(following)
                coming.set_result(None)

    def _give_up(self, share: str, coming: asyncio.Future[None]) -> None:
        queue = self._waiting.get(share)
        if queue is not None and coming in queue:
            queue.remove(coming)
            if not queue:
                del self._waiting[share]


class Once(Generic[T]):
    """Work that is under way is not begun again. Whoever goes away ends it for nobody else; the last one does."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _Work[T]] = {}

    async def do(self, key: Hashable, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the work of this key comes to, which is begun unless it is under way. Raises what the work raises."""
        work = self._under_way.get(key)
        if work is None:
            work = self._under_way[key] = _Work(asyncio.create_task(begin()))
        work.waiting += 1
        try:
            return await asyncio.shield(work.task)
        finally:
            work.waiting -= 1
            if not work.waiting or work.task.done():
                if self._under_way.get(key) is work:
                    del self._under_way[key]
                if work.task.cancel():
                    await asyncio.wait({work.task})


class _Work(Generic[T]):
    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.waiting = 0
