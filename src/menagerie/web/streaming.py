"""Work that lasts only as long as its client is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.types import Receive


class ClientGoneError(Exception):
    """The client went away before its answer was complete."""


@asynccontextmanager
async def while_connected(receive: Receive) -> AsyncGenerator[None, None]:
    """Runs the block until it is done, or the client goes away: that cancels it and raises `ClientGoneError`.

    The request's body must have been read. Nobody else may wait on `receive` meanwhile.
    """
    until_gone = asyncio.timeout(None)
    try:
        async with until_gone:
            watcher = asyncio.create_task(_watch(receive, until_gone))
            try:
                yield
            finally:
                watcher.cancel()
                await asyncio.gather(watcher, return_exceptions=True)
    except TimeoutError:
        if until_gone.expired():
            raise ClientGoneError from None
        raise


async def _watch(receive: Receive, until_gone: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    until_gone.reschedule(asyncio.get_running_loop().time())
