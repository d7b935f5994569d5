"""The text of an answer on the page: Markdown of a hostile text, in its language, and what is told of it."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.answers import CODE, FRENCH, PLAIN
from tests.browser.conftest import OpenPage, ask
from tests.browser.theatre import Theatre


def _answered(page: Page, count: int = 1) -> None:
    expect(page.locator(".about:visible")).to_have_count(count)


def _newest(page: Page) -> Any:
    return page.locator(".message-answer .message-text").last


def _listen(page: Page) -> None:
    page.evaluate(
        """() => {
          window.told = [];
          const region = document.getElementById("status");
          new MutationObserver(() => region.textContent && window.told.push(region.textContent))
            .observe(region, { childList: true, characterData: true, subtree: true });
        }"""
    )


def _prefer(page: Page, **choices: object) -> None:
    page.evaluate("kept => localStorage.setItem('menagerie.preferences.v1', kept)", json.dumps(choices))


def test_a_hostile_answer_is_text(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/beaver")

    ask(page, "hostile")
    _answered(page)
    expect(_newest(page)).to_contain_text("<script>document.title = 'broken in'</script>")

    assert page.title() == "Beaver – menagerie"
    assert page.locator("#log :is(script, style, iframe, img, [style], [onerror])").count() == 0
    for link in _newest(page).locator("a").all():
        assert str(link.get_attribute("href")).startswith("https://")
        assert link.get_attribute("rel") == "noopener noreferrer nofollow"
    expect(_newest(page).locator("math")).to_have_count(1)
    expect(_newest(page)).to_contain_text("\\a\\a\\a")


def test_tables_code_and_formulas_are_what_they_are(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/beaver", permissions=["clipboard-read", "clipboard-write"])

    ask(page, "a table, code and maths")
    _answered(page)

    expect(page.get_by_role("columnheader", name="Height (m)")).to_be_visible()
    expect(page.locator(".code-language")).to_have_text("python")
    expect(page.locator(".code .hljs-keyword").first).to_have_text("def")
    expect(page.locator("math")).to_have_count(2)
    page.get_by_role("button", name="Copy the code").click()
    expect(page.locator("#status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == CODE.split("```python\n")[1].split("```")[0]
    page.get_by_role("button", name="Copy the answer").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.includes('| Dam |'))")


def test_what_is_too_wide_scrolls_by_the_keyboard_and_the_page_does_not(
    open_house: OpenPage, house: Theatre
) -> None:
    page = open_house("/en/chat/beaver", viewport={"width": 320, "height": 640})

    ask(page, "a table and code")
    _answered(page)

    expect(page.get_by_role("group", name="Code")).to_have_attribute("tabindex", "0")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("announcements", "told"),
    [
        ("none", []),
        ("status", ["Generating…", "Answer ready."]),
        ("full", ["Generating…", "Answer ready.", "A beaver dam slows"]),
    ],
)
def test_as_much_is_announced_as_the_person_wants(
    open_house: OpenPage, house: Theatre, announcements: str, told: list[str]
) -> None:
    page = open_house("/en/chat/beaver")
    _prefer(page, announcements=announcements)
    _listen(page)

    ask(page, "hello")
    _answered(page)
    page.wait_for_timeout(1500)  # the text follows after a second, or never

    heard: list[str] = page.evaluate("window.told")
    assert len(heard) == len(told)
    for each, begins in zip(heard, told, strict=True):
        assert each.startswith(begins)


def test_enter_sends_as_the_person_wants(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/beaver")
    _prefer(page, enterSends=False)
    page.reload()

    expect(page.locator("#keys")).to_contain_text("Ctrl+Enter sends")
    page.locator("#prompt").fill("one")
    page.keyboard.press("Enter")
    page.keyboard.type("two")
    page.keyboard.press("Control+Enter")
    _answered(page)

    assert page.locator(".message-you p").first.inner_text() == "one\ntwo"


def test_every_message_is_marked_with_the_language_it_is_in(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/beaver")

    ask(page, "Répondez-moi en français, et dites comment est le barrage de votre castor.")
    _answered(page)
    ask(page, "hold that answer of the beaver in English for me")
    house.engine.wait_held()
    house.engine.let_go()
    _answered(page, 2)

    questions, answers = (
        page.locator(".message-you .message-text"),
        page.locator(".message-answer .message-text[dir]"),
    )
    expect(questions.nth(0)).to_have_attribute("lang", "fr-CA")
    expect(answers.nth(0)).to_have_attribute("lang", "fr-CA")
    expect(questions.nth(1)).to_have_attribute("lang", "en-CA")
    expect(answers.nth(1)).to_have_attribute("lang", "en-CA")
    assert FRENCH.split()[0] in answers.nth(0).inner_text()
    assert PLAIN.split()[0] in answers.nth(1).inner_text()
    expect(page.locator("#status")).to_have_attribute("lang", "en-CA")


INSECURE: Final = """
    delete Crypto.prototype.randomUUID;
    Object.defineProperty(Navigator.prototype, "clipboard", { get: () => undefined });
"""
"""What a browser withholds from a page that came by http from another machine."""


def test_a_page_that_came_by_http_asks_and_tells_that_it_cannot_copy(open_house: OpenPage) -> None:
    page = open_house("/en/about")
    page.add_init_script(INSECURE)
    page.goto("/en/chat/beaver")

    ask(page, "count")
    _answered(page)
    page.get_by_role("button", name="Copy the answer").click()

    expect(page.locator("#alert")).not_to_be_empty()
