"""Each task of the chat, from the address bar to its end, with the keyboard alone; and what a screen reader is told."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from menagerie.locales import LANGUAGES, Language
from tests.browser.answers import CODE, PLAIN
from tests.browser.conftest import OpenPage
from tests.browser.keys import focused, press, tab_to
from tests.browser.theatre import Theatre
from tests.browser.visit import Visit


def _type(visit: Visit, prompt: str) -> None:
    focused(visit.composer)
    visit.page.keyboard.type(prompt)
    visit.page.keyboard.press("Enter")


def _newest(visit: Visit) -> None:
    """By the key that leads there."""
    visit.page.keyboard.press("Alt+ArrowUp")
    focused(visit.messages.last)


@pytest.mark.parametrize("language", LANGUAGES)
def test_find_a_persona_and_ask(open_house: OpenPage, house: Theatre, language: Language) -> None:
    page = open_house(f"/{language}/chat", locale=f"{language}-CA")
    visit = Visit(page, house, language)

    press(page.get_by_role("link", name=visit.words("page.skip"), exact=True))
    tab_to(page.get_by_role("searchbox"))
    page.keyboard.type(visit.in_words("otter", "loutre"))
    expect(page.get_by_role("main").get_by_role("listitem").locator("visible=true").first).to_contain_text(
        visit.in_words("Otter", "Loutre")
    )
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{language}/chat/otter")
    _type(visit, visit.in_words("What is a dam?", "Qu’est-ce qu’un barrage, en français?"))
    visit.wait_answers(1)

    focused(visit.composer)
    expect(visit.composer).to_have_value("")
    speaker = visit.in_words("Otter", "Loutre")
    generated = visit.words("page.live.generated")
    expect(visit.log).to_match_aria_snapshot(f"""
      - log "{visit.words("page.chat.log", persona=speaker)}":
        - article "{visit.words("page.live.you")}":
          - heading "{visit.words("page.live.you")}" [level=2]
          - paragraph: /./
          - button "{visit.words("page.live.edit")}"
        - article "{speaker} {generated}":
          - heading "{speaker} {generated}" [level=2]
          - paragraph: /{visit.in_words("A beaver dam slows", "Un barrage de castor")}/
          - paragraph: /{visit.in_words("Two things matter", "Deux choses comptent")}/
          - list:
            - listitem: /./
            - listitem: /./
          - button "{visit.words("page.live.copy")}"
          - button "{visit.words("page.live.again")}"
          - button "{visit.words("page.live.good")}"
          - button "{visit.words("page.live.bad")}"
          - group: {visit.words("page.live.about")}
    """)


def test_stop_an_answer_and_have_it_written_again(open_house: OpenPage, house: Theatre) -> None:
    visit = Visit(open_house("/en/chat/beaver"), house, "en")
    _type(visit, "Go on (hold)")
    house.engine.wait_held()
    press(visit.button("page.chat.stop"))
    expect(visit.log).to_contain_text(visit.words("page.live.stopped"))
    focused(visit.composer)
    house.engine.wait_left()

    _newest(visit)
    press(visit.button("page.live.resend"))
    house.engine.wait_held()
    house.engine.let_go()
    visit.wait_answers(1)
    assert len(house.engine.prompts) == 2


def test_a_second_version_of_an_answer_and_back(open_house: OpenPage, house: Theatre) -> None:
    visit = Visit(open_house("/en/chat/beaver"), house, "en")
    _type(visit, "What is a dam?")
    visit.wait_answers(1)
    _newest(visit)
    press(visit.button("page.live.again"))
    expect(visit.log).to_contain_text(visit.words("page.live.version", number=2, count=2))
    visit.wait_answers(1)
    assert len(house.engine.prompts) == 2

    _newest(visit)
    press(visit.button("page.live.version.before"))
    expect(visit.log).to_contain_text(visit.words("page.live.version", number=1, count=2))
    assert visit.page.evaluate("() => document.activeElement !== document.body"), "the focus is somewhere"
    visit.page.reload()
    expect(visit.messages.last).to_contain_text(re.compile("Version [12] of 2"))


def test_edit_a_question_and_ask_again(open_house: OpenPage, house: Theatre) -> None:
    visit = Visit(open_house("/en/chat/beaver"), house, "en")
    _type(visit, "What is a damn?")
    visit.wait_answers(1)
    _newest(visit)
    visit.page.keyboard.press("ArrowUp")
    press(visit.button("page.live.edit"))
    field = visit.page.get_by_label(visit.words("page.live.edit.label"), exact=True)
    focused(field)
    expect(field).to_have_value("What is a damn?")
    visit.page.keyboard.press("ControlOrMeta+a")
    visit.page.keyboard.type("What is a dam?")
    press(visit.button("page.live.edit.send"))
    expect(visit.log).to_contain_text(visit.words("page.live.version", number=2, count=2))
    visit.wait_answers(1)

    assert house.engine.prompts == ["What is a damn?", "What is a dam?"]
    assert [one["role"] for one in house.engine.requests[-1]["messages"]] == ["system", "user"]


def test_leave_the_editing_of_a_question(open_house: OpenPage, house: Theatre) -> None:
    visit = Visit(open_house("/en/chat/beaver"), house, "en")
    _type(visit, "What is a dam?")
    visit.wait_answers(1)
    _newest(visit)
    visit.page.keyboard.press("ArrowUp")
    press(visit.button("page.live.edit"))
    visit.page.keyboard.type("nonsense")
    visit.page.keyboard.press("Escape")

    expect(visit.log).not_to_contain_text("nonsense")
    focused(visit.button("page.live.edit"))
    assert house.engine.prompts == ["What is a dam?"]


def test_copy_an_answer_and_the_code_in_it(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/beaver", permissions=["clipboard-read", "clipboard-write"])
    visit = Visit(page, house, "en")
    _type(visit, "Show me code")
    visit.wait_answers(1)
    _newest(visit)
    press(visit.button("page.live.copy_code.name"))
    expect(page.get_by_role("status").filter(has_text=visit.words("page.live.copied"))).to_have_count(1)
    assert _clipboard(page).strip() == CODE.split("```")[1].removeprefix("python\n").strip()

    press(visit.button("page.live.copy"))
    page.wait_for_function("async (text) => await navigator.clipboard.readText() === text", arg=CODE)


def _clipboard(page: Page) -> str:
    text: str = page.evaluate("() => navigator.clipboard.readText()")
    return text


def test_open_the_source_that_an_answer_cites(open_house: OpenPage, house: Theatre) -> None:
    visit = Visit(open_house("/en/chat/beaver"), house, "en")
    _type(visit, f"{house.engine.url}/page How many days of leave?")
    visit.wait_answers(1)
    _newest(visit)
    press(visit.messages.last.get_by_role("link", name="[1] Source 1", exact=True).first)

    passage = visit.log.get_by_text("Every beaver has twenty days of leave in a year, and may carry")
    expect(passage).to_be_visible()
    assert visit.messages.last.evaluate("answer => answer.contains(document.activeElement)")
    assert visit.page.evaluate("() => document.activeElement.closest('.sources, m-sources') !== null"), (
        "the focus is at the source"
    )


def test_say_what_an_answer_was_worth_and_take_it_back(open_house: OpenPage, house: Theatre) -> None:
    visit = Visit(open_house("/en/chat/beaver"), house, "en")
    _type(visit, "What is a dam?")
    visit.wait_answers(1)
    _newest(visit)
    press(visit.button("page.live.good"))
    expect(visit.button("page.live.good")).to_have_attribute("aria-pressed", "true")
    expect(visit.page.get_by_role("status").filter(has_text=visit.words("page.live.thanks"))).to_have_count(1)
    visit.page.reload()
    expect(visit.button("page.live.good")).to_have_attribute("aria-pressed", "true")
    tab_to(visit.composer)
    _newest(visit)
    press(visit.button("page.live.good"))
    expect(visit.button("page.live.good")).to_have_attribute("aria-pressed", "false")


def test_a_failure_can_be_tried_again_or_put_away(open_house: OpenPage, house: Theatre) -> None:
    visit = Visit(open_house("/en/chat/beaver"), house, "en")
    _type(visit, "Please fail")
    expect(visit.alert).not_to_be_empty()
    press(visit.button("page.chat.retry"), back=True)
    house.engine.wait_asked(2)
    expect(visit.alert).not_to_be_empty()
    press(visit.button("page.chat.dismiss"), back=True)

    expect(visit.alert).to_be_empty()
    focused(visit.composer)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_other_language_keeps_the_place_in_the_conversation(
    open_house: OpenPage, house: Theatre, language: Language
) -> None:
    page = open_house(f"/{language}/chat/beaver", locale=f"{language}-CA")
    visit = Visit(page, house, language)
    _type(visit, "What is a dam?")
    visit.wait_answers(1)
    conversation = page.url.partition("#")[2]
    other: Language = "en" if language == "fr" else "fr"
    press(page.get_by_role("link", name=visit.words("page.language.switch")))
    page.wait_for_url(f"**/{other}/chat/beaver#*")

    assert page.url.partition("#")[2] == conversation
    expect(page.get_by_role("log")).to_contain_text("it is mended every night")
    assert PLAIN.endswith("it is mended every night.")


def test_the_list_of_messages_is_one_stop_and_nothing_in_it_is_a_trap(
    open_house: OpenPage, house: Theatre
) -> None:
    visit = Visit(open_house("/en/chat/beaver"), house, "en")
    for number in (1, 2, 3):
        _type(visit, f"Question {number}")
        visit.wait_answers(number)
    assert visit.log.locator("article[tabindex='0']").count() == 1
    _newest(visit)
    visit.page.keyboard.press("Home")
    focused(visit.messages.first)
    visit.page.keyboard.press("End")
    focused(visit.messages.last)
    tab_to(visit.composer)
    _newest(visit)
    visit.page.keyboard.press("Escape")
    focused(visit.composer)
