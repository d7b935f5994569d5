"""An answer survives what happens to people in the middle of it: nothing of it is lost, and nothing comes twice."""

from __future__ import annotations

import random
import re

from playwright.sync_api import Browser, expect

from tests.browser.answers import COUNTED, tokens_of
from tests.browser.conftest import OpenPage, watched_pages
from tests.browser.door import door
from tests.browser.theatre import Theatre
from tests.browser.visit import Visit

WORDS = COUNTED.split()
RELOADS = 8
PATIENT_MS = 30_000


def transcript(visit: Visit, answers: int = 1) -> list[str]:
    """The numbered words of all answers, in order, as the page shows them, once there are enough of them."""
    visit.page.wait_for_function(
        "(count) => (document.getElementById('log').textContent.match(/w\\d{3}/g) ?? []).length >= count",
        arg=len(WORDS) * answers,
    )
    return re.findall(r"w\d{3}", visit.log.text_content() or "")


def test_reloads_at_random_moments_leave_the_transcript_as_it_is_stored(
    open_house: OpenPage, house: Theatre
) -> None:
    chance = random.Random(6)
    visit = Visit(open_house("/en/chat/beaver"), house, "en")
    house.engine.pace_s = 0.002
    for number in range(1, RELOADS + 1):
        visit.ask(f"Please count, for the {number}. time")
        house.engine.wait_sent(chance.randrange(len(tokens_of(COUNTED))), of_answer=number)
        visit.page.reload()
        expect(visit.accounts).to_have_count(number, timeout=PATIENT_MS)
        expect(visit.messages.last).to_contain_text(WORDS[-1])

        assert transcript(visit, number) == WORDS * number
    assert [answer.split() for prompt, answer in house.answers().items() if "time" in prompt] == [
        WORDS
    ] * RELOADS
    assert len(house.engine.prompts) == RELOADS, "nothing was asked twice"


def test_two_reloads_in_one_answer_and_one_before_its_first_word(
    open_house: OpenPage, house: Theatre
) -> None:
    visit = Visit(open_house("/en/chat/beaver"), house, "en")
    visit.streaming("Please count")
    visit.page.reload()
    visit.page.reload()
    expect(visit.button("page.chat.stop")).to_be_visible()
    house.engine.let_go()
    visit.wait_answers(1)

    assert transcript(visit) == WORDS
    assert len(house.engine.prompts) == 1


def test_a_lost_network_is_found_again_in_the_middle_of_an_answer(chromium: Browser, house: Theatre) -> None:
    with door(house.port) as way, watched_pages(chromium, way.origin) as opened:
        visit = Visit(opened("/en/chat/beaver", may_fail=True), house, "en")
        visit.streaming("Please count")
        way.cut()
        expect(visit.page.locator("main")).to_contain_text(visit.words("page.live.lost"))
        house.engine.let_go()
        house.engine.wait_finished()
        way.open()
        visit.wait_answers(1)

        assert transcript(visit) == WORDS
        assert len(house.engine.prompts) == 1


def test_what_is_asked_without_a_network_is_sent_once_it_is_back(chromium: Browser, house: Theatre) -> None:
    with door(house.port) as way, watched_pages(chromium, way.origin) as opened:
        visit = Visit(opened("/en/chat/beaver", may_fail=True), house, "en")
        visit.answered("Hello")
        way.cut()
        visit.ask("Please count")
        expect(visit.page.locator("main")).to_contain_text(visit.words("page.live.connecting"))
        way.open()
        visit.wait_answers(2)

        assert transcript(visit) == WORDS
        assert house.engine.prompts == ["Hello", "Please count"]


def test_a_killed_service_is_found_again_and_the_interrupted_answer_can_be_asked_for_again(
    open_house: OpenPage, house: Theatre
) -> None:
    visit = Visit(open_house("/en/chat/beaver", may_fail=True), house, "en")
    visit.answered("Remember me")
    visit.streaming("Please count")
    house.restart()
    expect(visit.log).to_contain_text(visit.words("page.live.interrupted"))
    visit.answered("Please count", answers=2)

    assert transcript(visit)[-len(WORDS) :] == WORDS
    visit.page.reload()
    expect(visit.log).to_contain_text("Remember me")
