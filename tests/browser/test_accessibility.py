"""The pages for everybody: axe in every state, the keyboard alone, small screens, what a screen reader is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, ask, violations

SCHEMES: Final[dict[str, dict[str, Any]]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced colours": {"forced_colors": "active"},
    "narrow": {"viewport": {"width": 320, "height": 640}},
}


def _empty(page: Page) -> None:
    """The page as it opens, once everything has found its place."""
    page.wait_for_load_state("networkidle")


def _streaming(page: Page) -> None:
    ask(page, "slow")
    expect(page.locator("#log")).to_contain_text("A beaver dam")


def _answered(page: Page) -> None:
    ask(page, "notice, and rest on sources")
    page.locator(".about:visible summary").click()
    page.locator(".sources:visible summary").click()


def _failed(page: Page) -> None:
    ask(page, "fail")
    expect(page.locator("#retry")).to_be_visible()


# Each conversation is with a persona of its own, because a tab remembers them.
STATES: Final[dict[str, tuple[str, Callable[[Page], None]]]] = {
    "directory": ("chat", _empty),
    "directory, search": ("chat?q=owl", _empty),
    "empty": ("chat/owl", _empty),
    "streaming": ("chat/beaver", _streaming),
    "answered": ("chat/huard", _answered),
    "failed": ("chat/owl", _failed),
    "about": ("about", _empty),
    "interfaces": ("docs", _empty),
    "error": ("chat/nobody", _empty),
}


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_wrong_in_any_state(
    open_page: OpenPage, axe: str, scheme: str, language: str
) -> None:
    found = {}
    for state, page in _in_every_state(open_page, language, reduced_motion="reduce", **SCHEMES[scheme]):
        if wrong := violations(page, axe, contrast_decided=scheme in {"light", "dark"}):
            found[state] = wrong

    assert found == {}


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("size", ["320 pixels wide", "text twice as large"])
def test_nothing_is_cut_off_or_scrolls_sideways(open_page: OpenPage, size: str, language: str) -> None:
    viewport = {"width": 320 if "320" in size else 640, "height": 640}
    for state, page in _in_every_state(open_page, language, viewport=viewport):
        if "twice" in size:
            page.add_style_tag(url=_larger_text(page))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state


def _in_every_state(open_page: OpenPage, language: str, **options: Any) -> Iterator[tuple[str, Page]]:
    """One page, led through all states: opening another takes longer than looking at it."""
    page = open_page(f"/{language}/about", **options)
    for state, (path, reach) in STATES.items():
        address = f"/{language}/{path}"
        if state == "error":
            page = open_page(address, may_fail=True, **options)
        else:
            page.goto(address)
        reach(page)
        yield state, page


def _larger_text(page: Page) -> str:
    """The address of a style sheet that doubles the text, served to this page only."""
    address = f"{page.url.split('/', 3)[0]}//{page.url.split('/', 3)[2]}/larger.css"
    page.route(address, lambda route: route.fulfill(content_type="text/css", body="html { font-size: 200% }"))
    return address


def test_the_composer_never_hides_what_has_the_focus(open_page: OpenPage) -> None:
    page = open_page("/en/chat/owl", viewport={"width": 800, "height": 600})
    ask(page, "hello")
    expect(page.locator(".about:visible")).to_have_count(1)
    ask(page, "hello again")
    expect(page.locator(".about:visible")).to_have_count(2)

    page.keyboard.press("Alt+ArrowUp")
    for _ in range(3):
        page.keyboard.press("ArrowUp")

    focused = page.locator("article:focus").bounding_box()
    composer = page.locator("#composer").bounding_box()
    assert focused
    assert composer
    assert focused["y"] < composer["y"]


def test_the_keyboard_alone_leads_from_the_start_to_an_answer_and_back(open_page: OpenPage) -> None:
    page = open_page("/en/chat")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/en/chat/beaver")
    expect(page.locator("#prompt")).to_be_focused()
    page.keyboard.type("hello")
    page.keyboard.press("Enter")
    expect(page.locator(".about:visible")).to_have_count(1)
    expect(page.locator("#prompt")).to_be_focused()
    page.keyboard.press("Alt+ArrowUp")
    expect(page.get_by_role("article", name="Beaver AI-generated")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy the answer")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#prompt")).to_be_focused()


def test_the_list_is_one_tab_stop_and_arrows_move_between_messages(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver", viewport={"width": 1280, "height": 1600})
    for number, prompt in enumerate(("one", "two"), 1):
        ask(page, prompt)
        expect(page.locator(".about:visible")).to_have_count(number)

    assert page.locator("#log article[tabindex='0']").count() == 1
    page.keyboard.press("Alt+ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("article", name="You").last).to_be_focused()
    page.keyboard.press("Home")
    expect(page.locator("#intro")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#prompt")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#intro")).to_be_focused()
    page.keyboard.press("End")
    expect(page.locator("#log article").last).to_be_focused()


def _told(page: Page) -> list[str]:
    """What the live regions said, in order."""
    told: list[str] = page.evaluate("window.told")
    return told


def _listen(page: Page) -> None:
    page.evaluate(
        """() => {
          window.told = [];
          for (const id of ["status", "alert"]) {
            const region = document.getElementById(id);
            new MutationObserver(() => region.textContent && window.told.push(`${id}: ${region.textContent}`))
              .observe(region, { childList: true, characterData: true, subtree: true });
          }
        }"""
    )


def test_a_screen_reader_hears_that_an_answer_comes_is_ready_and_then_all_of_it_once(
    open_page: OpenPage,
) -> None:
    page = open_page("/en/chat/beaver")
    _listen(page)

    ask(page, "hello")
    expect(page.locator("#status")).to_contain_text("A beaver dam slows")

    told = _told(page)
    assert told[:2] == ["status: Generating…", "status: Answer ready."]
    assert len(told) == 3
    assert told[2].startswith("status: A beaver dam slows")
    assert told[2].strip().endswith("is only text here.")


def test_a_long_answer_is_spoken_of_every_seven_seconds_and_never_piece_by_piece(open_page: OpenPage) -> None:
    page = open_page("/fr/chat/beaver", locale="fr-CA")
    page.clock.install()
    _listen(page)

    ask(page, "slow")
    expect(page.locator("#log")).to_contain_text("A beaver dam")
    page.clock.run_for(15_000)
    page.get_by_role("button", name="Arrêter").click()
    expect(page.locator("#log")).to_contain_text("Vous avez arrêté cette réponse.")

    assert _told(page) == [
        "status: Génération de la réponse…",
        "status: La réponse est toujours en cours de génération…",
        "status: La réponse est toujours en cours de génération…",
        "status: Vous avez arrêté cette réponse.",
    ]


def test_an_error_is_an_alert_and_nothing_else_is(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver")
    _listen(page)

    ask(page, "fail")
    expect(page.locator("#alert")).to_contain_text("The model stopped")

    alerts = [told for told in _told(page) if told.startswith("alert")]
    assert len(alerts) == 1
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "off")


def test_what_a_screen_reader_finds_on_the_page_is_in_order_and_named(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver")
    ask(page, "hello")
    expect(page.locator(".about:visible")).to_have_count(1)

    expect(page.get_by_role("main")).to_match_aria_snapshot(
        """
        - heading "Beaver" [level=1]
        - paragraph: hello
        - log "Conversation with Beaver":
          - article "Beaver":
            - heading "Beaver" [level=2]
            - paragraph: Hello! What are we building today?
          - article "You":
            - heading "You" [level=2]
            - paragraph: hello
          - article "Beaver AI-generated, check it":
            - heading "Beaver AI-generated, check it" [level=2]
        - status
        - alert
        - textbox "Your message"
        - button "Send"
        """
    )


def test_movement_stops_for_those_who_want_less_of_it(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver", reduced_motion="reduce")

    ask(page, "slow")
    expect(page.locator("#progress")).to_have_text("Generating…")

    assert page.evaluate("document.getAnimations().length") == 0
