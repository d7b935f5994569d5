"""Answers that survive their connection, on the whole running service."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection

from tests.service import Service, running_service
from tests.sockets import (
    LAST,
    Event,
    answer_of,
    name,
    socket,
    stored,
    text_of,
    turn,
    until,
    wait_for_outcome,
)
from tests.tiny_model import write_tiny_model

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One whose answers go on to the limit of 600 tokens."""
    folder = tmp_path_factory.mktemp("resuming")
    endless = write_tiny_model(folder / "endless.gguf", context_length=65_536, end_bias=-100.0)
    settings = {
        "MENAGERIE_TRUSTED_PROXIES": "127.0.0.1/32",
        "MENAGERIE_ENGINE_SLOTS": "2",
        "MENAGERIE_ANSWER_TOKENS": "600",
        "LLM_CONTEXT_WINDOW": "8192",
    }
    with running_service(folder / "data", endless, **settings) as running:
        yield running


async def test_an_answer_is_whole_however_often_and_wherever_its_connection_is_cut(service: Service) -> None:
    chance = random.Random(6)
    cuts = 0
    for _ in range(12):
        request, events = name(), list[Event]()
        while not events or events[-1]["type"] not in LAST:
            async with socket(service) as opened:
                if events:
                    turn_known = [one["turn"] for one in events if "turn" in one] or [request]
                    wanted = {"resume": chance.choice([request, turn_known[0]]), "seen": events[-1]["n"]}
                else:
                    wanted = {"prompt": "Tell me", "session": "", "request": request}
                await opened.send(json.dumps(wanted))
                for _ in range(chance.randrange(1, 25)):
                    events.append(json.loads(await asyncio.wait_for(opened.recv(), 30)))
                    if events[-1]["type"] in LAST:
                        break
                else:
                    cuts += 1
                    opened.transport.abort()
        assert [event["n"] for event in events] == list(range(1, len(events) + 1))
        assert [event["type"] for event in events][:1] == ["accepted"]
        assert events[-1]["type"] == "done"
        assert text_of(events) == answer_of(service, events[-1]["turn"])
    assert cuts > 20


async def test_several_sockets_follow_one_turn(service: Service) -> None:
    request = name()
    async with socket(service) as first, socket(service) as second, socket(service) as third:
        await first.send(json.dumps({"prompt": "Hi", "session": "", "request": request}))
        begun = await until(first, "token")
        await second.send(json.dumps({"resume": begun[0]["turn"], "seen": 0}))
        await third.send(json.dumps({"prompt": "Something else", "session": "", "request": request}))
        told = await until(first), await until(second), await until(third)
    assert begun + told[0] == told[1] == told[2]
    assert stored(service, "SELECT count(*) FROM turns WHERE request = ?", request) == [(1,)]


async def test_without_a_name_nothing_is_numbered_and_a_closed_socket_ends_its_turn(service: Service) -> None:
    async with socket(service) as opened:
        assert not [event for event in await turn(opened, prompt="Hi", session="") if "n" in event]
        await opened.send(json.dumps({"prompt": "Hi", "session": ""}))
        (accepted, *_) = await until(opened, "token")
        opened.transport.abort()
    async with socket(service) as again:
        (ended,) = await turn(again, resume=accepted["turn"])
    assert (ended["type"], ended["outcome"], ended["code"]) == ("ended", "cancelled", "turn.cancelled")


async def test_whoever_stops_it_stops_it_for_all_and_both_can_go_on(service: Service) -> None:
    request = name()
    async with socket(service) as first, socket(service, lang="fr") as second:
        await first.send(json.dumps({"prompt": "Hi", "session": "", "request": request}))
        begun = await until(first, "token")
        await second.send(json.dumps({"resume": request, "seen": 1}))
        await until(second, "token")
        await second.send('{"cancel": true}')
        for opened in (first, second):
            (*_, failed) = await until(opened)
            assert (failed["type"], failed["code"]) == ("failed", "turn.cancelled")
            assert (failed["turn"], failed["session"]) == (begun[0]["turn"], begun[0]["session"])
        following = (await turn(second, prompt="Go on"))[-1]
        assert (following["type"], following["session"]) == ("done", begun[0]["session"])


@pytest.mark.parametrize("stranger", ["ben", ""])
async def test_a_turn_of_somebody_else_is_as_unknown_as_one_that_never_was(
    service: Service, stranger: str
) -> None:
    request = name()
    async with socket(service) as hers, socket(service, stranger) as other:
        await hers.send(json.dumps({"prompt": "Secret", "session": "", "request": request}))
        (accepted, *_) = await until(hers, "token")
        told = [
            await turn(other, resume=one, seen=0) for one in (request, accepted["turn"], "never-was", "x")
        ]
        await until(hers)
        told += [await turn(other, resume=one) for one in (request, accepted["turn"])]
    assert {event["code"] for events in told for event in events} == {"turn.unknown"}
    assert len({json.dumps(events) for events in told}) == 1


