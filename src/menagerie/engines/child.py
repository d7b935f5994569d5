"""A child process that runs one engine: started, watched, ended. It cannot outlive us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import psutil
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines import orphans
from menagerie.engines.plan import MIB, Load
from menagerie.models.gguf_reader import read_raw

_WORKER: Final = Path(__file__).parent / "workers" / "text.py"
_LOG_LINES: Final = 40
_STOP_SECONDS: Final = 3.0
_DRAIN_SECONDS: Final = 1.0
_SOCKET: Final = "engine.sock"
_SPINS: Final = 1000
"""A lone engine is as fast with it as without; two side by side are ten times as fast (`docs/performance.md`)."""
_KILLED: Final = {-9, -15}
"""Ends that are somebody's doing, not the model's: SIGKILL, as of a machine out of memory, and SIGTERM."""

_PASSED_ON: Final = re.compile(
    r"HOME|USER|LOGNAME|SHELL|PATH|LD_LIBRARY_PATH|DYLD_.*|XDG_.*|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|WINDIR"
    r"|(CUDA|NVIDIA|HIP|HSA|ROCR|ROCM|ONEAPI|SYCL|ZES|VK|GGML|OMP|GOMP|KMP|MKL|OPENBLAS)_.*",
    re.IGNORECASE,
).fullmatch
"""What finds the native library and its devices; nobody's keys are called so."""

_NO_MEMORY: Final = re.compile(
    r"failed to allocate|unable to allocate|cannot allocate memory|insufficient memory|not enough memory"
    r"|out ?of ?(host|device)? ?memory|MemoryError|bad_alloc(?! error while reading)"
    r"|resource temporarily unavailable",
    re.IGNORECASE,
).search
"""What llama.cpp, its back ends (CPU, CUDA, ROCm, Vulkan, Metal), the C++ runtime, Python and the system's loader
say when they get no memory, or no thread for want of it. A `bad_alloc` while a header is read is a header that lies
about its lengths."""

_OOM_KILLS: Final = Path("/proc/vmstat")

log = structlog.get_logger("menagerie.engines")


class _Answer(msgspec.Struct):
    ready: str = ""
    failed: str = ""


