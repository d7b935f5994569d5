"""Answers that can be resumed, when the service itself goes away."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.service import running_service
from tests.sockets import name, socket, stored, text_of, turn, until
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
        tmp_path_factory.mktemp("model") / "endless.gguf", context_length=65_536, end_bias=-100
    )


async def test_after_a_kill_the_turn_is_told_as_interrupted_and_what_was_done_as_done(
    tmp_path: Path, endless_model: Path, tiny_model: Path
) -> None:
    complete, broken = name(), name()
    with running_service(tmp_path / "data", tiny_model) as service:
        async with socket(service, "") as opened:
            whole = await turn(opened, prompt="Hi", request=complete)
    with running_service(tmp_path / "data", endless_model, **ENDLESS) as service:
        async with socket(service, "") as opened:
            await opened.send(json.dumps({"prompt": "Go on", "session": "", "request": broken}))
            accepted, *_ = await until(opened, "token")
            service.kill_everything()
            opened.transport.abort()
    with running_service(tmp_path / "data", tiny_model) as service:
        async with socket(service, "", lang="fr") as opened:
            for wanted in ({"resume": broken, "seen": 2}, {"prompt": "Go on", "request": broken}):
                (ended,) = await turn(opened, **wanted)
                assert (ended["type"], ended["turn"]) == ("ended", accepted["turn"])
                assert (ended["outcome"], ended["code"]) == ("interrupted", "turn.interrupted")
                assert ended["message"].startswith("Le service s’est arrêté")
                assert (ended["answer"], ended["provenance"]) == ("", None)
            (ended,) = await turn(opened, prompt="Hi", request=complete)
            assert (ended["outcome"], ended["answer"]) == ("done", text_of(whole))
            assert ended["provenance"] == whole[-1]["provenance"]
            assert (await turn(opened, prompt="And now?"))[-1]["session"] == whole[-1]["session"]
        assert stored(service, "SELECT count(*) FROM turns") == [(3,)]


async def test_a_turn_that_ends_while_the_service_stops_is_told_to_who_follows_and_kept_for_who_does_not(
    tmp_path: Path, tiny_model: Path
) -> None:
    left, followed = name(), name()
    with running_service(tmp_path, tiny_model, MENAGERIE_ANSWER_TOKENS="200") as service:
        async with socket(service, "") as away:
            await away.send(json.dumps({"prompt": "Hello", "request": left}))
            await until(away, "accepted")
            away.transport.abort()
        async with socket(service, "") as opened:
            await opened.send(json.dumps({"prompt": "Hello", "request": followed}))
            await until(opened, "token")
            service.process.send_signal(signal.SIGTERM)
            assert (await until(opened))[-1]["type"] == "done"
        assert service.process.wait(timeout=20) == 0
    assert stored(service, "SELECT outcome FROM turns") == [("done",), ("done",)]


async def test_a_turn_that_would_not_end_is_stopped_stored_and_told_when_the_service_stops(
    tmp_path: Path, endless_model: Path
) -> None:
    with running_service(tmp_path, endless_model, MENAGERIE_SHUTDOWN_GRACE="0.3", **ENDLESS) as service:
        async with socket(service, "") as first, socket(service, "") as second:
            request = name()
            await first.send(json.dumps({"prompt": "Hello", "request": request}))
            await until(first, "token")
            await second.send(json.dumps({"resume": request, "seen": 0}))
            service.process.send_signal(signal.SIGTERM)
            for opened in (first, second):
                (*_, failed) = await until(opened)
                assert (failed["type"], failed["code"]) == ("failed", "turn.cancelled")
        assert service.process.wait(timeout=20) == 0
    assert stored(service, "SELECT outcome, code FROM turns") == [("cancelled", "turn.cancelled")]
