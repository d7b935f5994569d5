"""Conversations as people see them: listed, searched, read as a tree, named, judged and deleted, on both kinds of
database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import msgspec
import pytest
from sqlalchemy import select

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.core.provenance import CitationFacts, SourceFacts
from menagerie.store.conversations import Feedback, Summary, Tree, Wanted
from menagerie.store.database import Store
from menagerie.store.listing import on_one_line
from menagerie.store.searching import Search
from menagerie.store.tables import turn_feedback
from menagerie.store.turns import Outcome
from tests.store.examples import ANN, BOB, PROVENANCE, end, start, words

ALL = Wanted()


async def say(
    store: Store,
    prompt: str,
    session: str | None = None,
    *,
    answer: str | None = None,
    user: User = ANN,
    outcome: Outcome = "done",
    code: str = "",
    persona: str = "owl",
    channel: str = "socket",
) -> tuple[str, str]:
    """One whole turn; its id, and the session that it was said in."""
    beginning = start(prompt, session, user=user, persona=persona)
    beginning = msgspec.structs.replace(beginning, channel=channel)
    found = await store.turns.accept(beginning)
    said = f"{prompt}!" if answer is None and outcome == "done" else answer
    await store.turns.finish(beginning.turn, end(prompt, said, outcome=outcome, code=code))
    return beginning.turn, found.session


async def fail(store: Store, prompt: str, session: str | None = None) -> tuple[str, str]:
    return await say(store, prompt, session, outcome="failed", code="engine.lost")


def shape(tree: Tree) -> dict[str, str | None]:
    """What each turn's prompt follows, by its prompt."""
    prompts = {turn.id: turn.prompt for turn in tree.turns}
    return {turn.prompt: prompts.get(turn.parent or "") for turn in tree.turns}


async def titles(store: Store, words: str = "", user: User = ANN, persona: str = "") -> list[str]:
    page = await store.conversations.list(user, Wanted(words=words, persona=persona))
    assert page.after is None
    return [one.title for one in page.conversations]


async def opinions(store: Store) -> list[str]:
    """All comments on answers that are in the database."""
    query = select(turn_feedback.c.comment)
    return list(await store._database.read(lambda connection: connection.execute(query).scalars().all()))


async def refused(attempt: object) -> ErrorCode:
    with pytest.raises(MenagerieError) as refusal:
        await attempt  # type: ignore[misc]
    return refusal.value.code


async def test_a_conversation_is_told_as_it_was_held(store: Store) -> None:
    one, session = await say(store, "One?", answer="First.")
    two, _ = await say(store, "Two?", session, outcome="cancelled", code="turn.cancelled", answer="Sec")
    tree = await store.conversations.get(session, ANN)
    assert (tree.about.id, tree.about.persona, tree.about.turns) == (session, "owl", 2)
    assert (tree.about.title, tree.about.named) == ("One?", False)
    first, second = tree.turns
    assert (first.id, first.parent, first.session, first.prompt, first.answer) == (
        one,
        None,
        session,
        "One?",
        "First.",
    )
    assert (second.id, second.parent, second.answer) == (two, one, "Sec")
    assert (second.outcome, second.code) == ("cancelled", "turn.cancelled")
    assert first.provenance is not None
    assert msgspec.json.decode(first.provenance)["model"]["name"] == "tiny"
    assert (tree.leaf, tree.running) == (two, None)


async def test_of_a_prompt_that_was_too_long_only_the_beginning_is_kept(store: Store) -> None:
    long = "é" * 2_001
    _, session = await say(store, "1")
    for prompt, code, kept in (
        (long, "prompt.too_long", "é" * 2_000 + "…"),
        ("é" * 2_000, "prompt.too_long", "é" * 2_000),
        (long, "engine.lost", long),
    ):
        await say(store, prompt, session, outcome="failed", code=code)
        assert (await store.conversations.get(session, ANN)).turns[-1].prompt == kept


