"""A service that is told to stop in the middle of an answer that would go on for minutes."""

from __future__ import annotations

import contextlib
import http.client
import signal
import sqlite3
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from tests.service import Service, running_service
from tests.tiny_model import write_tiny_model

pytestmark = pytest.mark.engine

ENDLESS = {
    "LLM_CONTEXT_WINDOW": "65536",
    "MENAGERIE_ANSWER_TOKENS": "60000",
    "MENAGERIE_ENGINE_MEMORY": "4000",
    "MENAGERIE_PROMPT_CACHE": "0",
}


@pytest.fixture(scope="module")
def endless_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(
        tmp_path_factory.mktemp("model") / "endless.gguf", context_length=65536, end_bias=-100
    )


def ask_and_hang_on(service: Service) -> threading.Thread:
    """A client that waits for its answer, whatever becomes of it."""

    def ask() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            urllib.request.urlopen(f"{service.url}/gpt/beaver?prompt=Hello", timeout=60).read()

    client = threading.Thread(target=ask)
    client.start()
    began = time.monotonic()
    while outcomes(service) != ["accepted"] and time.monotonic() - began < 10:
        time.sleep(0.05)
    assert outcomes(service) == ["accepted"]
    return client


def outcomes(service: Service) -> list[str]:
    (database,) = service.data.glob("*.sqlite3")
    with sqlite3.connect(database) as connection:
        return [outcome for (outcome,) in connection.execute("SELECT outcome FROM turns")]


def test_a_second_interrupt_waits_for_no_turn_and_still_stores_its_end(
    tmp_path: Path, endless_model: Path
) -> None:
    with running_service(tmp_path, endless_model, MENAGERIE_SHUTDOWN_GRACE="30", **ENDLESS) as service:
        client = ask_and_hang_on(service)
        service.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert service.process.poll() is None, "the first one lets turns end"
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(timeout=5) == 0
        client.join()
    assert outcomes(service) == ["cancelled"]
