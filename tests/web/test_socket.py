"""The websocket of a persona, as the README's clients and the pages use it, on the whole running service."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.service import Service, running_service

pytestmark = pytest.mark.engine

EVENTS = Subprotocol("menagerie.events.v1")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Service]:
    settings = {
        "MENAGERIE_TRUSTED_PROXIES": "127.0.0.1/32",
        "MENAGERIE_ENGINE_SLOTS": "2",
        "MENAGERIE_CONNECTIONS_PER_ADDRESS": "300",
    }
    with running_service(tmp_path_factory.mktemp("service"), tiny_model, **settings) as running:
        yield running


@contextlib.asynccontextmanager
async def events_socket(service: Service, user: str = "", **query: str) -> AsyncIterator[ClientConnection]:
    headers = {"X-Forwarded-User": user} if user else {}
    url = service.socket_url(**query)
    async with connect(url, subprotocols=[EVENTS], additional_headers=headers) as socket:
        yield socket


async def turn(socket: ClientConnection, **request: Any) -> list[dict[str, Any]]:
    await socket.send(json.dumps(request))
    events = []
    async with asyncio.timeout(30):
        async for frame in socket:
            events.append(json.loads(frame))
            if events[-1]["type"] in {"done", "failed"}:
                break
    return events


async def plain(socket: ClientConnection, frame: str | bytes) -> list[str]:
    await socket.send(frame)
    frames = []
    async with asyncio.timeout(30):
        async for answer in socket:
            frames.append(str(answer))
            if frames[-1].startswith("<END"):
                break
    return frames


async def test_frames_in_are_prompts_and_frames_out_are_tokens_until_the_end(service: Service) -> None:
    async with connect(service.socket_url()) as socket:
        for _ in range(3):
            frames = await plain(socket, "Hello")
            assert len(frames) > 2
            assert frames[-1] == "<END>"


async def test_an_empty_session_prefix_asks_for_an_id_and_the_id_resumes_elsewhere(service: Service) -> None:
    async with connect(service.socket_url()) as socket:
        end = (await plain(socket, "|SESSION||/SESSION|Hello"))[-1]
        assert end.startswith("<END urn:uuid:")
        session = end[5:-1]
        assert (await plain(socket, "And more"))[-1] == end
    async with connect(service.socket_url()) as socket:
        assert (await plain(socket, f"|SESSION|{session}|/SESSION|Again"))[-1] == end
        async with events_socket(service) as other:
            done = (await turn(other, prompt="What was said?", session=session))[-1]
            assert done["session"] == session
            assert done["provenance"]["prompt_tokens"] > 60


async def test_pasted_text_reaches_the_model_and_is_named_as_a_source(service: Service) -> None:
    async with events_socket(service) as socket:
        without = (await turn(socket, prompt="Hi", session=""))[-1]
        given = [{"kind": "context", "text": "Rain. " * 40}]
        events = await turn(socket, prompt="Hi", session="", given=given)
        (source,) = [event for event in events if event["type"] == "source"]
        assert source["kind"] == "context"
        provenance = events[-1]["provenance"]
        assert provenance["sources"] == [{"number": 1, "kind": "context", "characters": 240}]
        assert provenance["prompt_tokens"] > without["provenance"]["prompt_tokens"] + 40


async def test_every_turn_is_accepted_and_ends_once(service: Service) -> None:
    async with events_socket(service) as socket:
        events = await turn(socket, prompt="Hello")
        kinds = [event["type"] for event in events]
        assert kinds[0] == "accepted"
        assert kinds[-1] == "done"
        assert {"done", "failed", "accepted"}.isdisjoint(kinds[1:-1])
        model = events[-1]["provenance"]["model"]
        assert model["file"] == "tiny.gguf"
        assert "/" not in model["source"].removeprefix("file:")


async def test_stopping_ends_the_turn_at_once_and_the_conversation_goes_on(service: Service) -> None:
    async with events_socket(service) as socket:
        await socket.send(json.dumps({"prompt": "Hello"}))
        async for frame in socket:
            if json.loads(frame)["type"] == "token":
                break
        await socket.send('{"cancel": true}')
        async with asyncio.timeout(2):
            async for frame in socket:
                event = json.loads(frame)
                if event["type"] in {"done", "failed"}:
                    break
        assert event["code"] == "turn.cancelled" or event["type"] == "done"
        following = (await turn(socket, prompt="Go on"))[-1]
        assert following["type"] == "done"
        assert following["session"] == event["session"]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "prompt.empty"),
        (" \n", "prompt.empty"),
        ("|SESSION|abc", "frame.prefix_broken"),
        ("|SESSION|urn:uuid:nobody|/SESSION|Hi", "session.unknown"),
        ("|RAG|no such place|/RAG|Hi", "source.unknown"),
        (b"\x00\x01", "frame.binary"),
        ("word " * 2000, "prompt.too_long"),
        ("x" * 10_000_000, "frame.too_large"),
    ],
    ids=[
        "empty",
        "blank",
        "half-prefix",
        "foreign-session",
        "rag",
        "binary",
        "beyond-window",
        "ten-megabytes",
    ],
)
async def test_a_bad_frame_gets_its_code_and_the_socket_lives_on(
    service: Service, frame: str | bytes, code: str
) -> None:
    async with connect(service.socket_url(lang="fr"), max_size=None) as socket:
        told, end = await plain(socket, frame)
        assert told.endswith(f"[{code}]")
        assert end.startswith("<END")
        assert (await plain(socket, "Bonjour"))[-1].startswith("<END")


async def test_invalid_utf8_ends_only_that_socket(service: Service) -> None:
    async with connect(service.socket_url()) as socket, connect(service.socket_url()) as other:
        await socket.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
        assert socket.close_code == 1007
        assert (await plain(other, "Hello"))[-1] == "<END>"


@pytest.mark.parametrize("name", ["nobody", "..%2f..%2fetc%2fpasswd", "%00", "a" * 5000, "%E2%80%AE"])
async def test_an_unknown_persona_is_refused_before_the_handshake(service: Service, name: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{service.port}/gpt-socket/{name}?lang=fr"):
            pass
    assert refused.value.response.status_code == 404
    body = bytes(refused.value.response.body or b"").decode()
    assert "[persona.unknown]" in body or "[request.not_found]" in body


async def test_a_conversation_belongs_to_who_began_it(service: Service) -> None:
    async with events_socket(service, "ana@example.org") as ana:
        session = (await turn(ana, prompt="Hello"))[-1]["session"]
    for stranger in ("ben", ""):
        async with events_socket(service, stranger) as other:
            (failed,) = await turn(other, prompt="Go on", session=session)
            assert failed["code"] == "session.unknown"
            (unheard,) = await turn(other, prompt="Go on", session="urn:uuid:never")
            assert unheard["message"] == failed["message"]
    async with events_socket(service, "ANA@Example.org ") as again:
        assert (await turn(again, prompt="Go on", session=session))[-1]["type"] == "done"


async def test_who_waits_is_told_the_place(service: Service) -> None:
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(events_socket(service)) for _ in range(8)]
        runs = await asyncio.gather(*(turn(socket, prompt="Hello") for socket in sockets))
    assert all(run[-1]["type"] == "done" for run in runs)
    places = [event["position"] for run in runs for event in run if event["type"] == "queued"]
    assert places
    assert max(places) <= 6


async def test_a_prompt_sent_ahead_waits_for_the_one_before(service: Service) -> None:
    async with connect(service.socket_url()) as socket:
        for number in range(4):
            await socket.send(f"Number {number}")
        ends = 0
        async with asyncio.timeout(30):
            async for frame in socket:
                ends += str(frame).startswith("<END")
                if ends == 4:
                    break


async def test_a_socket_may_close_after_any_event_and_nobody_else_notices(service: Service) -> None:
    for stop_after in range(8):
        async with events_socket(service) as socket:
            await socket.send(json.dumps({"prompt": "Hello"}))
            for _ in range(stop_after):
                if json.loads(await socket.recv())["type"] in {"done", "failed"}:
                    break
            socket.transport.abort()
    async with events_socket(service) as socket:
        events = await turn(socket, prompt="Hello")
        assert events[-1]["type"] == "done"
        assert not [event for event in events if event["type"] == "queued"]


async def test_two_hundred_silent_sockets_disturb_nobody(service: Service) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(200):
            await stack.enter_async_context(connect(service.socket_url(), ping_interval=None))
        async with connect(service.socket_url()) as socket, asyncio.timeout(10):
            assert (await plain(socket, "Hello"))[-1] == "<END>"


async def test_a_page_of_another_site_cannot_open_a_socket(service: Service) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(service.socket_url(), origin=websockets.Origin("http://evil.example")):
            pass
    assert refused.value.response.status_code == 403


async def test_errors_come_in_the_callers_language(service: Service) -> None:
    async with events_socket(service, lang="fr") as french, events_socket(service, lang="en") as english:
        (told,) = await turn(french, prompt="")
        (said,) = await turn(english, prompt="")
        assert told["code"] == said["code"] == "prompt.empty"
        assert told["message"] != said["message"]
