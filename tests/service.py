"""The whole service as a process of its own, as an administrator would start it: on a small model, or on engines
elsewhere."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

STARTS_WITHIN_S = 60.0


@dataclass
class Service:
    """A running service."""

    port: int
    data: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def socket_url(self, persona: str = "beaver", **query: str) -> str:
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        return f"ws://127.0.0.1:{self.port}/gpt-socket/{persona}" + (f"?{parameters}" if parameters else "")

    def engine_pids(self) -> list[int]:
        """The engine processes of this service."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child.pid for child in children if "workers/text.py" in " ".join(child.cmdline())]

    def kill_everything(self) -> None:
        """`kill -9` of the service and of its engines, all at once."""
        for pid in [self.process.pid, *self.engine_pids()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_service(data: Path, model: Path | None, **settings: str) -> Iterator[Service]:
    """Start the service, at a free port if none is set, and wait until it is ready; stop it in the end. Without a
    `model`, its engines are at addresses that the settings name."""
    port = int(settings.get("MENAGERIE_PORT", 0)) or free_port()
    data.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(data),
        **({"LLM_MODEL_FILE": str(model)} if model else {}),
        "MENAGERIE_DATA": str(data),
        "MENAGERIE_PORT": str(port),
        "MENAGERIE_OUTSIDE": "off",
        "MENAGERIE_LOG_FORMAT": "json",
        "MENAGERIE_ANSWER_TOKENS": "32",
        "LLM_CONTEXT_WINDOW": "1024",
        "LLM_CPU_THREADS": "1",
        "WHISPER_EMBEDDING_MODEL": "none",
        **settings,
    }
    log = data / "service.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "menagerie", "serve"], env=environment, stdout=stderr, stderr=stderr
        )
    service = Service(port, data, process, log)
    try:
        _wait_until_ready(service)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                service.kill_everything()


def _wait_until_ready(service: Service) -> None:
    began = time.monotonic()
    while time.monotonic() - began < STARTS_WITHIN_S:
        if service.process.poll() is not None:
            break
        if _is_ready(service):
            return
        time.sleep(0.05)
    raise RuntimeError("the service did not start:\n" + service.log.read_text()[-4000:])


def _is_ready(service: Service) -> bool:
    try:
        with urllib.request.urlopen(f"{service.url}/readyz", timeout=5) as answer:
            return bool(json.load(answer)["engine"] == "ready")
    except (urllib.error.URLError, OSError):
        return False