class Child:
    """One running engine process. `address` is a Unix socket's path or an `http://127.0.0.1:port`."""

    def __init__(
        self, process: asyncio.subprocess.Process, key: str, folder: Path | None, record: Path | None
    ) -> None:
        self.key = key
        self.address = ""
        self._process = process
        self._folder = folder
        self._record = record
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._drain = asyncio.create_task(self._read_log(), name="engine-log")

    @classmethod
    async def start(
        cls,
        load: Load,
        load_timeout: float,
        *,
        unix: bool = True,
        records: Path | None = None,
        memory_limit_mib: int | None = None,
    ) -> Child:
        """Start a process, load the model, and wait until it answers: on a Unix socket in a private folder, or,
        with `unix` false and where no such socket can be made, on a port of the loopback.

        In the folder `records` the process is noted for as long as it runs (`orphans`). `memory_limit_mib` is the
        most memory of its own that it may have, in MiB, where the system can tell it so: what it asks for beyond
        that, it does not get. Weights that are mapped from their file are not its own, nor is a GPU's memory.

        Raises `MenagerieError`: `model.out_of_memory` where there is no memory for it, `model.broken` where the
        library cannot load it for another reason, `engine.timeout`, `engine.lost` where something killed the
        process, `engine.unavailable` where none could be started.
        """
        oom_kills = _oom_kills()
        folder = _private_folder() if unix else None
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                str(_WORKER),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment(os.environ),
                start_new_session=True,
            )
        except BaseException as failure:
            _remove(folder)
            if isinstance(failure, OSError):
                log.exception("engine.no_process", model=load.alias)
                raise MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=30.0) from failure
            raise
        record = orphans.record(records, process.pid, folder) if records else None
        child = cls(process, secrets.token_urlsafe(32), folder, record)
        try:
            order = msgspec.to_builtins(load) | {
                "address": str(folder / _SOCKET) if folder else "127.0.0.1",
                "key": child.key,
                "http_threads": load.http_threads,
                "memory_limit_mib": memory_limit_mib or 0,
            }
            if load.kind == "embedding" and await asyncio.to_thread(_tells_no_pooling, Path(load.model)):
                order["pooling"] = "mean"
            await child._begin(load, order, load_timeout, oom_kills)
        except BaseException:
            await child.stop(at_once=True)
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

    def resident_mib(self) -> int:
        """MiB of this machine's memory that the process takes now, 0 for one that has ended. Weights mapped from
        their file count as far as they are read; they are after the load, which tries the model once.

        What is shared with other processes counts in parts (PSS, on Linux), so that all engines together never
        take more than there is; elsewhere it counts whole (RSS). Memory of a GPU of its own is not seen. Takes
        some milliseconds for each GiB on Linux.
        """
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            try:
                taken = process.memory_full_info().pss
            except (psutil.AccessDenied, AttributeError):
                taken = process.memory_info().rss
            return int(taken) // MIB if self.alive else 0
        return 0

    async def wait(self) -> int:
        """Wait for the process to end and its log to be read, and return its exit status."""
        status = await self._process.wait()
        await asyncio.wait({self._drain}, timeout=_DRAIN_SECONDS)
        return status

    async def ends_within(self, seconds: float) -> bool:
        """Whether the process has ended, or does so in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._process.wait()
        return not self.alive

    async def stop(self, *, at_once: bool = False) -> None:
        """End the process: closing its stdin is enough; one that hangs, or that must end at once, is killed. It
        ends also when the wait for it is cancelled."""
        try:
            if self.alive and not at_once:
                assert self._process.stdin is not None
                self._process.stdin.close()
                await self.ends_within(_STOP_SECONDS)
        finally:
            if self.alive:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
            _remove(self._folder)
        if await self.ends_within(_STOP_SECONDS):
            self._forget()
        else:
            log.error("engine.immortal", pid=self.pid)
        await asyncio.wait({self._drain}, timeout=_DRAIN_SECONDS)
        self._drain.cancel()

    async def _begin(self, load: Load, order: dict[str, object], load_timeout: float, oom_kills: int) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = b""
        try:
            async with asyncio.timeout(load_timeout):
                with contextlib.suppress(ConnectionError, RuntimeError):  # uvloop: of a closed pipe
                    self._process.stdin.write(msgspec.json.encode(order) + b"\n")
                    await self._process.stdin.drain()
                with contextlib.suppress(ValueError):
                    line = await self._process.stdout.readline()
        except TimeoutError as late:
            raise MenagerieError(ErrorCode.ENGINE_TIMEOUT, seconds=int(load_timeout)) from late
        answer = _Answer()
        with contextlib.suppress(msgspec.DecodeError):
            answer = msgspec.json.decode(line, type=_Answer)
        if not answer.ready:
            await self.ends_within(_STOP_SECONDS)
            await asyncio.wait({self._drain}, timeout=_DRAIN_SECONDS)
            status = self._process.returncode
            log.error(
                "engine.load_failed",
                model=load.alias,
                reason=answer.failed,
                status=status,
                log=self.last_words,
            )
            if status == -9 and (_oom_kills() > oom_kills or _more_than_is_free(load)):
                raise MenagerieError(ErrorCode.MODEL_OUT_OF_MEMORY, model=load.alias)
            if status in _KILLED:
                raise MenagerieError(ErrorCode.ENGINE_LOST)
            if _NO_MEMORY(f"{answer.failed}\n{self.last_words}"):
                raise MenagerieError(ErrorCode.MODEL_OUT_OF_MEMORY, model=load.alias)
            raise MenagerieError(ErrorCode.MODEL_BROKEN, model=load.alias)
        self.address = answer.ready.removeprefix("unix://")

    def _forget(self) -> None:
        if self._record:
            with contextlib.suppress(OSError):
                self._record.unlink(missing_ok=True)
            self._record = None

    async def _read_log(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        while not stderr.at_eof():
            try:
                raw = await stderr.readline()
            except ValueError:
                continue  # longer than the reader keeps
            line = raw.decode("utf-8", "replace").rstrip()
            if line:
                self._log.append(line)
                log.debug("engine.log", line=line)


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """The environment of an engine. Several of them share the cores, and each has a thread a core: one whose threads
    wait for one another by spinning, as OpenMP's do for long, keeps the others from the very work that it waits for.
    They spin for some microseconds, then they sleep."""
    return {"GOMP_SPINCOUNT": str(_SPINS)} | without_secrets(ours)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of our environment that an engine needs. It opens files that are not trusted: what it does not know,
    nobody can get out of it."""
    return {name: value for name, value in environment.items() if _PASSED_ON(name)}


def _tells_no_pooling(model: Path) -> bool:
    """Whether a file says nothing of how one vector is made of those of all tokens. What is wrong with it, the
    library says."""
    with contextlib.suppress(MenagerieError):
        values = read_raw(model).values
        return not values.get(f"{values.get('general.architecture')}.pooling_type")
    return False


def _oom_kills() -> int:
    """How many processes the system has killed for want of memory since it started, where it tells."""
    with contextlib.suppress(OSError, ValueError):
        for line in _OOM_KILLS.read_text("ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _more_than_is_free(load: Load) -> bool:
    return psutil.virtual_memory().available < load.memory[0] * MIB


def _private_folder() -> Path | None:
    """A folder that only we may enter, and in which a socket can be made: Unix limits the length of its path to
    about a hundred bytes, and a disk may be full or read-only. None where there is none."""
    if not hasattr(socket, "AF_UNIX") or os.name != "posix":
        return None
    folder: Path | None = None
    try:
        folder = Path(tempfile.mkdtemp(prefix=orphans.FOLDER_PREFIX))
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(folder / _SOCKET))
        (folder / _SOCKET).unlink()
    except OSError as failure:
        log.warning("engine.no_socket", failure=str(failure))
        _remove(folder)
        return None
    return folder


def _remove(folder: Path | None) -> None:
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