async def test_branches_merge_into_one_tree_whichever_session_it_is_asked_by(store: Store) -> None:
    one, session = await say(store, "1")
    two, _ = await say(store, "2", session)
    await say(store, "3", session)
    edited = await store.sessions.branch(session, one, ANN)
    await say(store, "2 edited", edited)
    again = await store.sessions.branch(session, two, ANN)
    await say(store, "3 again", again)
    anew = await store.sessions.branch(session, "", ANN)
    await say(store, "1 edited", anew)
    assert len({session, edited, again, anew}) == 4
    expected = {"1": None, "2": "1", "3": "2", "2 edited": "1", "3 again": "2", "1 edited": None}
    for any_of_them in (session, edited, again, anew):
        tree = await store.conversations.get(any_of_them, ANN)
        assert shape(tree) == expected
        assert tree.about.id == session
        assert tree.about.turns == 6
    assert [turn.prompt for turn in tree.branch()] == ["1 edited"]
    leaf = next(turn.id for turn in tree.turns if turn.prompt == "3 again")
    assert [turn.prompt for turn in tree.branch(leaf)] == ["1", "2", "3 again"]
    with pytest.raises(MenagerieError):
        tree.branch("no such turn")
    copy = await store.sessions.get(again, ANN)
    assert words(copy) == ["1", "1!", "2", "2!", "3 again", "3 again!"]
    empty = await store.sessions.get(anew, ANN)
    assert (empty.persona, empty.messages[0].content) == ("owl", "You are an owl.")


async def test_going_on_where_nothing_follows_needs_no_new_session(store: Store) -> None:
    one, session = await say(store, "1")
    two, _ = await say(store, "2", session)
    assert await store.sessions.branch(session, two, ANN) == session
    branch = await store.sessions.branch(session, one, ANN)
    assert branch != session
    assert await store.sessions.branch(session, one, ANN) == branch
    await fail(store, "lost", branch)
    assert await store.sessions.branch(session, one, ANN) == branch
    empty = await store.sessions.branch(branch, "", ANN)
    assert await store.sessions.branch(session, "", ANN) == empty


async def test_a_session_in_which_a_turn_runs_is_not_gone_on_with(store: Store) -> None:
    one, session = await say(store, "1")
    await store.turns.accept(start("2", session))
    branch = await store.sessions.branch(session, one, ANN)
    assert branch != session
    await store.turns.accept(start("2 too", branch))
    tree = await store.conversations.get(session, ANN)
    assert shape(tree) == {"1": None, "2": "1", "2 too": "1"}
    assert tree.running == tree.leaf == tree.turns[-1].id


async def test_nobody_branches_from_what_is_not_theirs_or_not_of_that_conversation(store: Store) -> None:
    one, session = await say(store, "1")
    other, _ = await say(store, "another")
    theirs, _ = await say(store, "Bob's", user=BOB)
    running = start("runs", session)
    await store.turns.accept(running)
    for where, after, who in (
        (session, one, BOB),
        (session, "", BOB),
        (session, other, ANN),
        (session, theirs, ANN),
        (session, running.turn, ANN),
        (session, "none", ANN),
        ("none", "", ANN),
    ):
        assert await refused(store.sessions.branch(where, after, who)) is ErrorCode.SESSION_UNKNOWN


async def test_a_turn_that_failed_is_told_only_where_nothing_came_after_it(store: Store) -> None:
    _, session = await fail(store, "lost")
    assert shape(await store.conversations.get(session, ANN)) == {"lost": None}
    await say(store, "1", session)
    await fail(store, "lost again", session)
    tree = await store.conversations.get(session, ANN)
    assert shape(tree) == {"1": None, "lost again": "1"}
    assert (tree.turns[-1].answer, tree.turns[-1].code) == ("", "engine.lost")
    await say(store, "2", session)
    assert shape(await store.conversations.get(session, ANN)) == {"1": None, "2": "1"}


async def test_what_programs_keep_by_responses_is_a_tree_too_and_in_no_list_of_peoples(store: Store) -> None:
    one, session = await say(store, "1", channel="openai.responses")
    await say(store, "2", session, channel="openai.responses")
    branch = await store.sessions.after(one, ANN)
    await say(store, "other", branch, channel="openai.responses")
    assert shape(await store.conversations.get(branch, ANN)) == {"1": None, "2": "1", "other": "1"}
    page = await store.conversations.list(ANN, Wanted(channels=("socket", "page")))
    assert page.conversations == ()
    assert [one.id for one in (await store.conversations.list(ANN, ALL)).conversations] == [session]


