"""What the whole service survives: kills, lost engines, slow readers, broken surroundings."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket as sockets
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.service import Service, free_port, running_service
from tests.tiny_model import write_tiny_model

pytestmark = pytest.mark.engine

EVENTS = Subprotocol("menagerie.events.v1")
LONG = {"MENAGERIE_ANSWER_TOKENS": "900"}


async def events_until(socket: Any, *kinds: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        async for frame in socket:
            events.append(json.loads(frame))
            if events[-1]["type"] in kinds:
                break
    return events


async def one_turn(service: Service, **request: Any) -> list[dict[str, Any]]:
    async with connect(service.socket_url(), subprotocols=[EVENTS]) as socket:
        await socket.send(json.dumps(request))
        return await events_until(socket, "done", "failed")


def outcomes(service: Service) -> list[tuple[str, str]]:
    (database,) = service.data.glob("*.sqlite3")
    with sqlite3.connect(database) as connection:
        return connection.execute("SELECT outcome, code FROM turns ORDER BY 1").fetchall()


def still_running(pids: list[int], within_s: float) -> list[int]:
    """Those of the processes that have not ended within the time; one that nobody has reaped has ended."""
    deadline = time.monotonic() + within_s
    while True:
        running = [pid for pid in pids if psutil.pid_exists(pid)]
        running = [pid for pid in running if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
        if not running or time.monotonic() > deadline:
            return running
        time.sleep(0.05)


async def test_a_conversation_survives_the_kill_of_everything_in_the_middle_of_a_turn(tmp_path: Path) -> None:
    endless = write_tiny_model(tmp_path / "endless.gguf", context_length=65_536, end_bias=-100.0)
    settings = {"MENAGERIE_ANSWER_TOKENS": "4000", "LLM_CONTEXT_WINDOW": "32768"}
    data = tmp_path / "data"
    with running_service(data, endless, **settings) as service:
        first = (await one_turn(service, prompt="Hello"))[-1]
        async with connect(service.socket_url(), subprotocols=[EVENTS]) as socket:
            await socket.send(json.dumps({"prompt": "Go on", "session": first["session"]}))
            await events_until(socket, "token")
            engines = service.engine_pids()
            service.kill_everything()
    assert not still_running(engines, within_s=3)
    assert ("accepted", "") in outcomes(service)
    with running_service(data, endless, **settings) as service:
        assert [code for outcome, code in outcomes(service) if outcome == "interrupted"] == [
            "turn.interrupted"
        ]
        again = (await one_turn(service, prompt="And now?", session=first["session"]))[-1]
        assert again["type"] == "done"
        told = first["provenance"]
        assert again["provenance"]["prompt_tokens"] > told["prompt_tokens"] + told["answer_tokens"]


def test_the_engine_does_not_outlive_the_service(tmp_path: Path, tiny_model: Path) -> None:
    with running_service(tmp_path, tiny_model) as service:
        engines = service.engine_pids()
        assert engines
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait()
        assert not still_running(engines, within_s=3)


@pytest.mark.parametrize("stage", ["idle", "accepted", "token"])
async def test_an_engine_killed_at_any_stage_costs_at_most_the_turn_it_was_writing(
    tmp_path: Path, tiny_model: Path, stage: str
) -> None:
    with running_service(tmp_path, tiny_model, **LONG) as service:
        async with connect(service.socket_url(), subprotocols=[EVENTS]) as socket:
            if stage != "idle":
                await socket.send('{"prompt": "Hello"}')
                await events_until(socket, stage)
            for pid in service.engine_pids():
                os.kill(pid, signal.SIGKILL)
            if stage != "idle":
                end = (await events_until(socket, "done", "failed"))[-1]
                assert end["type"] == "done" or end["code"] == "engine.lost"
            await socket.send('{"prompt": "And now?"}')
            assert (await events_until(socket, "done", "failed"))[-1]["type"] == "done"


async def test_a_hung_engine_is_replaced(tmp_path: Path, tiny_model: Path) -> None:
    with running_service(tmp_path, tiny_model, MENAGERIE_TOKEN_TIMEOUT="1", **LONG) as service:
        (hung,) = service.engine_pids()
        os.kill(hung, signal.SIGSTOP)
        end = (await one_turn(service, prompt="Hello"))[-1]
        assert end["code"] == "engine.timeout"
        assert (await one_turn(service, prompt="Hello"))[-1]["type"] == "done"
        assert hung not in service.engine_pids()


async def test_who_does_not_read_is_let_go_and_keeps_nobody_waiting(tmp_path: Path, tiny_model: Path) -> None:
    settings = {"MENAGERIE_SEND_TIMEOUT": "0.5", "MENAGERIE_ENGINE_SLOTS": "1", **LONG}
    with running_service(tmp_path, tiny_model, **settings) as service:
        raw = sockets.socket()
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 2048)
        raw.connect(("127.0.0.1", service.port))
        raw.sendall(
            b"GET /gpt-socket/beaver HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )
        assert b" 101 " in raw.recv(200)
        for _ in range(8):
            raw.sendall(b"\x81\x82\0\0\0\0Hi")
        assert (await one_turn(service, prompt="Hello"))[-1]["type"] == "done"
        raw.close()


@pytest.mark.parametrize("way", ["socket", "http"])
async def test_a_client_that_goes_away_stops_the_work_within_a_fifth_of_a_second(
    tmp_path: Path, way: str
) -> None:
    endless = write_tiny_model(tmp_path / "endless.gguf", context_length=131_072, end_bias=-100.0)
    settings = {
        "LLM_CONTEXT_WINDOW": "65536",
        "MENAGERIE_ANSWER_TOKENS": "60000",
        "MENAGERIE_ENGINE_SLOTS": "1",
    }
    with running_service(tmp_path / "data", endless, **settings) as service:
        (pid,) = service.engine_pids()
        engine = psutil.Process(pid)
        if way == "socket":
            async with connect(service.socket_url(), subprotocols=[EVENTS]) as socket:
                await socket.send('{"prompt": "Hello"}')
                await events_until(socket, "token")
                socket.transport.abort()
        else:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5), aiohttp.ClientSession() as session:
                    await session.get(f"{service.url}/gpt/beaver?prompt=Hello")
        await asyncio.sleep(0.2)
        before = engine.cpu_times()
        await asyncio.sleep(0.5)
        after = engine.cpu_times()
        assert after.user + after.system - before.user - before.system < 0.1
        assert {outcome for outcome, _ in outcomes(service)} == {"cancelled"}


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGHUP])
async def test_running_turns_end_before_a_service_that_is_told_to_stop(
    tmp_path: Path, tiny_model: Path, told: signal.Signals
) -> None:
    with running_service(tmp_path, tiny_model, MENAGERIE_ANSWER_TOKENS="200") as service:
        async with connect(service.socket_url(), subprotocols=[EVENTS]) as socket:
            await socket.send('{"prompt": "Hello"}')
            await events_until(socket, "token")
            service.process.send_signal(told)
            assert (await events_until(socket, "done", "failed"))[-1]["type"] == "done"
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        assert service.process.wait(timeout=20) == 0
    assert outcomes(service) == [("done", "")]


async def test_who_waits_is_told_of_the_stop_at_once_while_who_is_answered_is_answered_to_the_end(
    tmp_path: Path, tiny_model: Path
) -> None:
    slow = {"MENAGERIE_ANSWER_TOKENS": "700", "MENAGERIE_ENGINE_SLOTS": "1"}
    endless = write_tiny_model(tmp_path / "endless.gguf", end_bias=-100.0)
    with running_service(tmp_path / "data", endless, **slow) as service:
        async with (
            connect(service.socket_url(), subprotocols=[EVENTS]) as answered,
            connect(service.socket_url(), subprotocols=[EVENTS]) as waiting,
        ):
            await answered.send('{"prompt": "Hello"}')
            await events_until(answered, "token")
            await waiting.send('{"prompt": "Hello"}')
            (queued,) = [one for one in await events_until(waiting, "queued") if one["type"] == "queued"]
            assert queued["position"] == 1
            assert queued["expected_s"] >= 0
            service.process.send_signal(signal.SIGTERM)
            told = (await events_until(waiting, "done", "failed"))[-1]
            assert (told["type"], told["code"]) == ("failed", "service.stopping")
            assert told["retry_after"]
            assert (await events_until(answered, "done", "failed"))[-1]["type"] == "done"
        assert service.process.wait(timeout=20) == 0


def test_a_service_under_nohup_outlives_the_terminal(tmp_path: Path, tiny_model: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with running_service(tmp_path, tiny_model) as service:
            service.process.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                service.process.wait(timeout=1.5)
    finally:
        signal.signal(signal.SIGHUP, before)


def started(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "menagerie", "serve"],
        env={
            "PATH": os.environ["PATH"],
            "LANG": "fr_CA.UTF-8",
            "WHISPER_EMBEDDING_MODEL": "none",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_that_is_taken_stops_the_start_with_a_sentence(tmp_path: Path, tiny_model: Path) -> None:
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        start = started(
            {"MENAGERIE_PORT": port, "MENAGERIE_DATA": str(tmp_path), "LLM_MODEL_FILE": str(tiny_model)}
        )
    assert start.returncode != 0
    assert port in start.stderr
    assert "Traceback" not in start.stderr


def test_a_data_folder_that_cannot_be_written_stops_the_start_with_a_sentence(
    tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "file").write_text("")
    start = started(
        {
            "MENAGERIE_PORT": str(free_port()),
            "MENAGERIE_DATA": str(tmp_path / "file" / "data"),
            "LLM_MODEL_FILE": str(tiny_model),
        }
    )
    assert start.returncode != 0
    assert str(tmp_path / "file" / "data") in start.stderr
    assert "Traceback" not in start.stderr


def test_a_truncated_model_stops_the_start_with_a_sentence(tmp_path: Path, tiny_model: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(tiny_model.read_bytes()[:-20_000])
    start = started(
        {
            "MENAGERIE_PORT": str(free_port()),
            "MENAGERIE_DATA": str(tmp_path / "data"),
            "LLM_MODEL_FILE": str(broken),
        }
    )
    assert start.returncode != 0
    assert "broken.gguf" in start.stderr
    assert "Traceback" not in start.stderr
