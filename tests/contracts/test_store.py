"""What every store promises, whatever database it stands on."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.core.messages import Message
from menagerie.core.provenance import Timings
from menagerie.store.database import Store
from menagerie.store.failures import Reason, StoreUnavailableError
from menagerie.store.turns import TurnEnd, TurnRecord, TurnStart
from tests.store.examples import ANN, BOB, NOON, end, say, start, words


async def refusal(store: Store, session: str | None, user: User = ANN) -> ErrorCode:
    with pytest.raises(MenagerieError) as refused:
        await store.turns.accept(start("Hello?", session, user=user))
    return refused.value.code


async def test_a_first_turn_begins_a_session_with_its_system_prompt(store: Store) -> None:
    begun = await store.turns.accept(start(system="You are an owl."))
    assert begun.session.startswith("urn:uuid:")
    assert begun.persona == "owl"
    assert begun.messages == (Message("system", "You are an owl."),)
    assert begun.started == begun.last_at == NOON


async def test_a_next_turn_finds_what_was_said_oldest_first_with_its_tokens(store: Store) -> None:
    session = (await say(store, "One?", answer="Hoo one.")).session
    await say(store, "Two?", session, answer="Hoo two.")
    found = await store.turns.accept(start("Three?", session))
    assert found.session == session
    assert found.messages == (
        Message("system", "You are an owl."),
        Message("user", "One?", 3),
        Message("assistant", "Hoo one.", 7),
        Message("user", "Two?", 3),
        Message("assistant", "Hoo two.", 7),
    )


async def test_a_session_keeps_the_persona_and_the_system_prompt_that_it_began_with(store: Store) -> None:
    session = (await say(store)).session
    found = await store.turns.accept(start(session=session, persona="fox", system="You are a fox."))
    assert found.persona == "owl"
    assert found.messages[0] == Message("system", "You are an owl.")


async def test_a_session_without_a_system_prompt_begins_with_nothing(store: Store) -> None:
    assert (await store.turns.accept(start(system=""))).messages == ()


async def test_two_sessions_never_mix(store: Store) -> None:
    one = (await say(store, "One?")).session
    two = (await say(store, "Two?")).session
    assert one != two
    assert words(await store.sessions.get(one, ANN)) == ["One?", "Hoo."]
    assert words(await store.sessions.get(two, ANN)) == ["Two?", "Hoo."]


async def test_another_users_session_and_one_that_never_was_are_told_apart_by_nothing(store: Store) -> None:
    session = (await say(store)).session
    assert await refusal(store, session, BOB) == ErrorCode.SESSION_UNKNOWN
    assert await refusal(store, session, User()) == ErrorCode.SESSION_UNKNOWN
    assert await refusal(store, f"urn:uuid:{uuid4()}", BOB) == ErrorCode.SESSION_UNKNOWN
    assert await refusal(store, "", BOB) == ErrorCode.SESSION_UNKNOWN
    for forbidden in (store.sessions.get(session, BOB), store.sessions.delete(session, BOB)):
        with pytest.raises(MenagerieError) as refused:
            await forbidden
        assert refused.value.code == ErrorCode.SESSION_UNKNOWN
    assert words(await store.sessions.get(session, ANN)) == ["Hello?", "Hoo."]


async def test_another_users_busy_session_is_unknown_not_busy(store: Store) -> None:
    session = (await store.turns.accept(start())).session
    assert await refusal(store, session, BOB) == ErrorCode.SESSION_UNKNOWN


async def test_a_user_is_known_by_any_of_their_names(store: Store) -> None:
    session = (await say(store, user=User(("ann@example.ca",)))).session
    assert words(await store.sessions.get(session, ANN)) == ["Hello?", "Hoo."]
    assert [found.session for found in await store.sessions.list(ANN)] == [session]


async def test_whoever_knows_the_id_of_an_anonymous_session_goes_on_with_it(store: Store) -> None:
    session = (await say(store, user=User())).session
    assert words(await store.turns.accept(start("More?", session, user=User()))) == ["Hello?", "Hoo."]
    assert await store.sessions.list(User()) == ()


async def test_a_session_has_one_turn_at_a_time(store: Store) -> None:
    first = start()
    session = (await store.turns.accept(first)).session
    assert await refusal(store, session) == ErrorCode.SESSION_BUSY
    await store.turns.finish(first.turn, end())
    assert words(await store.turns.accept(start("More?", session))) == ["Hello?", "Hoo."]


async def test_of_many_turns_at_once_in_one_session_exactly_one_is_accepted(store: Store) -> None:
    session = (await say(store)).session
    attempts = await asyncio.gather(
        *(store.turns.accept(start(f"{number}?", session)) for number in range(12)), return_exceptions=True
    )
    codes = [attempt.code for attempt in attempts if isinstance(attempt, MenagerieError)]
    assert codes == [ErrorCode.SESSION_BUSY] * 11


async def test_many_sessions_at_once_are_all_accepted_and_kept(store: Store) -> None:
    begun = await asyncio.gather(*(say(store, f"{number}?") for number in range(20)))
    for number, conversation in enumerate(begun):
        assert words(await store.sessions.get(conversation.session, ANN)) == [f"{number}?", "Hoo."]


async def test_a_failed_turn_stays_in_the_record_and_out_of_the_conversation(store: Store) -> None:
    beginning = start("Secret plan?")
    session = (await store.turns.accept(beginning)).session
    await store.turns.finish(beginning.turn, end(answer=None, outcome="failed", code="engine.lost"))
    assert words(await store.sessions.get(session, ANN)) == []
    record = await store.turns.get(beginning.turn)
    assert record is not None
    assert (record.outcome, record.code, record.prompt) == ("failed", "engine.lost", "Secret plan?")
    await say(store, "Again?", session)


async def test_the_part_of_an_answer_that_a_cancelled_turn_kept_joins_the_conversation(store: Store) -> None:
    beginning = start()
    session = (await store.turns.accept(beginning)).session
    await store.turns.finish(beginning.turn, end("Hello?", "Ho", outcome="cancelled", code="turn.cancelled"))
    assert words(await store.sessions.get(session, ANN)) == ["Hello?", "Ho"]


async def test_the_first_end_of_a_turn_is_the_one_that_counts(store: Store) -> None:
    beginning = start()
    session = (await store.turns.accept(beginning)).session
    await store.turns.finish(beginning.turn, end(answer="First."))
    await store.turns.finish(beginning.turn, end(answer="Second.", outcome="failed", code="internal"))
    assert words(await store.sessions.get(session, ANN)) == ["Hello?", "First."]
    record = await store.turns.get(beginning.turn)
    assert record is not None
    assert record.outcome == "done"
    ends = [line.event for line in await store.log.read() if line.event.startswith("turn_")]
    await store.log.flush()
    assert ends == ["turn_accepted", "turn_done"]


async def test_a_request_is_accepted_once_for_each_owner(store: Store) -> None:
    first, again, his = (
        msgspec.structs.replace(start(user=who), request="a-name-1") for who in (ANN, ANN, BOB)
    )
    await store.turns.accept(first)
    for _ in range(2):
        with pytest.raises(MenagerieError) as refused:
            await store.turns.accept(again)
        assert refused.value.code is ErrorCode.TURN_KNOWN
        await store.turns.finish(first.turn, end())
    await store.turns.accept(his)
    assert [one.session for one in await store.sessions.list(ANN)] == [(await found(store, first)).session]


async def test_of_one_request_made_many_times_at_once_exactly_one_is_accepted(store: Store) -> None:
    attempts = await asyncio.gather(
        *(store.turns.accept(msgspec.structs.replace(start(), request="a-name-1")) for _ in range(12)),
        return_exceptions=True,
    )
    codes = [attempt.code for attempt in attempts if isinstance(attempt, MenagerieError)]
    assert codes == [ErrorCode.TURN_KNOWN] * 11


async def test_turns_without_a_request_name_are_as_many_as_one_likes(store: Store) -> None:
    for _ in range(2):
        await say(store)
    assert await store.turns.find("", ANN) is None


async def test_a_turn_is_found_by_its_id_and_its_request_by_its_owner_only(store: Store) -> None:
    beginning = msgspec.structs.replace(start(), request="a-name-1")
    await store.turns.accept(beginning)
    for name in (beginning.turn, "a-name-1"):
        for hers in (ANN, User(("ann@example.ca", "ann"))):
            record = await store.turns.find(name, hers)
            assert record is not None
            assert (record.id, record.request, record.outcome) == (beginning.turn, "a-name-1", "accepted")
        for stranger in (BOB, User(), User(("ann",), personas=("badger",))):
            assert await store.turns.find(name, stranger) is None


async def found(store: Store, beginning: TurnStart) -> TurnRecord:
    record = await store.turns.get(beginning.turn)
    assert record is not None
    return record


async def test_the_end_of_a_turn_that_never_was_changes_nothing(store: Store) -> None:
    await store.turns.finish("no such turn", end())
    assert await store.turns.get("no such turn") is None
    assert await store.sessions.list(ANN) == ()


async def test_a_record_says_who_when_with_what_and_how_long(store: Store) -> None:
    beginning = start("Hello?")
    session = (await store.turns.accept(beginning)).session
    running = await store.turns.get(beginning.turn)
    assert running is not None
    assert (running.outcome, running.ended_at, running.total_ms) == ("accepted", None, None)
    ended_at = NOON + timedelta(milliseconds=250)
    await store.turns.finish(beginning.turn, end(at=ended_at))
    record = await store.turns.get(beginning.turn)
    assert record is not None
    assert (record.session, record.owner, record.address) == (session, "ann", "192.0.2.1")
    assert (record.channel, record.persona, record.language) == ("gpt-socket", "owl", "en")
    assert (record.model, record.model_sha256) == ("tiny", "ab" * 32)
    assert (record.prompt_tokens, record.cached_tokens, record.answer_tokens) == (31, 20, 7)
    assert (record.queued_ms, record.first_token_ms, record.total_ms) == (1.5, 20.0, 250.0)
    assert record.accepted_at == NOON
    assert record.first_token_at == NOON + timedelta(milliseconds=20)
    assert record.ended_at == ended_at
    assert '"persona":"owl"' in (record.provenance or "")


async def test_a_turn_that_failed_before_its_first_token_has_no_time_of_one(store: Store) -> None:
    beginning = start()
    await store.turns.accept(beginning)
    failed = TurnEnd(outcome="failed", user=Message("user", "?"), at=NOON, timings=Timings(total_ms=9.0))
    await store.turns.finish(beginning.turn, failed)
    record = await store.turns.get(beginning.turn)
    assert record is not None
    assert (record.first_token_ms, record.first_token_at) == (None, None)


async def test_times_come_back_in_utc_to_the_microsecond_from_whatever_zone(store: Store) -> None:
    toronto = datetime(2026, 7, 1, 0, 30, 0, 654321, tzinfo=timezone(timedelta(hours=-4)))
    session = (await say(store, at=toronto)).session
    found = await store.sessions.get(session, ANN)
    assert found.started == toronto
    assert found.started.tzinfo is UTC


async def test_a_clock_that_moves_backwards_disturbs_no_order(store: Store) -> None:
    older = (await say(store, "0?", at=NOON)).session
    newer = (await say(store, "Later?", at=NOON - timedelta(days=1))).session
    for number in range(1, 4):
        await say(store, f"{number}?", older, answer=str(number), at=NOON - timedelta(hours=number))
    assert words(await store.sessions.get(older, ANN)) == ["0?", "Hoo.", "1?", "1", "2?", "2", "3?", "3"]
    assert [found.session for found in await store.sessions.list(ANN)] == [older, newer]
    await store.log.flush()
    ends = [line.session for line in await store.log.read() if line.event == "turn_done"]
    assert ends == [older, newer, older, older, older]


async def test_a_list_names_the_sessions_of_one_user_last_active_first(store: Store) -> None:
    first, second, third = [(await say(store, f"{number}?")).session for number in range(3)]
    await say(store, user=BOB)
    await say(store, "More?", first)
    found = await store.sessions.list(ANN)
    assert [summary.session for summary in found] == [first, third, second]
    assert [summary.length for summary in found] == [4, 2, 2]
    assert [summary.session for summary in await store.sessions.list(ANN, limit=1)] == [first]


async def test_a_deleted_session_leaves_records_without_words(store: Store) -> None:
    beginning = start("Something private")
    session = (await store.turns.accept(beginning)).session
    await store.turns.finish(beginning.turn, end("Something private"))
    await store.sessions.delete(session, ANN)
    assert await refusal(store, session) == ErrorCode.SESSION_UNKNOWN
    assert await store.sessions.list(ANN) == ()
    record = await store.turns.get(beginning.turn)
    assert record is not None
    assert (record.prompt, record.answer_tokens) == ("", 7)


async def test_a_turn_whose_session_is_deleted_meanwhile_ends_without_bringing_it_back(store: Store) -> None:
    beginning = start()
    session = (await store.turns.accept(beginning)).session
    await store.sessions.delete(session, ANN)
    await store.turns.finish(beginning.turn, end())
    record = await store.turns.get(beginning.turn)
    assert record is not None
    assert record.outcome == "done"
    assert await refusal(store, session) == ErrorCode.SESSION_UNKNOWN


@pytest.mark.parametrize("said", ["nul \0 inside", "half a pair \ud83d", "é" * 100_000, "' OR 1=1; --", ""])
async def test_any_text_can_be_said(store: Store, said: str) -> None:
    session = (await say(store, said, answer=said, user=User(("ann",), said))).session
    stored = said.replace("\0", "\ufffd").replace("\ud83d", "?")
    assert words(await store.sessions.get(session, ANN)) == [stored, stored]


@pytest.mark.parametrize("session", ["nul \0", "\ud83d", "x" * 1_000_000, "' OR 1=1; --"])
async def test_any_text_can_be_asked_for_as_a_session(store: Store, session: str) -> None:
    assert await refusal(store, session) == ErrorCode.SESSION_UNKNOWN


async def test_a_caller_cancelled_at_any_moment_leaves_no_session_busy(store: Store) -> None:
    session = (await say(store)).session
    for steps in range(12):
        cancelled = start("Cancelled?", session)
        accepting = asyncio.create_task(store.turns.accept(cancelled))
        for _ in range(steps):
            await asyncio.sleep(0.0005 if steps > 4 else 0)
        accepting.cancel()
        accepted = (await asyncio.gather(accepting, return_exceptions=True))[0]
        if not isinstance(accepted, BaseException):
            await store.turns.finish(cancelled.turn, end(answer=None, outcome="cancelled"))
        async with asyncio.timeout(5):
            while True:
                beginning = start("Still there?", session)
                try:
                    await store.turns.accept(beginning)
                except MenagerieError as refused:
                    assert refused.code == ErrorCode.SESSION_BUSY  # noqa: PT017 - it may be busy for a moment
                    await asyncio.sleep(0.001)
                else:
                    await store.turns.finish(beginning.turn, end(answer=None, outcome="cancelled"))
                    break


async def test_a_caller_cancelled_while_a_turn_ends_does_not_lose_its_end(store: Store) -> None:
    beginning = start()
    session = (await store.turns.accept(beginning)).session
    ending = asyncio.create_task(store.turns.finish(beginning.turn, end()))
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.gather(ending, return_exceptions=True)
    await store.turns.close()
    assert words(await store.sessions.get(session, ANN)) == ["Hello?", "Hoo."]


async def test_events_are_kept_in_the_order_in_which_they_happened(store: Store) -> None:
    store.log.write("service_started", description="ready", data={"port": 5000, "nom": "é"}, at=NOON)
    beginning = start()
    session = (await store.turns.accept(beginning)).session
    store.log.write("engine_lost", severity="error", subject="tiny", session=session, user="ann")
    await store.turns.finish(beginning.turn, end(answer=None, outcome="failed", code="engine.lost"))
    lines = await store.log.read()
    assert [line.event for line in lines] == [
        "service_started",
        "turn_accepted",
        "engine_lost",
        "turn_failed",
    ]
    assert [line.key for line in lines] == sorted(line.key for line in lines)
    assert lines[0].data == '{"port":5000,"nom":"é"}'
    assert lines[0].at == NOON
    last = lines[-1]
    assert (last.severity, last.subject, last.description) == ("warning", "owl", "engine.lost")
    assert (last.session, last.user, last.address) == (session, "ann", "192.0.2.1")
    assert [line.event for line in await store.log.read(after=lines[1].key, limit=1)] == ["engine_lost"]


async def test_an_event_is_written_within_a_fifth_of_a_second_without_anybody_waiting(store: Store) -> None:
    store.log.write("service_started")
    assert await store.log.read() == ()
    await asyncio.sleep(0.2)
    for _ in range(100):
        if await store.log.read():
            return
        await asyncio.sleep(0.02)
    pytest.fail("the event was not written")


async def test_a_store_that_is_closed_and_opened_again_has_everything(address: str, tmp_path: Path) -> None:
    store = await Store.open(address, tmp_path)
    session = (await say(store)).session
    store.log.write("service_stopped")
    await store.close()
    await store.close()
    again = await Store.open(address, tmp_path)
    assert await again.turns.close_interrupted() == 0
    assert words(await again.sessions.get(session, ANN)) == ["Hello?", "Hoo."]
    assert [line.event for line in await again.log.read()][-1] == "service_stopped"
    await again.close()


async def test_a_closed_store_says_that_it_is_closed(address: str, tmp_path: Path) -> None:
    store = await Store.open(address, tmp_path)
    await store.close()
    for late in (store.turns.accept(start()), store.sessions.get("x", ANN), store.log.read()):
        with pytest.raises(StoreUnavailableError) as refused:
            await late
        assert refused.value.reason == Reason.CLOSED


async def test_a_service_leaves_the_running_turns_of_a_living_one_alone(address: str, tmp_path: Path) -> None:
    """Either it may not open the same database, or it sees that the other one is alive."""
    store = await Store.open(address, tmp_path)
    beginning = start()
    await store.turns.accept(beginning)
    try:
        other = await Store.open(address, tmp_path)
    except StoreUnavailableError as refused:
        assert address.startswith("sqlite")
        assert refused.reason == Reason.IN_USE  # noqa: PT017 - one of two outcomes
    else:
        assert await other.turns.close_interrupted() == 0
        await other.close()
    assert await store.turns.close_interrupted() == 0
    await store.turns.finish(beginning.turn, end())
    record = await store.turns.get(beginning.turn)
    assert record is not None
    assert record.outcome == "done"
    await store.close()


async def cut_connections(address: str) -> None:
    """End every connection to the database, as a restart of its server does. A file has none to cut."""
    if address.startswith("postgresql"):
        engine = create_async_engine(make_url(address).set(drivername="postgresql+asyncpg"))
        ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        async with engine.connect() as connection:
            await connection.execute(text(f"{ending} AND datname = current_database()"))
        await engine.dispose()


async def test_a_store_whose_connections_were_cut_goes_on_and_is_known_as_alive_again(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("menagerie.store.database.WATCH_S", 0.1)
    store = await Store.open(address, tmp_path)
    session = (await say(store)).session
    await cut_connections(address)
    await asyncio.sleep(0.5)
    beginning = start("Still there?", session)
    assert words(await store.turns.accept(beginning)) == ["Hello?", "Hoo."]
    if address.startswith("postgresql"):
        other = await Store.open(address, tmp_path)
        assert await other.turns.close_interrupted() == 0
        await other.close()
    await store.turns.finish(beginning.turn, end())
    record = await store.turns.get(beginning.turn)
    assert record is not None
    assert record.outcome == "done"
    await store.close()


SERVICE = """
import asyncio, sys
from pathlib import Path
import structlog
from menagerie.store.database import Store
from tests.store.examples import end, say, start