async def test_the_list_has_each_conversation_once_last_active_first(store: Store) -> None:
    one, first = await say(store, "First")
    await say(store, "Second", persona="fox")
    await say(store, "Bob's", user=BOB)
    await say(store, "More", first)
    branch = await store.sessions.branch(first, one, ANN)
    assert await titles(store) == ["First", "Second"]
    assert await titles(store, persona="fox") == ["Second"]
    await say(store, "Other", branch)
    (summary, _) = (await store.conversations.list(ANN, ALL)).conversations
    assert (summary.id, summary.turns) == (first, 3)
    only_foxes = msgspec.structs.replace(ANN, personas=("fox",))
    assert await titles(store, user=only_foxes) == ["Second"]


async def test_nobody_in_particular_has_no_list_and_reads_what_they_know_the_id_of(store: Store) -> None:
    _, session = await say(store, "Hello", user=User())
    assert (await store.conversations.list(User(), ALL)).conversations == ()
    assert shape(await store.conversations.get(session, User())) == {"Hello": None}


async def test_pages_hold_everything_once_also_when_something_is_said_between_them(store: Store) -> None:
    sessions = [(await say(store, f"{number}"))[1] for number in range(7)]
    page = await store.conversations.list(ANN, ALL, limit=3)
    seen = [one.title for one in page.conversations]
    await say(store, "more", sessions[0])
    while page.after is not None:
        page = await store.conversations.list(ANN, ALL, limit=3, before=page.after)
        seen += [one.title for one in page.conversations]
    assert seen == ["6", "5", "4", "3", "2", "1"]
    assert (await titles(store))[0] == "0"
    theirs, _ = await say(store, "Bob's", user=BOB)
    for foreign in (theirs, "none"):
        assert await refused(store.conversations.list(ANN, ALL, before=foreign)) is ErrorCode.SESSION_UNKNOWN


async def test_a_search_finds_words_in_prompts_answers_and_names_whatever_their_case_and_accents(
    store: Store,
) -> None:
    _, one = await say(store, "L’été à Québec", answer="Un bon cœur.")
    await say(store, "Winter", answer="Snow in MONTRÉAL.")
    await say(store, "100 % of it_all", user=BOB)
    await store.conversations.rename(one, "Vacances", ANN)
    for query in ("ete", "QUÉBEC", "quebec coeur", "l'ete", "  Cœur   vacances ", "e\u0301te\u0301"):
        assert await titles(store, query) == ["Vacances"], query
    assert await titles(store, "montreal") == ["Winter"]
    assert await titles(store, "winter coeur") == []
    assert await titles(store, "%") == []
    assert await titles(store, "it_all") == []
    assert len(await titles(store, " ")) == 2


async def test_a_search_finds_what_only_one_branch_says_and_what_stands_in_a_long_text(store: Store) -> None:
    one, session = await say(store, "1", answer=f"{'é ' * 70_000}needle{' x' * 70_000}")
    await say(store, "2", session)
    branch = await store.sessions.branch(session, one, ANN)
    await say(store, "haystack", branch)
    assert await titles(store, "needle haystack") == ["1"]
    await say(store, "x" * 65_530 + "astride")
    assert len(await titles(store, "xastride")) == 1


async def test_among_three_hundred_conversations_a_search_finds_the_few_in_pages(store: Store) -> None:
    sessions = [(await say(store, f"Question {number}"))[1] for number in range(300)]
    for number in (7, 150, 299):
        await say(store, "Réponse", sessions[number], answer="L’aiguille.")
    page = await store.conversations.list(ANN, Wanted(words="aiguille reponse"), limit=2)
    assert [one.title for one in page.conversations] == ["Question 299", "Question 150"]
    assert page.after is not None
    page = await store.conversations.list(ANN, Wanted(words="aiguille reponse"), limit=2, before=page.after)
    assert [one.title for one in page.conversations] == ["Question 7"]


