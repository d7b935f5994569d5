"""The processes that read documents: each for one document, one of them started ahead."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Final

from menagerie.grounding.programs import end, start

_PROGRAM: Final = "read_document.py"
_ALONE: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Libraries set room aside for each core of a machine, which on a large one is more than a program may have."""
_PIECE: Final = 262_144
_GRACE_S: Final = 5.0
"""Seconds on the clock beyond those of the processor …"""
_BUSY: Final = 2.0
"""… of which a busy machine gives one for so many."""
_AHEAD_S: Final = 600.0
"""After so long without a page, none is kept ready."""

_OUT_OF_TIME: Final = frozenset(-getattr(signal, name, 0) for name in ("SIGXCPU", "SIGKILL")) - {0}


class LateError(Exception):
    """It took longer than it may."""


class TooMuchError(Exception):
    """It said more than it may."""


class Readers:
    """Runs the program. To be closed."""

    def __init__(self) -> None:
        self._ahead: asyncio.Task[asyncio.subprocess.Process | None] | None = None
        self._forgetting: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def ask(self, order: bytes, body: bytes, *, seconds: float, most: int, warm: bool) -> bytes:
        """What the program answers to `order` and `body`, at most `most` bytes of it. `warm`: by the one that is ready,
        if there is one; the next is then made ready. Raises `LateError`, `TooMuchError`, `ConnectionError`."""
        process = await self._take(warm=warm)
        try:
            async with asyncio.timeout(seconds * _BUSY + _GRACE_S):
                feeding = asyncio.create_task(_feed(process, order, body))
                try:
                    answer = await _collect(process, most)
                finally:
                    feeding.cancel()
                    await asyncio.gather(feeding, return_exceptions=True)
        except TimeoutError as late:
            raise LateError from late
        finally:
            await end(process)
            if warm:
                self.prepare()
        if not answer and process.returncode in _OUT_OF_TIME:
            raise LateError
        return answer

    def prepare(self) -> None:
        """Start one ahead, unless there is one."""
        if self._closed:
            return
        if self._ahead is None:
            self._ahead = asyncio.create_task(_start_ahead())
        if self._forgetting is not None:
            self._forgetting.cancel()
        self._forgetting = asyncio.get_running_loop().call_later(_AHEAD_S, self._forget)

    async def close(self) -> None:
        """End what was started ahead."""
        self._closed = True
        self._forget()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _take(self, *, warm: bool) -> asyncio.subprocess.Process:
        """The one that is ready, or a new one: waiting until one is ready would take longer."""
        ahead = self._ahead
        if warm and ahead is not None and ahead.done():
            self._ahead = None
            process = None if ahead.exception() else ahead.result()
            if process is not None and process.returncode is None:
                return process
        return await _start()

    def _forget(self) -> None:
        if self._forgetting is not None:
            self._forgetting.cancel()
            self._forgetting = None
        if self._ahead is not None:
            ending = asyncio.create_task(_end_ahead(self._ahead))
            self._ahead = None
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


async def _start(*arguments: str) -> asyncio.subprocess.Process:
    return await start(_PROGRAM, *arguments, environment=_ALONE)


async def _start_ahead() -> asyncio.subprocess.Process | None:
    """One that is ready; None where it came to nothing."""
    process = await _start("--ahead")
    assert process.stdout is not None
    is_ready = False
    try:
        is_ready = await process.stdout.readline() == b"\n"
    finally:
        if not is_ready:
            await end(process)
    return process if is_ready else None


async def _feed(process: asyncio.subprocess.Process, order: bytes, body: bytes) -> None:
    """Give it its order and the document. One that reads no further tells so by its answer."""
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):
        process.stdin.write(order)
        for start in range(0, len(body), _PIECE):
            process.stdin.write(body[start : start + _PIECE])
            await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()


async def _collect(process: asyncio.subprocess.Process, most: int) -> bytes:
    assert process.stdout is not None
    answer = bytearray()
    while piece := await process.stdout.read(_PIECE):
        answer += piece
        if len(answer) > most:
            raise TooMuchError
    await process.wait()
    return bytes(answer)


async def _end_ahead(ahead: asyncio.Task[asyncio.subprocess.Process | None]) -> None:
    if not ahead.done():
        ahead.cancel()
    (process,) = await asyncio.gather(ahead, return_exceptions=True)
    if isinstance(process, asyncio.subprocess.Process):
        await end(process)
