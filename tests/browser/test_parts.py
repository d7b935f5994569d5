"""Sources, the account of an answer, and dictation, each by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, violations
from tests.browser.parts_page import PROVENANCE, nothing_behind, open_parts

Opened = Callable[..., Page]
RECOGNIZER = """
  window.heard = [];
  window.SpeechRecognition = class extends EventTarget {
    processLocally = false;
    start() { window.heard.push(this); this.begun = true; this.dispatchEvent(new Event("start")); }
    stop() { this.stopped = true; this.dispatchEvent(new Event("end")); }
    abort() { this.aborted = true; this.dispatchEvent(new Event("end")); }
    say(text, isFinal) {
      const results = [Object.assign([{transcript: text}], {isFinal})];
      this.dispatchEvent(Object.assign(new Event("result"), {resultIndex: 0, results}));
    }
    fail(error) {
      this.dispatchEvent(Object.assign(new Event("error"), {error}));
      this.dispatchEvent(new Event("end"));
    }
    static available({langs}) { return Promise.resolve(langs[0] === "fr-CA" ? "available" : "unavailable"); }
  };
"""
WITHOUT = "delete window.SpeechRecognition; delete window.webkitSpeechRecognition;"


@pytest.fixture
def opened(open_house: OpenPage) -> Opened:
    """Opens the parts of an answer, with a script that runs before those of the page."""

    def open_(language: Any = "en", script: str = RECOGNIZER, **options: Any) -> Page:
        page = open_house("/en/about", **options)
        page.add_init_script(script)
        return open_parts(page, language, answered=True)

    return open_


def begun(page: Page, said: str) -> Page:
    """Dictation, agreed to."""
    page.evaluate("localStorage.setItem('menagerie.dictation.agreed', 'yes')")
    page.get_by_role("button", name=said).press("Enter")
    return page


def test_sources_are_numbered_named_and_linked_only_to_the_web(opened: Opened) -> None:
    page = opened()
    sources = page.locator("m-sources")

    expect(sources.locator("li")).to_have_count(4)
    expect(sources.locator("li").nth(0)).to_contain_text("Pasted text, 1,234 characters")
    hostile = sources.locator("li").nth(1)
    expect(hostile.get_by_role("link")).to_have_attribute(
        "href",
        "https://www.example.ca/politique?a=1&b=2#:~:text="
        "Le%20cong%C3%A9%20est%20de%20vingt%20jours.%20%3Cscript%3Edocument.title%20%3D%20'broken%20in'%3C%2Fscript%3E",
    )
    expect(hostile.locator("[lang=fr-CA]").first).to_contain_text("Politique <img src=x")
    expect(hostile).to_contain_text("example.ca · Read on November 23, 2026")
    expect(hostile).to_contain_text("The passage bears out what the answer says.")
    expect(sources.locator("li").nth(2)).to_contain_text("does not bear out")
    expect(sources.locator("li").nth(2).get_by_role("link")).to_have_count(0)
    expect(sources.locator("li").nth(3)).to_contain_text("Not cited in the answer")
    assert page.title() == "Parts"


def test_a_source_opens_at_its_passage(opened: Opened) -> None:
    page = opened()

    assert page.evaluate("document.querySelector('m-sources').open(2)")

    expect(page.locator("m-sources blockquote").nth(1)).to_be_focused()
    expect(page.locator("m-sources blockquote").nth(1)).to_be_visible()
    expect(page.locator(".source.is-shown")).to_have_attribute("data-number", "2")
    assert page.evaluate("document.querySelector('m-sources').open(9)") is False


def test_the_account_of_an_answer_names_what_answered_and_is_copied(opened: Opened) -> None:
    page = opened("fr")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.get_by_text("À propos de cette réponse").click()
    account = page.locator("m-account")
    for told in (
        "hub:makers/otter-7b",
        "Q4_K_M",
        "23 novembre 2026",
        "confirmées par la source\u00a0: 1",
        "12 345 lus",
        "0,8\u00a0s",
        "urn:uuid:0b5f57",
    ):
        expect(account).to_contain_text(told)
    account.get_by_role("button", name=re.compile("Copier.*SHA-256")).click()

    expect(account.get_by_role("status")).to_have_text("Copié.")
    assert page.evaluate("navigator.clipboard.readText()") == PROVENANCE["model"]["sha256"]


def test_the_maker_of_the_browser_is_told_of_before_anything_is_listened_to(opened: Opened) -> None:
    page = opened()

    page.get_by_role("button", name="Dictate").click()
    expect(page.get_by_role("dialog", name="Before you dictate")).to_contain_text("may receive the sound")
    assert page.evaluate("window.heard.length") == 0
    page.get_by_role("button", name="Not now").click()
    assert page.evaluate("window.heard.length") == 0

    page.get_by_role("button", name="Dictate").click()
    page.get_by_role("dialog").get_by_role("button", name="Dictate").click()
    expect(page.locator("m-dictation > [role=status]")).to_contain_text("Listening")
    assert page.evaluate("window.heard[0].lang") == "en-CA"
    assert page.evaluate("window.heard[0].processLocally") is False


def test_only_what_is_certain_is_written_down(opened: Opened) -> None:
    page = opened()
    page.locator("#prompt").fill("Dear")
    begun(page, "Dictate")

    page.evaluate("window.heard[0].say('all of', false)")
    expect(page.locator(".dictation-interim")).to_contain_text("all of")
    expect(page.locator("#prompt")).to_have_value("Dear")
    page.evaluate("window.heard[0].say('all of you', true)")
    expect(page.locator("#prompt")).to_have_value("Dear all of you")

    page.get_by_role("button", name="Dictate").press("Enter")
    expect(page.locator("m-dictation > [role=status]")).to_have_text("Dictation stopped.")
    expect(page.get_by_role("button", name="Dictate")).to_have_attribute("aria-pressed", "false")


def test_escape_stops_and_forgets_what_was_not_certain(opened: Opened) -> None:
    page = begun(opened(), "Dictate")
    page.evaluate("window.heard[0].say('never mind', false)")

    page.keyboard.press("Escape")

    expect(page.locator("m-dictation > [role=status]")).to_have_text("Dictation stopped.")
    expect(page.locator("#prompt")).to_have_value("")
    assert page.evaluate("window.heard[0].aborted")


def test_held_down_it_listens_until_it_is_let_go(opened: Opened) -> None:
    page = opened()
    page.evaluate("localStorage.setItem('menagerie.dictation.agreed', 'yes')")
    button = page.get_by_role("button", name="Dictate")
    box = button.bounding_box()
    assert box

    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 450))")
    page.mouse.up()

    expect(button).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("window.heard[0].stopped")


def test_the_language_is_that_of_the_page_until_another_is_chosen(opened: Opened) -> None:
    page = begun(opened("fr"), "Dicter")
    expect(page.locator(".dictation-panel")).to_be_visible()
    assert page.evaluate("[window.heard[0].lang, window.heard[0].processLocally]") == ["fr-CA", True]

    page.get_by_role("radio", name="Anglais").check()

    page.wait_for_function("() => window.heard.length === 2")
    assert page.evaluate("window.heard[1].lang") == "en-CA"
    expect(page.get_by_role("button", name="Dicter")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize(
    ("error", "told"),
    [("not-allowed", "use the microphone"), ("network", "cannot be reached"), ("odd", "not work")],
)
def test_what_goes_wrong_is_told(opened: Opened, error: str, told: str) -> None:
    page = begun(opened(), "Dictate")

    page.evaluate("(error) => window.heard[0].fail(error)", error)

    expect(page.locator("m-dictation > [role=status]")).to_contain_text(told)


def test_without_a_recognizer_or_where_it_is_off_there_is_no_button(opened: Opened) -> None:
    page = opened(script=WITHOUT)
    expect(page.get_by_role("button", name="Dictate")).to_have_count(0)

    page = opened()
    page.evaluate("document.querySelector('m-dictation').mode = 'off'")
    expect(page.get_by_role("button", name="Dictate")).to_have_count(0)


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("scheme", ["light", "dark", "forced colours", "narrow"])
def test_axe_finds_nothing_wrong_with_anything_that_is_open(
    opened: Opened, axe: str, scheme: str, language: str
) -> None:
    options: dict[str, dict[str, Any]] = {
        "light": {"color_scheme": "light"},
        "dark": {"color_scheme": "dark"},
        "forced colours": {"forced_colors": "active"},
        "narrow": {"viewport": {"width": 320, "height": 640}},
    }
    page = opened(language, **options[scheme])
    decided = scheme in {"light", "dark"}
    found: dict[str, list[str]] = {}

    def look(state: str) -> None:
        with nothing_behind(page):
            if wrong := violations(page, axe, contrast_decided=decided):
                found[state] = wrong
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state

    page.locator("m-account summary").click()
    page.evaluate("document.querySelector('m-sources').open(2)")
    look("answered")
    name = {"en": "Dictate", "fr": "Dicter"}[language]
    page.get_by_role("button", name=name).press("Enter")
    page.get_by_role("dialog").wait_for()
    look("consent")
    page.get_by_role("dialog").get_by_role("button", name=name).press("Enter")
    page.locator(".dictation-panel").wait_for()
    page.evaluate("window.heard[0].say('so far', false)")
    look("listening")
    assert found == {}