async def test_a_search_stops_when_it_has_read_enough_and_goes_on_from_there(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("menagerie.store.searching.MOST_READ", 50)
    for number in range(45):
        await say(store, "needle" if number == 3 else f"hay {number}")
    page = await store.conversations.list(ANN, Wanted(words="needle"))
    assert (page.conversations, page.after is None) == ((), False)
    pages = 1
    while page.after is not None:
        page = await store.conversations.list(ANN, Wanted(words="needle"), before=page.after)
        pages += 1
    assert [one.title for one in page.conversations] == ["needle"]
    assert pages == 3


@pytest.mark.parametrize(
    ("said", "words"), [("\ufdfa" * 20, "needle"), ("x" * 60, "needle six other words and more")]
)
async def test_what_a_search_has_read_is_counted_as_folded_and_for_each_word(
    store: Store, monkeypatch: pytest.MonkeyPatch, said: str, words: str
) -> None:
    monkeypatch.setattr("menagerie.store.searching.MOST_READ", 300)
    for _ in range(25):
        await say(store, said, answer="")
    monkeypatch.setattr("menagerie.store.conversations.AT_ONCE", 1)
    page = await store.conversations.list(ANN, Wanted(words=words))
    assert page.after == (await store.conversations.list(ANN, ALL)).conversations[0].newest_turn


async def test_a_search_looks_for_its_first_sixteen_words(store: Store) -> None:
    words = [f"w{number:02}" for number in range(17)]
    await say(store, " ".join(words[:16]), answer="")
    assert len(await titles(store, " ".join(words))) == 1
    assert await titles(store, " ".join(reversed(words))) == []


async def test_one_search_of_a_person_runs_at_a_time_and_holds_nobody_else_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(store, "needle")
    await say(store, "needle", user=BOB)
    began, go_on, running = asyncio.Event(), asyncio.Event(), 0

    async def matching(self: Search, summaries: Sequence[Summary]) -> Sequence[Summary]:
        nonlocal running
        if summaries[0].newest_turn == hers:
            running += 1
            assert running == 1
            began.set()
            await go_on.wait()
            running -= 1
        return summaries

    (summary,) = (await store.conversations.list(ANN, ALL)).conversations
    hers = summary.newest_turn
    monkeypatch.setattr(Search, "matching", matching)
    searches = [asyncio.create_task(titles(store, "needle")) for _ in range(3)]
    async with asyncio.timeout(5):
        await began.wait()
        assert await titles(store, "needle", BOB) == ["needle"]
        go_on.set()
        assert await asyncio.gather(*searches) == [["needle"]] * 3


async def test_a_title_is_the_beginning_of_the_first_prompt_on_one_line_until_a_name_is_given(
    store: Store,
) -> None:
    _, session = await say(store, f"One\n\ttwo \u202ethree\x07 {'word ' * 40}")
    (summary,) = (await store.conversations.list(ANN, ALL)).conversations
    assert summary.title.startswith("One two three word word")
    assert summary.title.endswith("word…")
    assert len(summary.title) <= 80
    named = await store.conversations.rename(session, "Holidays", ANN)
    assert (named.title, named.named) == ("Holidays", True)
    assert await titles(store) == ["Holidays"]
    assert (await store.sessions.list(ANN))[0].title == "Holidays"
    unnamed = await store.conversations.rename(session, "", ANN)
    assert (unnamed.title, unnamed.named) == (summary.title, False)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("a\u00ad\u061c\u200b\u2060\u2064\u3164\U000e0000\U000e0041\U000e007fb", "ab"),
        ("a\u200db\u200cc", "a\u200db\u200cc"),
        ("\u3164 \u200b", ""),
    ],
)
def test_a_title_has_nothing_that_is_not_seen(title: str, shown: str) -> None:
    assert on_one_line(title) == shown


async def test_a_branch_has_the_name_of_its_conversation(store: Store) -> None:
    one, session = await say(store, "1")
    await say(store, "2", session)
    await store.conversations.rename(session, "Named", ANN)
    branch = await store.sessions.branch(session, one, ANN)
    await say(store, "3", branch)
    assert await titles(store) == ["Named"]
    await store.conversations.rename(branch, "Anew", ANN)
    assert await titles(store) == ["Anew"]


async def test_feedback_is_kept_replaced_and_taken_back_and_logged_without_words(store: Store) -> None:
    one, session = await say(store, "1")
    await say(store, "2", session)
    for given in (Feedback("good"), Feedback("bad", "Wrong: secret"), None):
        await store.conversations.rate(session, one, given, ANN)
        first, second = (await store.conversations.get(session, ANN)).turns
        assert (first.feedback, second.feedback) == (given, None)
    await store.log.flush()
    events = [event for event in await store.log.read() if event.event == "turn_feedback"]
    assert [msgspec.json.decode(event.data)["value"] for event in events] == ["good", "bad", ""]
    assert {(event.subject, event.user) for event in events} == {("owl", "ann")}
    assert not any("secret" in str(event) for event in events)


