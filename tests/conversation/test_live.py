"""Turns that go on without their client: what every follower gets, and when they end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from menagerie.conversation import live as live_module
from menagerie.conversation.live import LiveTurns
from menagerie.conversation.live_turn import LiveTurn
from menagerie.conversation.running import TurnRequest
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import AnyEvent, Done, Ended, Failed, Token
from menagerie.core.identity import User
from menagerie.store.database import Store
from tests.conversation.scripted import Script
from tests.store.examples import ANN, BOB, NOON, PROVENANCE, end, start

NAME = "a-request-of-hers"
LONG = 3_600.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open("", tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def script(store: Store) -> Script:
    return Script(store)


@pytest.fixture
async def live(script: Script, store: Store) -> AsyncIterator[LiveTurns]:
    turns = LiveTurns(script, store, LONG)
    yield turns
    await turns.close()


def asked(user: User = ANN, name: str = NAME, prompt: str = "Hello?") -> TurnRequest:
    return TurnRequest(persona="owl", prompt=prompt, user=user, language="en", channel="test", request=name)


async def whole(turn: LiveTurn, seen: int = 0) -> list[tuple[int, AnyEvent]]:
    async with asyncio.timeout(5):
        return [numbered async for numbered in turn.follow(seen)]


async def some(turn: LiveTurn, count: int) -> None:
    """Follow until `count` events are there, then go away."""
    async with asyncio.timeout(5), contextlib.aclosing(turn.follow()) as events:
        async for number, _ in events:
            if number == count:
                break


def text_of(events: list[tuple[int, AnyEvent]]) -> str:
    return "".join(event.text for _, event in events if isinstance(event, Token))


def say(script: Script, words: str) -> None:
    for word in words:
        script.words.put_nowait(word)


async def test_every_follower_gets_every_event_after_the_one_it_saw_and_then_the_end(
    live: LiveTurns, script: Script
) -> None:
    turn = live.ask(asked())
    say(script, "abc")
    await some(turn, 4)
    followers = [asyncio.create_task(whole(turn, seen)) for seen in range(5)]
    await asyncio.sleep(0)
    say(script, "def.")
    for seen, events in enumerate(await asyncio.gather(*followers)):
        assert [number for number, _ in events] == list(range(seen + 1, 9))
        assert text_of(events) == "abcdef"[max(0, seen - 1) :]
        assert isinstance(events[-1][1], Done)
    assert await whole(turn, 5) == (await whole(turn))[5:]


async def test_a_turn_goes_on_while_nobody_follows(live: LiveTurns, script: Script, store: Store) -> None:
    turn = live.ask(asked())
    await some(turn, 1)
    say(script, "abc.")
    assert text_of(await whole(turn, 1)) == "abc"
    answer = await store.sessions.answer(turn.turn, ANN)
    assert answer is not None
    assert answer.content == "abc"


async def test_a_follower_that_does_not_read_holds_nobody_up(live: LiveTurns, script: Script) -> None:
    turn = live.ask(asked())
    slow = turn.follow()
    assert (await anext(slow))[0] == 1
    say(script, "x" * 1000 + ".")
    assert len(await whole(turn)) == 1002
    rest = [numbered async for numbered in slow]
    assert [number for number, _ in rest] == list(range(2, 1003))


async def test_whoever_catches_up_lets_others_be_served_meanwhile(live: LiveTurns, script: Script) -> None:
    turn = live.ask(asked())
    say(script, "x" * 1000 + ".")
    await whole(turn)
    behind = asyncio.create_task(whole(turn))
    turns_of_others = 0
    while not behind.done():
        await asyncio.sleep(0)
        turns_of_others += 1
    assert turns_of_others > 10


async def test_of_two_who_ask_at_once_under_one_name_both_follow_one_turn(
    live: LiveTurns, script: Script
) -> None:
    first, second = live.ask(asked()), live.ask(asked(prompt="Something else"))
    say(script, "abc.")
    one, other = await asyncio.gather(whole(first), whole(second))
    assert one == other
    assert script.begun == 1
    assert await whole(live.ask(asked())) == one


async def test_the_same_name_of_somebody_else_is_another_turn(live: LiveTurns, script: Script) -> None:
    hers, his = live.ask(asked()), live.ask(asked(BOB))
    say(script, "..")
    await asyncio.gather(whole(hers), whole(his))
    assert hers.turn != his.turn


async def test_a_turn_is_found_by_its_id_and_its_name_and_by_its_owner_only(
    live: LiveTurns, script: Script
) -> None:
    turn = live.ask(asked())
    say(script, ".")
    await whole(turn)
    for name in (turn.turn, NAME):
        assert live.find(name, User(("ann@example.ca", "ann"))) is turn
        for stranger in (BOB, User()):
            assert live.find(name, stranger) is None
            with pytest.raises(MenagerieError) as refused:
                await live.ended(name, stranger, "en")
            assert refused.value.code is ErrorCode.TURN_UNKNOWN


async def test_after_a_restart_a_known_name_gets_how_its_turn_ended(
    live: LiveTurns, script: Script, store: Store
) -> None:
    turn = live.ask(asked())
    say(script, "abc.")
    await whole(turn)
    again = LiveTurns(script, store, LONG)
    ((_, told),) = await whole(again.ask(asked()))
    assert told == Ended(turn.turn, turn.session, turn.session, "done", answer="abc", provenance=PROVENANCE)
    assert told == await again.ended(turn.turn, ANN, "en")
    assert script.begun == 1
    await again.close()


async def test_a_turn_that_another_service_runs_is_waited_for(
    live: LiveTurns, script: Script, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "_LOOKS_AGAIN_S", 0.01)
    turn = live.ask(asked())
    await some(turn, 1)
    other = LiveTurns(script, store, LONG)
    waiting = asyncio.create_task(whole(other.ask(asked())))
    say(script, "abc.")
    ((_, told),) = await waiting
    assert isinstance(told, Ended)
    assert (told.turn, told.answer) == (turn.turn, "abc")
    await other.close()


async def test_of_two_services_that_accept_one_request_at_once_one_follows_the_other(
    script: Script, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "_LOOKS_AGAIN_S", 0.01)
    script.meeting = asyncio.Barrier(2)
    both = [LiveTurns(script, store, LONG) for _ in range(2)]
    followers = [asyncio.create_task(whole(one.ask(asked()))) for one in both]
    say(script, "abc.")
    runs = sorted(await asyncio.gather(*followers), key=len)
    (((_, told),), events) = runs
    assert isinstance(told, Ended)
    assert told.answer == text_of(events) == "abc"
    for one in both:
        await one.close()


async def test_whoever_cancels_ends_it_for_all_once_that_is_stored(
    live: LiveTurns, script: Script, store: Store
) -> None:
    turn = live.ask(asked())
    say(script, "abc")
    followers = [asyncio.create_task(whole(turn)) for _ in range(3)]
    await some(turn, 4)
    turn.cancel()
    turn.cancel()
    for events in await asyncio.gather(*followers):
        last = events[-1][1]
        assert isinstance(last, Failed)
        assert (last.code, last.turn, last.session) == ("turn.cancelled", turn.turn, turn.session)
        assert text_of(events) == "abc"
    assert script.stored == [turn.turn]
    assert (await live.ended(turn.turn, ANN, "en")).outcome == "cancelled"


async def test_a_turn_cancelled_before_it_began_tells_so_and_can_be_asked_again(
    live: LiveTurns, script: Script
) -> None:
    turn = live.ask(asked())
    turn.cancel()
    ((_, last),) = await whole(turn)
    assert isinstance(last, Failed)
    assert last.code == "turn.cancelled"
    say(script, ".")
    assert isinstance((await whole(live.ask(asked())))[-1][1], Done)


async def test_without_a_follower_for_too_long_a_turn_is_cancelled(script: Script, store: Store) -> None:
    turns = LiveTurns(script, store, 0.02)
    turn = turns.ask(asked())
    async with asyncio.timeout(5), contextlib.aclosing(turn.follow()) as events:
        await anext(events)
        await asyncio.sleep(0.06)
        assert not turn.over, "as long as somebody follows, it goes on"
    await turns._keeping.copy().pop()
    assert script.stored == [turn.turn]
    assert (await turns.ended(NAME, ANN, "en")).code == "turn.cancelled"
    await turns.close()


async def test_nobody_can_leave_more_turns_behind_than_are_allowed(live: LiveTurns, script: Script) -> None:
    his = live.ask(asked(BOB))
    first, *others = (live.ask(asked(name=f"{NAME}-{number}")) for number in range(5))
    last = (await whole(first))[-1][1]
    assert isinstance(last, Failed)
    assert last.code == "turn.cancelled"
    assert [one.over for one in (his, *others)] == [False] * 5


async def test_a_turn_that_was_refused_is_not_remembered(live: LiveTurns, script: Script) -> None:
    script.refusal = MenagerieError(ErrorCode.SESSION_BUSY)
    ((number, refused),) = await whole(live.ask(asked()))
    assert (number, refused) == (1, Failed("session.busy", "No."))
    script.refusal = None
    say(script, "a.")
    assert text_of(await whole(live.ask(asked()))) == "a"


async def test_a_turn_that_breaks_ends_for_its_followers_all_the_same(
    live: LiveTurns, script: Script
) -> None:
    script.break_with = RuntimeError("a defect")
    last = (await whole(live.ask(asked())))[-1][1]
    assert isinstance(last, Failed)
    assert last.code == "internal"


@pytest.mark.parametrize(("limit", "value"), [("_HELD_BYTES", 1500), ("_HELD_TURNS", 1), ("_HELD_S", 0.0)])
async def test_what_is_held_of_turns_that_ended_is_bounded(
    live: LiveTurns, script: Script, store: Store, monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    monkeypatch.setattr(live_module, limit, value)
    for number in range(3):
        turn = live.ask(asked(name=f"{NAME}-{number}"))
        say(script, "abc.")
        await whole(turn)
    await asyncio.gather(*live._keeping)
    await asyncio.sleep(0.01)
    assert len(live._held) == (1 if value else 0)
    assert len(live._by_turn) == len(live._by_request) == len(live._held)
    assert live._held_bytes == sum(one.size for one in live._held)
    assert (await live.ended(f"{NAME}-0", ANN, "en")).answer == "abc"


async def test_when_the_service_closes_everything_ends_and_everybody_is_told(
    script: Script, store: Store
) -> None:
    turns = LiveTurns(script, store, LONG)
    turn = turns.ask(asked())
    say(script, "abc")
    following = asyncio.create_task(whole(turn))
    await some(turn, 4)
    await turns.close()
    assert following.done()
    last = following.result()[-1][1]
    assert isinstance(last, Failed)
    assert last.code == "turn.cancelled"
    assert script.stored == [turn.turn]
    with pytest.raises(MenagerieError) as refused:
        turns.ask(asked(name="another-request"))
    assert refused.value.code is ErrorCode.STOPPING


async def test_a_follower_that_is_somewhat_behind_is_told_before_the_service_is_closed(
    script: Script, store: Store
) -> None:
    turns = LiveTurns(script, store, LONG)
    turn = turns.ask(asked())
    say(script, "x" * 50)
    await some(turn, 51)
    told: list[AnyEvent] = []

    async def read_slowly() -> None:
        async for _, event in turn.follow():
            await store.turns.get("another")
            told.append(event)

    behind = asyncio.create_task(read_slowly())
    await turns.close()
    assert isinstance(told[-1], Failed)
    await behind


async def test_a_follower_that_never_reads_does_not_keep_the_service_from_closing(
    script: Script, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "_FAREWELL_S", 0.01)
    turns = LiveTurns(script, store, LONG)
    stuck = turns.ask(asked()).follow()
    await anext(stuck)
    async with asyncio.timeout(5):
        await turns.close()
    await stuck.aclose()


async def test_an_end_whose_code_had_values_is_told_without_them(live: LiveTurns, store: Store) -> None:
    beginning = start()
    await store.turns.accept(beginning)
    await store.turns.finish(beginning.turn, end(answer=None, outcome="failed", code="model.broken", at=NOON))
    told = await live.ended(beginning.turn, ANN, "en")
    assert told.message == "This could not be answered."
    assert (told.outcome, told.code, told.answer, told.provenance) == ("failed", "model.broken", "", None)


async def test_what_was_deleted_is_unknown(live: LiveTurns, script: Script, store: Store) -> None:
    turn = live.ask(asked())
    say(script, ".")
    await whole(turn)
    await store.sessions.delete(turn.session, ANN)
    with pytest.raises(MenagerieError) as refused:
        await live.ended(turn.turn, ANN, "en")
    assert refused.value.code is ErrorCode.TURN_UNKNOWN


async def test_of_a_conversation_that_is_deleted_nothing_is_held_and_nothing_runs_on(
    live: LiveTurns, script: Script, store: Store
) -> None:
    over = live.ask(asked())
    say(script, "abc.")
    await whole(over)
    other = live.ask(asked(name="of-another-one"))
    await some(other, 1)

    live.forget(await store.conversations.delete(over.session, ANN))
    assert live.find(over.turn, ANN) is None
    assert live.find(other.turn, ANN) is other

    live.forget(await store.conversations.delete(other.session, ANN))
    events = await whole(other)
    assert isinstance(events[-1][1], Failed)
