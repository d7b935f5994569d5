"""The stage itself: what tests of the pages rely on holds before any page is looked at."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.answers import FRENCH, PLAIN, SLOW, SLOW_TOKENS, TABLE, tokens_of
from tests.browser.conftest import OpenPage, ask, watched_pages
from tests.browser.door import door
from tests.browser.scripted_engine import answer_to
from tests.browser.theatre import Theatre


def _answer(origin: str, prompt: str, persona: str = "beaver") -> str:
    with urllib.request.urlopen(f"{origin}/gpt/{persona}?prompt={quote(prompt)}", timeout=20) as response:
        return str(response.read().decode())


def _ask_aside(origin: str, prompt: str, persona: str = "beaver") -> tuple[threading.Thread, list[str]]:
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(_answer(origin, prompt, persona)))
    asking.start()
    return asking, answers


def test_words_of_the_prompt_choose_the_answer_and_the_store_keeps_it(house: Theatre) -> None:
    assert _answer(house.origin, "What is a dam?") == PLAIN
    assert _answer(house.origin, "Give me a table, in French") == f"{TABLE}\n\n{FRENCH}"
    assert house.answers()["Give me a table, in French"] == answer_to("Give me a table, in French")
    assert house.outcomes()["What is a dam?"] == "done"


def test_a_slow_answer_has_two_thousand_tokens_at_the_pace_that_is_set(house: Theatre) -> None:
    house.engine.slow_pace_s = 0.0001
    assert len(tokens_of(SLOW)) == SLOW_TOKENS
    assert _answer(house.origin, "slow") == SLOW


def test_an_answer_is_held_until_the_test_lets_it_go(house: Theatre) -> None:
    asking, answers = _ask_aside(house.origin, "Please hold")
    house.engine.wait_held()
    assert house.outcomes()["Please hold"] == "accepted"
    assert answers == []
    house.engine.let_go()
    asking.join(20)
    assert answers == [PLAIN]


def test_who_waits_for_the_only_place_of_an_engine_is_in_its_queue(house: Theatre) -> None:
    first, _ = _ask_aside(house.origin, "hold the place", "marmot")
    house.engine.wait_held()
    second, answers = _ask_aside(house.origin, "after you", "marmot")
    house.engine.let_go()
    first.join(20)
    second.join(20)
    assert house.engine.prompts == ["hold the place", "after you"]
    assert answers == [PLAIN]


@pytest.mark.parametrize(
    ("prompt", "code"), [("Please fail", "engine.refused"), ("This is lost", "engine.lost")]
)
def test_an_answer_can_break_off(house: Theatre, prompt: str, code: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        _answer(house.origin, prompt)
    assert code in refused.value.read().decode()
    assert _answer(house.origin, "again") == PLAIN


def test_people_come_in_by_doors_that_say_who_they_are(house: Theatre) -> None:
    _answer(house.door("alice@example.gc.ca").origin, "It is I, Alice")
    _answer(house.origin, "It is nobody")
    owners = dict(house.stored("SELECT prompt, owner FROM turns"))
    assert owners["It is I, Alice"] == "alice@example.gc.ca"
    assert owners["It is nobody"] != "alice@example.gc.ca"


def test_a_door_can_be_cut_and_opened_again(house: Theatre) -> None:
    with door(house.port) as way:
        way.cut()
        with pytest.raises(OSError, match="refused"):
            _answer(way.origin, "Hello?")
        way.open()
        assert _answer(way.origin, "Hello!") == PLAIN


def test_what_was_stored_survives_a_kill_in_the_middle(house: Theatre) -> None:
    _answer(house.origin, "Remember this")
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            _answer(house.origin, "hold this")
        except OSError as lost:
            failures.append(lost)

    asking = threading.Thread(target=ask)
    asking.start()
    house.engine.wait_held()
    house.restart()
    asking.join(20)
    assert failures
    house.engine.wait_left()
    assert house.answers()["Remember this"] == PLAIN
    assert house.outcomes()["hold this"] == "interrupted"


def test_pages_of_the_whole_application_are_watched(chromium: Browser, house: Theatre) -> None:
    with (
        pytest.raises(AssertionError, match="refused by the test"),
        watched_pages(chromium, house.origin) as opened,
    ):
        opened("/fr/chat").evaluate("console.error('refused by the test')")


def test_a_signed_in_person_talks_over_the_socket_too(open_house_signed_in: OpenPage, house: Theatre) -> None:
    page = open_house_signed_in("/en/chat/beaver")
    ask(page, "Who am I to you?")
    expect(page.get_by_role("log")).to_contain_text("it is mended every night")
    (owner,) = {owner for (owner,) in house.stored("SELECT owner FROM turns WHERE prompt LIKE 'Who am I%'")}
    assert owner.endswith("@example.gc.ca")