async def main():
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    store = await Store.open(sys.argv[1], Path("."))
    session = (await say(store, "0?")).session
    print(session, flush=True)
    for number in range(1, 100_000):
        beginning = start(f"{number}?", session)
        await store.turns.accept(beginning)
        print("accepted", number, beginning.turn, flush=True)
        await asyncio.sleep(0.002)
        await store.turns.finish(beginning.turn, end(f"{number}?"))
        print("done", number, beginning.turn, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("killed_after", ["accepted", "done"])
async def test_everything_confirmed_survives_kill_9_and_the_rest_is_closed_as_interrupted(
    address: str, tmp_path: Path, killed_after: str
) -> None:
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVICE, address, stdout=asyncio.subprocess.PIPE
    )
    assert service.stdout is not None
    async with asyncio.timeout(60):
        session = (await service.stdout.readline()).decode().strip()
        while not (line := await service.stdout.readline()).startswith(f"{killed_after} 20".encode()):
            assert line, "the service ended by itself"
    service.send_signal(signal.SIGKILL)
    rest = await service.stdout.read()
    await service.wait()
    seen = [entry.decode().split() for entry in (line + rest).splitlines()]
    finished = max([19, *(int(entry[1]) for entry in seen if entry[0] == "done")])

    async with asyncio.timeout(30):
        store = await Store.open(address, tmp_path)
        interrupted = await store.turns.close_interrupted()
    said = words(await store.sessions.get(session, ANN))
    expected = [text for number in range(finished + 1) for text in (f"{number}?", "Hoo.")]
    assert said[: len(expected)] == expected
    assert len(said) - len(expected) in (0, 2)
    last = await store.turns.get(seen[-1][2])
    assert last is not None
    if interrupted:
        assert interrupted == 1
        lines = await store.log.read(limit=1_000_000)
        assert [line.event for line in lines if line.session == session][-1] == "turn_interrupted"
    if killed_after == "accepted" and last.outcome == "interrupted":
        assert (last.code, last.prompt) == (ErrorCode.TURN_INTERRUPTED, f"{seen[-1][1]}?")
    assert last.outcome != "accepted"
    assert words(await say(store, "And now?", session)) == said
    assert await store.turns.close_interrupted() == 0
    await store.close()
