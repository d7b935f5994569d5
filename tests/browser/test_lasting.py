"""A conversation lasts: through reloads, lost connections, restarts of the service, and in several tabs at once."""

from __future__ import annotations

import re
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.answers import COUNTED
from tests.browser.conftest import OpenPage, ask, watched_pages
from tests.browser.theatre import Theatre

WORDS: Final = COUNTED.split()
PATIENCE_MS: Final = 20_000
"""A page that has lost its connection tries again after seven seconds at the latest."""


def newest(page: Page) -> str:
    """The text of the newest answer."""
    return page.locator(".message-answer .message-text").last.inner_text()


def says_all_words(page: Page) -> None:
    """Wait until the newest answer stands there, without a gap or a repeat."""
    page.wait_for_function(
        """words => [...document.querySelectorAll(".message-answer .message-text")].at(-1)
          .innerText.trim().split(/\\s+/).join(" ") === words""",
        arg=" ".join(WORDS),
    )


def answered(page: Page, count: int) -> None:
    """Wait until so many answers account for themselves."""
    expect(page.locator(".about:visible")).to_have_count(count, timeout=PATIENCE_MS)


def test_a_reload_in_the_middle_of_an_answer_goes_on_without_a_gap_or_a_repeat(
    open_house: OpenPage, house: Theatre
) -> None:
    page = open_house("/en/chat/beaver")

    ask(page, "hold and count")
    house.engine.wait_held()
    for _ in range(3):
        page.reload()
        expect(page.locator(".message-answer .message-text").last).to_contain_text("w003")
    house.engine.let_go()
    answered(page, 1)

    says_all_words(page)
    assert house.engine.prompts == ["hold and count"]


