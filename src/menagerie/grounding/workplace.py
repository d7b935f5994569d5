"""Where what takes the processor is done: in threads of its own, one piece of work at a time for each user, so that
nobody's documents keep others from theirs, or from anything else that threads do."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Made = TypeVar("Made")


class Workplace:
    """Two threads. A piece of work that nobody waits for any more still has its user's place until it ends."""

    def __init__(self, threads: int = 2) -> None:
        self._threads = ThreadPoolExecutor(threads, "grounding")
        self._busy: dict[str, asyncio.Future[Any]] = {}

    async def run(
        self,
        share: str,
        work: Callable[Parameters, Made],
        *arguments: Parameters.args,
        **named: Parameters.kwargs,
    ) -> Made:
        """Do `work` for the user with that share, after what is being done for them."""
        while (before := self._busy.get(share)) is not None:
            await asyncio.wait({before})
        loop = asyncio.get_running_loop()
        task = loop.run_in_executor(self._threads, functools.partial(work, *arguments, **named))
        self._busy[share] = task
        task.add_done_callback(functools.partial(self._ended, share))
        return await asyncio.shield(task)

    def close(self) -> None:
        """Take no more work; what runs ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self, share: str, task: asyncio.Future[Any]) -> None:
        if self._busy.get(share) is task:
            del self._busy[share]
