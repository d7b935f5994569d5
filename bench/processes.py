"""The processes under measurement: a service, an engine, a stub; each alone, so that its CPU time is its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import psutil

from menagerie.engines.child import environment
from menagerie.engines.plan import Load

ROOT = Path(__file__).parent.parent
WORKER = ROOT / "src/menagerie/engines/workers/text.py"


class Engine(msgspec.Struct):
    """A running engine: where it listens, its key, its process."""

    url: str
    key: str
    process: psutil.Process


class Service(msgspec.Struct):
    """A running service: its port and its process."""

    port: int
    process: psutil.Process

    @property
    def engine(self) -> psutil.Process:
        """The process of its engine."""
        (child,) = self.process.children()
        return child

    def socket_url(self, persona: str = "beaver") -> str:
        """The address of a persona's websocket."""
        return f"ws://127.0.0.1:{self.port}/gpt-socket/{persona}"


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process so far, its threads included."""
    times = process.cpu_times()
    return float(times.user + times.system)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def engine(
    model: Path,
    *,
    slots: int,
    fixed_length: bool = True,
    draft: int = 0,
    threads: int | None = None,
    load: Load | None = None,
) -> AsyncGenerator[Engine, None]:
    """llama.cpp's server on the model, exactly as the service runs it, on a Unix socket too, with answers that do
    not stop before the asked length. It has a thread for each core unless told otherwise; `load` tells it all."""
    load = load or Load(
        model=str(model),
        alias="bench",
        context=slots * 1024,
        window=4096,
        slots=slots,
        threads=threads or psutil.cpu_count(logical=False) or 1,
        gpu_layers=-1,
        flash_attention="auto",
        cache_mib=256,
        memory=(0,),
        draft=draft,
        fixed_length=fixed_length,
    )
    key = secrets.token_urlsafe(16)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(WORKER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment(os.environ),
    )
    assert process.stdin
    assert process.stdout
    folder = tempfile.TemporaryDirectory(prefix="menagerie-bench-")
    order = msgspec.to_builtins(load) | {
        "address": f"{folder.name}/engine.sock",
        "key": key,
        "http_threads": load.http_threads,
    }
    process.stdin.write(msgspec.json.encode(order) + b"\n")
    try:
        answer = json.loads(await process.stdout.readline())
        yield Engine(answer["ready"].removeprefix("unix://"), key, psutil.Process(process.pid))
    finally:
        process.stdin.close()
        await process.wait()
        folder.cleanup()


@contextlib.asynccontextmanager
async def stub(pause_s: float, tokens: int) -> AsyncGenerator[str, None]:
    """The stub engine; gives its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.stub_engine",
        str(pause_s),
        str(tokens),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def service(
    engine_url: str = "",
    *,
    slots: int = 8,
    module: str = "menagerie",
    arguments: tuple[str, ...] = (),
    **settings: str,
) -> AsyncGenerator[Service, None]:
    """The service in a data folder of its own, its default model at `engine_url` if one is given."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="menagerie-bench-") as data:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "MENAGERIE_DATA": data,
            "MENAGERIE_PORT": str(port),
            "MENAGERIE_LOG_LEVEL": "warning",
            "MENAGERIE_LOG_FORMAT": "json",
            "WHISPER_EMBEDDING_MODEL": "none",
            **settings,
        }
        if engine_url:
            environment |= {
                "MENAGERIE_ENGINES__DEFAULT__URL": engine_url,
                "MENAGERIE_ENGINES__DEFAULT__SLOTS": str(slots),
            }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *(("serve",) if module == "menagerie" else arguments),
            env=environment,
            cwd=ROOT,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await until_ready(port)
            yield Service(port, psutil.Process(process.pid))
        finally:
            process.terminate()
            await process.wait()


async def until_ready(port: int, path: str = "/readyz", within_s: float = 120.0) -> float:
    """Wait until the service answers 200 at `path`; the seconds that it took."""
    began = time.perf_counter()
    while time.perf_counter() - began < within_s:
        if await asyncio.to_thread(_answers, f"http://127.0.0.1:{port}{path}"):
            return time.perf_counter() - began
        await asyncio.sleep(0.02)
    raise TimeoutError(path)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status) == 200
    except (urllib.error.URLError, OSError):
        return False