def test_a_reload_before_anything_was_accepted_asks_once(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/beaver")

    page.locator("#prompt").fill("count once")
    page.evaluate("document.getElementById('send').click(); location.reload()")
    answered(page, 1)

    says_all_words(page)
    assert house.engine.prompts == ["count once"]
    expect(page.locator(".message-you")).to_have_count(1)


def test_a_connection_that_is_cut_in_the_middle_is_made_again_and_goes_on(
    chromium: Browser, house: Theatre
) -> None:
    door = house.door()
    with watched_pages(chromium, door.origin) as opened:
        page = opened("/en/chat/beaver", may_fail=True)
        ask(page, "hold and count, cut")
        house.engine.wait_held()
        expect(page.locator(".message-answer .message-text").last).to_contain_text("w003")
        door.cut()
        expect(page.locator("#progress")).to_have_text("The connection was lost. Trying to reconnect…")
        house.engine.let_go()
        door.open()
        answered(page, 1)

        says_all_words(page)
        assert house.engine.prompts == ["hold and count, cut"]


def test_prompts_written_without_a_connection_wait_in_sight_and_go_in_order(
    chromium: Browser, house: Theatre
) -> None:
    door = house.door()
    with watched_pages(chromium, door.origin) as opened:
        page = opened("/en/chat/beaver", may_fail=True)
        expect(page.locator("#progress")).to_be_empty()
        door.cut()
        expect(page.locator("#progress")).to_have_text(re.compile("connection was lost"))
        for prompt in ("first of all", "then this", "not this"):
            ask(page, prompt)
        expect(page.get_by_text("Waiting to be sent.")).to_have_count(3)
        page.get_by_role("button", name="Take the message back").last.click()
        expect(page.locator("#prompt")).to_have_value("not this")
        door.open()
        answered(page, 2)

        assert house.engine.prompts == ["first of all", "then this"]
        assert [said.split("\n")[-1] for said in page.locator(".message-you").all_inner_texts()] == [
            "first of all",
            "then this",
        ]


def test_a_service_that_is_killed_leaves_what_was_said_and_the_answer_can_be_had_again(
    open_house: OpenPage, house: Theatre
) -> None:
    page = open_house("/en/chat/beaver", may_fail=True)
    ask(page, "before")
    answered(page, 1)
    ask(page, "hold and count, kill")
    house.engine.wait_held()
    expect(page.locator(".message-answer .message-text").last).to_contain_text("w003")

    house.kill()
    expect(page.locator("#progress")).to_have_text("The connection was lost. Trying to reconnect…")
    assert "w003" in newest(page)
    house.start()
    expect(page.locator("#log")).to_contain_text("This answer was interrupted before its end.")
    page.get_by_role("button", name="Ask again").click()
    house.engine.wait_held()
    house.engine.let_go()
    answered(page, 2)

    says_all_words(page)
    expect(page.locator(".message-you")).to_have_count(2)


def test_two_tabs_show_the_same_conversation_as_it_goes_on(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/beaver")
    ask(page, "first")
    answered(page, 1)
    other = page.context.new_page()
    other.goto(page.url)
    answered(other, 1)

    ask(page, "hold and count, twice")
    house.engine.wait_held()
    expect(other.locator(".message-you").last).to_contain_text("hold and count, twice")
    expect(other.locator(".message-answer .message-text").last).to_contain_text("w003")
    other.get_by_role("button", name="Stop").click()

    expect(page.locator("#log")).to_contain_text("This answer was stopped.")
    expect(other.locator("#log")).to_contain_text("You stopped this answer.")


def test_the_address_names_the_conversation_and_back_leads_to_the_one_before(
    open_house: OpenPage, house: Theatre
) -> None:
    page = open_house("/en/chat/beaver")
    ask(page, "one")
    answered(page, 1)
    first = page.url
    page.get_by_role("link", name="New conversation").click()
    expect(page.locator(".message-you")).to_have_count(0)
    ask(page, "two")
    answered(page, 1)
    assert "#c=" in first
    assert page.url != first

    page.go_back()
    expect(page.locator(".message-you")).to_contain_text("one")
    page.go_forward()
    expect(page.locator(".message-you")).to_contain_text("two")
    page.get_by_role("link", name="Français").click()
    expect(page.locator(".message-you")).to_contain_text("two")
    assert page.url.endswith(first.split("#")[0].rpartition("/")[2] + page.url[page.url.index("#") :])


def test_another_browser_shows_a_conversation_by_its_address_only(
    open_house: OpenPage, house: Theatre
) -> None:
    page = open_house("/en/chat/beaver")
    ask(page, "remember me")
    answered(page, 1)
    address = page.url

    other = open_house(address, may_fail=True)
    expect(other.locator(".message-you")).to_contain_text("remember me")
    other.goto("about:blank")
    other.goto(address.split("#")[0] + "#c=urn:uuid:00000000-0000-4000-8000-000000000000")
    expect(other.locator("#alert")).to_have_text("This conversation does not exist, or is not yours.")


@pytest.mark.parametrize(("name", "kept"), [("Answer again", "hold on"), ("edit", "something else")])
def test_branches_are_kept_and_can_be_chosen(
    open_house: OpenPage, house: Theatre, name: str, kept: str
) -> None:
    page = open_house("/en/chat/beaver")
    ask(page, "a table")
    answered(page, 1)
    ask(page, "and then?")
    answered(page, 2)

    if name == "edit":
        page.get_by_role("button", name="Edit your message").first.click()
        page.get_by_label("Your message, edited").fill(kept)
        page.keyboard.press("Control+Enter")
    else:
        page.get_by_role("button", name=name).first.click()
    answered(page, 1)
    expect(page.locator(".version")).to_have_text("Version 2 of 2")
    expect(page.locator(".message-you")).to_have_count(1)
    page.get_by_role("button", name="Previous version").click()
    answered(page, 2)
    expect(page.locator(".message-you").last).to_contain_text("and then?")
    page.reload()
    answered(page, 2)
    page.get_by_role("button", name="Next version").click()
    answered(page, 1)
    ask(page, "go on here")
    answered(page, 2)

    said = [one["content"] for one in house.engine.requests[-1]["messages"] if one["role"] == "user"]
    assert said == [kept if name == "edit" else "a table", "go on here"]


def test_opinions_of_answers_are_kept(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/beaver")
    ask(page, "judge me")
    answered(page, 1)

    page.get_by_role("button", name="Bad answer").click()
    page.get_by_label("What did you like or dislike?").fill("No beavers in it.")
    page.get_by_role("button", name="Send the comment").click()
    expect(page.locator("#status")).to_have_text("Thank you for your opinion.")
    page.reload()

    expect(page.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    assert house.stored("SELECT value, comment FROM turn_feedback ORDER BY at DESC LIMIT 1") == [
        ("bad", "No beavers in it.")
    ]


def test_a_long_conversation_shows_its_newest_turns_first(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/beaver")
    for number in range(1, 24):
        ask(page, f"turn {number}")
        expect(page.locator(".message-you").last).to_contain_text(f"turn {number}")
        expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    page.reload()

    expect(page.locator(".message-you")).to_have_count(20)
    page.get_by_role("button", name="Show earlier messages").click()
    expect(page.locator(".message-you")).to_have_count(23)
    expect(page.locator(".message-you").first).to_contain_text("turn 1")
    expect(page.locator("#intro")).to_be_visible()


def test_who_reads_further_up_is_left_there(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/beaver", viewport={"width": 800, "height": 500})
    ask(page, "long")
    answered(page, 1)
    ask(page, "hold the long one")
    house.engine.wait_held()
    page.mouse.move(400, 200)
    page.mouse.wheel(0, -1500)
    button = page.get_by_role("button", name="Newest message")
    expect(button).to_be_visible()
    page.evaluate(
        """async () => {
          for (let last = -1; scrollY !== last; ) {
            last = scrollY;
            await new Promise(done => setTimeout(done, 300));
          }
          window.read = document.elementFromPoint(innerWidth / 3, 200);
        }"""
    )
    top = page.evaluate("read.getBoundingClientRect().top")
    house.engine.let_go()
    answered(page, 2)

    assert page.evaluate("read.getBoundingClientRect().top") == pytest.approx(top, abs=1)
    button.click()
    expect(button).to_be_hidden()
