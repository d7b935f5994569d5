"""Programs in `workers/`, each in a process of its own: begun, and surely ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

_WORKERS: Final = Path(__file__).parent / "workers"
_PASSED_ON: Final = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


async def start(
    program: str, *arguments: str, environment: Mapping[str, str] = _NOTHING
) -> asyncio.subprocess.Process:
    """Start the file of that name in `workers/`, with pipes to its stdin and from its stdout. To be ended by `end`.

    Whoever is cancelled meanwhile waits the moment that it takes, and ends it: asyncio loses a process that is
    cancelled while it starts, and may wait for it for ever.
    """
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_WORKERS / program),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**{name: os.environ[name] for name in _PASSED_ON if name in os.environ}, **environment},
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        while not starting.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(starting)
        if not starting.cancelled() and starting.exception() is None:
            await end(starting.result())
        raise


async def end(process: asyncio.subprocess.Process) -> None:
    """End it, unless it has ended."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
