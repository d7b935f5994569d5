"""Going on after any turn of a conversation, on both kinds of database."""

from __future__ import annotations

import msgspec
import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message, ToolCall
from menagerie.store.database import Store
from tests.store.examples import ANN, BOB, end, start, words


async def say(store: Store, prompt: str, session: str | None = None, *, kept: bool = True) -> tuple[str, str]:
    """One whole turn; its id, and the session that it was said in."""
    beginning = msgspec.structs.replace(start(prompt, session), kept=kept)
    found = await store.turns.accept(beginning)
    await store.turns.finish(beginning.turn, end(prompt, f"{prompt}!"))
    return beginning.turn, found.session


async def test_after_the_last_turn_the_conversation_itself_goes_on(store: Store) -> None:
    _, session = await say(store, "One")
    second, _ = await say(store, "Two", session)
    assert await store.sessions.after(second, ANN) == session


async def test_after_an_earlier_turn_a_branch_goes_on_and_the_conversation_stays(store: Store) -> None:
    first, session = await say(store, "One")
    await say(store, "Two", session)
    branch = await store.sessions.after(first, ANN)
    assert branch != session
    await say(store, "Other", branch)
    assert words(await store.sessions.get(branch, ANN)) == ["One", "One!", "Other", "Other!"]
    assert words(await store.sessions.get(session, ANN)) == ["One", "One!", "Two", "Two!"]
    copy = await store.sessions.get(branch, ANN)
    assert copy.messages[0] == Message("system", "You are an owl.")


async def test_a_branch_can_branch(store: Store) -> None:
    first, session = await say(store, "One")
    await say(store, "Two", session)
    branch = await store.sessions.after(first, ANN)
    second, _ = await say(store, "Other", branch)
    await say(store, "Third", branch)
    again = await store.sessions.after(second, ANN)
    assert words(await store.sessions.get(again, ANN)) == ["One", "One!", "Other", "Other!"]


async def test_what_is_forgotten_is_gone_from_branches_too(store: Store) -> None:
    first, session = await say(store, "One")
    second, _ = await say(store, "Two", session)
    branch = await store.sessions.after(first, ANN)
    await store.sessions.forget(first, ANN)
    assert words(await store.sessions.get(session, ANN)) == ["Two", "Two!"]
    assert words(await store.sessions.get(branch, ANN)) == []
    record = await store.turns.get(first)
    assert record is not None
    assert (record.outcome, record.prompt) == ("done", "")
    await say(store, "Three", session)
    assert words(await store.sessions.get(session, ANN))[-1] == "Three!"
    with pytest.raises(MenagerieError):
        await store.sessions.forget(second, BOB)


async def test_nobody_goes_on_after_a_turn_of_somebody_else_nor_after_one_that_runs(store: Store) -> None:
    turn, _ = await say(store, "One")
    running = start("Two")
    await store.turns.accept(running)
    for who, what in ((BOB, turn), (ANN, running.turn), (ANN, "no such turn")):
        with pytest.raises(MenagerieError) as refused:
            await store.sessions.after(what, who)
        assert refused.value.code is ErrorCode.SESSION_UNKNOWN


async def test_a_turn_that_is_not_kept_leaves_its_record_and_not_a_word(store: Store) -> None:
    turn, session = await say(store, "Secret", kept=False)
    record = await store.turns.get(turn)
    assert record is not None
    assert (record.outcome, record.prompt, record.answer_tokens) == ("done", "", 7)
    for unknown in (store.sessions.get(session, ANN), store.sessions.after(turn, ANN)):
        with pytest.raises(MenagerieError):
            await unknown


async def test_what_was_said_until_a_turn_can_be_read_without_a_branch(store: Store) -> None:
    first, session = await say(store, "One")
    await say(store, "Two", session)
    assert words(await store.sessions.until(first, ANN)) == ["One", "One!"]
    assert [one.session for one in await store.sessions.list(ANN)] == [session]
    with pytest.raises(MenagerieError):
        await store.sessions.until(first, BOB)


async def test_calls_and_their_results_come_back_as_they_were(store: Store) -> None:
    call = ToolCall("call_1", "look", '{"at":"it"}')
    beginning = start("Seen.")
    found = await store.turns.accept(beginning)
    before = (Message("user", "Look."), Message("assistant", "", calls=(call,)))
    result = Message("tool", "Seen.", answers="call_1")
    finish = msgspec.structs.replace(end("Seen."), user=result, before=before)
    await store.turns.finish(beginning.turn, finish)
    said = (await store.sessions.get(found.session, ANN)).messages[1:]
    assert said == (*before, result, Message("assistant", "Hoo.", 7))
    assert await store.sessions.answer(beginning.turn, ANN) == Message("assistant", "Hoo.", 7)
