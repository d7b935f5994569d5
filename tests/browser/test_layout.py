"""The chat page fills the window like an application, and lets go of it where the window is too small for that."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, ask

LONG = "slow"


def _answered(page: Page, prompt: str = "hello") -> None:
    ask(page, prompt)
    expect(page.locator(".about:visible")).to_have_count(1)


def _is_in_sight(page: Page, selector: str) -> bool:
    """Whether all of it is in the window, and on top there."""
    seen: bool = page.locator(selector).evaluate(
        """(element) => {
          const box = element.getBoundingClientRect();
          const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
          return box.top >= 0 && box.bottom <= innerHeight && element.contains(top);
        }"""
    )
    return seen


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1600, 900), (768, 1024), (375, 667)])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_an_empty_conversation_fills_the_window_and_does_not_scroll(
    open_page: OpenPage, language: str, width: int, height: int
) -> None:
    page = open_page(f"/{language}/chat/beaver", viewport={"width": width, "height": height})
    expect(page.locator(".material-open")).to_be_visible()

    assert page.evaluate("[scrollY, document.documentElement.scrollHeight]") == [0, height]
    assert _is_in_sight(page, "#prompt")


def test_a_page_that_is_higher_than_the_window_opens_at_its_top(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver", viewport={"width": 320, "height": 256})
    expect(page.locator(".material-open")).to_be_visible()

    assert page.evaluate("scrollY") == 0
    assert page.evaluate("document.documentElement.scrollHeight > innerHeight")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (768, 1024), (375, 667)])
def test_who_answers_and_the_message_box_stay_in_sight(open_page: OpenPage, width: int, height: int) -> None:
    page = open_page("/en/chat/beaver", viewport={"width": width, "height": height})
    for _ in range(5):
        ask(page, "hello")
    expect(page.locator(".about:visible")).to_have_count(5)

    for place in (0, 300, 100_000):
        page.evaluate("(place) => scrollTo(0, place)", place)
        for selector in ("h1", "#prompt", "#number-copy"):
            assert _is_in_sight(page, selector), (place, selector)
    if width >= 768:
        assert _is_in_sight(page, "#settings")
        assert _is_in_sight(page, "#check a")


def test_in_a_low_window_everything_scrolls(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver", viewport={"width": 320, "height": 256})
    for _ in range(2):
        ask(page, "hello")
    expect(page.locator(".about:visible")).to_have_count(2)
    page.evaluate("scrollTo(0, 300)")

    for selector in (".site", ".who", ".dock"):
        box = page.locator(selector).bounding_box()
        assert box
        assert box["y"] + box["height"] <= 0 or box["y"] >= 256, selector
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_welcome_becomes_one_low_row_once_something_is_said(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver")
    expect(page.get_by_text("A steady generalist")).to_be_visible()
    expect(page.locator("#number")).to_be_hidden()

    _answered(page)

    expect(page.get_by_text("A steady generalist")).to_be_hidden()
    expect(page.locator("#number")).to_be_visible()
    row = page.locator(".who").bounding_box()
    assert row
    assert row["height"] <= 64

    page.get_by_role("link", name="New conversation").click()
    expect(page.get_by_text("A steady generalist")).to_be_visible()


def test_the_number_of_the_conversation_is_copied_whole(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver", permissions=["clipboard-read", "clipboard-write"])
    _answered(page)

    page.get_by_role("button", name="Copy the conversation number").click()

    expect(page.locator("#status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#number").inner_text()


@pytest.mark.parametrize("scripts", [True, False])
def test_what_other_pages_have_at_their_foot_opens_from_below_the_message_box(
    open_page: OpenPage, *, scripts: bool
) -> None:
    page = open_page("/fr/chat/beaver", java_script_enabled=scripts)
    expect(page.get_by_role("link", name="Accessibilité")).to_be_hidden()

    help_button = page.get_by_role("button", name="Aide")
    help_button.press("Enter")
    expect(page.locator("#keys")).to_contain_text("Maj+Entrée")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="À propos de ce service")).to_be_focused()
    page.keyboard.press("Escape")

    expect(page.get_by_role("link", name="Accessibilité")).to_be_hidden()
    expect(help_button).to_be_focused()


def test_actions_of_earlier_messages_are_quiet_but_there_for_the_keyboard(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver")
    for number in (1, 2):
        ask(page, "hello")
        expect(page.locator(".about:visible")).to_have_count(number)
    first, last = page.locator(".message-answer .tools").first, page.locator(".message-answer .tools").last
    page.mouse.move(2, 2)

    assert first.evaluate("(tools) => getComputedStyle(tools).opacity") == "0"
    assert last.evaluate("(tools) => getComputedStyle(tools).opacity") == "1"
    page.keyboard.press("Alt+ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    expect(first.get_by_role("button", name="Copy the answer")).to_be_focused()
    assert first.evaluate("(tools) => getComputedStyle(tools).opacity") == "1"


def test_on_touch_all_actions_are_always_shown(open_page: OpenPage) -> None:
    page = open_page(
        "/en/chat/beaver", viewport={"width": 375, "height": 812}, has_touch=True, is_mobile=True
    )
    for number in (1, 2):
        ask(page, "hello")
        expect(page.locator(".about:visible")).to_have_count(number)

    shown = page.locator(".tools").evaluate_all("(all) => all.map((one) => getComputedStyle(one).opacity)")
    assert set(shown) == {"1"}


def test_the_focus_of_the_message_box_is_seen_in_every_scheme(open_page: OpenPage) -> None:
    for scheme in ({"color_scheme": "light"}, {"color_scheme": "dark"}, {"forced_colors": "active"}):
        page = open_page("/en/chat/beaver", **scheme)
        row = page.locator(".composer-row")
        look = "(row) => [getComputedStyle(row).borderColor, getComputedStyle(row).outlineStyle]"
        expect(page.locator("#prompt")).to_be_focused()
        focused = row.evaluate(look)
        page.locator("#send").focus()
        assert focused[1] == "solid", scheme
        assert row.evaluate(look)[1] == "none", scheme


def test_the_list_of_conversations_has_no_search_while_there_is_nothing_to_search(
    open_house: OpenPage,
) -> None:
    page = open_house("/en/chat/beaver", viewport={"width": 1280, "height": 800})
    conversations = page.get_by_role("complementary", name="Conversations")
    expect(conversations).to_contain_text("will be listed here")
    expect(conversations.get_by_role("searchbox")).to_be_hidden()

    ask(page, "hello")
    expect(conversations.get_by_role("link", name="hello")).to_be_visible()
    expect(conversations.get_by_role("searchbox")).to_be_visible()


def test_a_closed_list_of_conversations_stays_closed(open_house: OpenPage) -> None:
    page = open_house("/en/chat/beaver", viewport={"width": 1280, "height": 800})
    expect(page.get_by_role("complementary").get_by_role("link", name="New conversation")).to_be_visible()

    toggle = page.get_by_role("button", name="Conversations")
    toggle.press("Enter")
    expect(toggle).to_be_focused()
    expect(toggle).to_have_attribute("aria-expanded", "false")
    page.reload()

    expect(page.get_by_role("button", name="Conversations")).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_role("complementary")).to_be_hidden()
