"""A child process that runs one engine: started, watched, ended. It cannot outlive us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections import deque
from pathlib import Path
from typing import Final

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.plan import Load

_WORKER: Final = Path(__file__).parent / "workers" / "text.py"
_LOG_LINES: Final = 40
_STOP_SECONDS: Final = 3.0

log = structlog.get_logger("menagerie.engines")


class _Answer(msgspec.Struct):
    ready: str = ""
    failed: str = ""


class Child:
    """One running engine process. `address` is a Unix socket's path or an `http://127.0.0.1:port`."""

    def __init__(self, process: asyncio.subprocess.Process, key: str, folder: Path | None) -> None:
        self.key = key
        self.address = ""
        self._process = process
        self._folder = folder
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._drain = asyncio.create_task(self._read_log(), name="engine-log")

    @classmethod
    async def start(cls, load: Load, load_timeout: float) -> Child:
        """Start a process, load the model, and wait until it answers.

        Raises `MenagerieError`: `model.broken` with the library's reason, or `engine.timeout`.
        """
        folder, address = _private_address()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_WORKER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        child = cls(process, secrets.token_urlsafe(32), folder)
        try:
            await child._begin(load, address, load_timeout)
        except BaseException:
            await child.stop()
            raise
        return child

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.returncode is None

    @property
    def last_words(self) -> str:
        """The end of the library's log, for our own log only."""
        return "\n".join(self._log)

    async def wait(self) -> int:
        """Wait for the process to end, and return its exit status."""
        return await self._process.wait()

    async def stop(self) -> None:
        """End the process: closing its stdin is enough; a process that hangs is killed."""
        if self.alive:
            if self._process.stdin:
                self._process.stdin.close()
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
        self._drain.cancel()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _begin(self, load: Load, address: str, load_timeout: float) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = msgspec.to_builtins(load) | {
            "address": address,
            "key": self.key,
            "http_threads": load.http_threads,
        }
        answer = _Answer()
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            await self._process.stdin.drain()
        try:
            async with asyncio.timeout(load_timeout):
                line = await self._process.stdout.readline()
        except TimeoutError as late:
            raise MenagerieError(ErrorCode.ENGINE_TIMEOUT, seconds=int(load_timeout)) from late
        with contextlib.suppress(msgspec.DecodeError):
            answer = msgspec.json.decode(line, type=_Answer)
        if not answer.ready:
            log.error("engine.load_failed", model=load.alias, reason=answer.failed, log=self.last_words)
            raise MenagerieError(ErrorCode.MODEL_BROKEN, model=load.alias)
        self.address = answer.ready.removeprefix("unix://")

    async def _read_log(self) -> None:
        assert self._process.stderr is not None
        while line := await _line(self._process.stderr):
            self._log.append(line)
            log.debug("engine.log", line=line)


async def _line(stream: asyncio.StreamReader) -> str:
    try:
        raw = await stream.readline()
    except ValueError:
        return "(a line too long to keep)"
    return raw.decode("utf-8", "replace").rstrip() + ("" if not raw else " ")


def _private_address() -> tuple[Path | None, str]:
    if hasattr(socket, "AF_UNIX") and os.name == "posix":
        folder = Path(tempfile.mkdtemp(prefix="menagerie-"))
        return folder, str(folder / "engine.sock")
    return None, "127.0.0.1"