async def test_feedback_is_only_for_what_is_over_and_in_that_conversation(store: Store) -> None:
    one, session = await say(store, "1")
    other, _ = await say(store, "another")
    running = start("runs", session)
    await store.turns.accept(running)
    good = Feedback("good")
    for where, turn, who in (
        (session, one, BOB),
        (session, other, ANN),
        (session, running.turn, ANN),
        ("none", one, ANN),
    ):
        assert await refused(store.conversations.rate(where, turn, good, who)) is ErrorCode.SESSION_UNKNOWN


async def test_what_was_said_is_gone_from_everywhere_once_a_conversation_is_deleted(store: Store) -> None:
    quoted = msgspec.structs.replace(
        PROVENANCE,
        sources=(SourceFacts(1, "document", title="secret title", passage="a secret passage"),),
        citations=(CitationFacts(1, 0, 3, "supported"),),
    )
    beginning = start("secret 1")
    session = (await store.turns.accept(beginning)).session
    finish = msgspec.structs.replace(end("secret 1", "secret!"), provenance=msgspec.json.encode(quoted))
    await store.turns.finish(beginning.turn, finish)
    two, _ = await say(store, "secret 2", session)
    branch = await store.sessions.branch(session, beginning.turn, ANN)
    three, _ = await say(store, "secret 3", branch)
    failed, _ = await fail(store, "secret 4", branch)
    await store.conversations.rate(session, two, Feedback("bad", "secret"), ANN)
    await say(store, "kept")
    await store.conversations.delete(branch, ANN)
    for gone in (session, branch):
        assert await refused(store.conversations.get(gone, ANN)) is ErrorCode.SESSION_UNKNOWN
        assert await refused(store.sessions.get(gone, ANN)) is ErrorCode.SESSION_UNKNOWN
    assert await titles(store) == ["kept"]
    assert await opinions(store) == []
    for turn in (beginning.turn, two, three, failed):
        record = await store.turns.get(turn)
        assert record is not None
        assert "secret" not in repr(record)
    record = await store.turns.get(beginning.turn)
    assert record is not None
    assert record.provenance is not None
    assert msgspec.json.decode(record.provenance)["model"]["name"] == "tiny"


async def test_what_a_turn_quotes_is_not_kept_where_its_conversation_is_deleted_meanwhile(
    store: Store,
) -> None:
    beginning = start("secret")
    session = (await store.turns.accept(beginning)).session
    await store.conversations.delete(session, ANN)
    quoted = msgspec.structs.replace(PROVENANCE, sources=(SourceFacts(1, "page", passage="secret"),))
    finish = msgspec.structs.replace(end("secret"), provenance=msgspec.json.encode(quoted))
    await store.turns.finish(beginning.turn, finish)
    record = await store.turns.get(beginning.turn)
    assert record is not None
    assert "secret" not in repr(record)


async def test_a_forgotten_turn_is_not_told_and_its_feedback_is_gone(store: Store) -> None:
    one, session = await say(store, "1")
    await say(store, "2", session)
    await store.conversations.rate(session, one, Feedback("bad", "secret"), ANN)
    assert await opinions(store) == ["secret"]
    await store.sessions.forget(one, ANN)
    assert shape(await store.conversations.get(session, ANN)) == {"2": None}
    assert await opinions(store) == []


async def test_of_somebody_elses_conversation_nothing_can_be_done(store: Store) -> None:
    one, session = await say(store, "1")
    for who in (BOB, User(), msgspec.structs.replace(ANN, personas=("fox",))):
        for attempt in (
            store.conversations.get(session, who),
            store.conversations.rename(session, "Mine", who),
            store.conversations.delete(session, who),
            store.conversations.rate(session, one, Feedback("good"), who),
        ):
            assert await refused(attempt) is ErrorCode.SESSION_UNKNOWN
    assert await titles(store) == ["1"]


async def test_many_branches_at_once_all_work(store: Store) -> None:
    one, session = await say(store, "1")
    await say(store, "2", session)

    async def other(number: int) -> None:
        branch = await store.sessions.branch(session, one, ANN)
        while True:
            with contextlib.suppress(MenagerieError):  # another one was quicker
                await say(store, f"other {number}", branch)
                return
            branch = await store.sessions.branch(session, one, ANN)

    await asyncio.gather(*map(other, range(8)))
    tree = await store.conversations.get(session, ANN)
    assert len(tree.turns) == 10