async def test_a_turn_of_which_all_was_seen_is_told_from_the_store(service: Service) -> None:
    async with socket(service) as opened:
        events = await turn(opened, prompt="Hi", session="", request=name())
        for seen in (events[-1]["n"], 10**12):
            (ended,) = await turn(opened, resume=events[-1]["turn"], seen=seen)
            assert "n" not in ended
            assert (ended["outcome"], ended["code"], ended["message"]) == ("done", "", "")
            assert ended["answer"] == text_of(events)
            assert ended["provenance"] == events[-1]["provenance"]


async def test_a_ping_is_answered_at_once_also_while_a_turn_runs(service: Service) -> None:
    async with socket(service) as opened:
        assert await turn_of_ping(opened) == [{"type": "pong"}]
        await opened.send(json.dumps({"prompt": "Hi", "session": "", "request": name()}))
        await until(opened, "token")
        *_, pong = await turn_of_ping(opened)
        assert pong == {"type": "pong"}
        assert (await until(opened))[-1]["type"] == "done"


async def ends(opened: ClientConnection, count: int) -> list[str]:
    return [(await until(opened))[-1]["type"] for _ in range(count)]


async def turn_of_ping(opened: ClientConnection) -> list[Event]:
    await opened.send('{"ping": true}')
    return await until(opened, "pong")


async def test_a_thousand_wishes_to_resume_stall_nobody(service: Service) -> None:
    async with socket(service) as flooding, socket(service, "ben") as other:
        known = (await turn(flooding, prompt="Hi", session="", request=name()))[-1]["turn"]
        for number in range(1000):
            wanted = f"unknown-{number}" if number % 20 else known
            await flooding.send(json.dumps({"resume": wanted, "seen": 0}))
        flood = asyncio.create_task(ends(flooding, 1000))
        async with asyncio.timeout(20):
            assert (await turn(other, prompt="Hello", session="", request=name()))[-1]["type"] == "done"
            assert await turn_of_ping(other) == [{"type": "pong"}]
        told = await flood
    assert [told.count(kind) for kind in ("done", "failed")] == [50, 950]


async def test_a_turn_goes_on_after_any_other_and_at_the_beginning(service: Service) -> None:
    async with socket(service) as opened:
        first = (await turn(opened, prompt="One", session="", request=name()))[-1]
        second = (await turn(opened, prompt="Two", request=name()))[-1]
        assert second["session"] == first["session"]
        other = (await turn(opened, prompt="Other", request=name(), after=first["turn"]))[-1]
        again = (await turn(opened, prompt="Anew", session=first["session"], after=""))[-1]
        last = (await turn(opened, prompt="Three", session=first["session"], after=second["turn"]))[-1]
    assert last["session"] == first["session"]
    assert len({first["session"], other["session"], again["session"]}) == 3
    tokens = [one["provenance"]["prompt_tokens"] for one in (first, second, other, again)]
    assert tokens[0] < tokens[1]
    assert abs(tokens[2] - tokens[1]) < 10
    assert abs(tokens[3] - tokens[0]) < 10


async def test_a_turn_of_somebody_else_is_nothing_to_go_on_after(service: Service) -> None:
    async with socket(service) as hers, socket(service, "ben") as his:
        told = (await turn(hers, prompt="One", session="", request=name()))[-1]["turn"]
        (failed,) = await turn(his, prompt="Two", session="", request=name(), after=told)
        assert failed["code"] == "session.unknown"


async def test_an_answer_that_nobody_comes_back_for_is_stopped_in_the_end(tmp_path: Path) -> None:
    endless = write_tiny_model(tmp_path / "endless.gguf", context_length=65_536, end_bias=-100.0)
    settings = {
        "MENAGERIE_AWAY_S": "0.2",
        "MENAGERIE_ANSWER_TOKENS": "60000",
        "LLM_CONTEXT_WINDOW": "65536",
    }
    with running_service(tmp_path / "data", endless, **settings) as service:
        request = name()
        async with socket(service, "") as opened:
            await opened.send(json.dumps({"prompt": "Hi", "request": request}))
            await until(opened, "token")
            opened.transport.abort()
        async with socket(service, "") as again:
            await again.send(json.dumps({"resume": request, "seen": 1}))
            await until(again, "token")
            again.transport.abort()
        await asyncio.to_thread(wait_for_outcome, service, "cancelled")
        async with socket(service, "") as last:
            (*_, failed) = await turn(last, resume=request, seen=0)
        assert (failed["type"], failed["code"]) == ("failed", "turn.cancelled")
