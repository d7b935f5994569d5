"""The pages before the real service: a process of its own, its engine and its store, on the tiny model."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import OpenPage, ask, violations, watched_pages
from tests.service import Service, running_service
from tests.tiny_model import write_tiny_model

ENDLESS = {"LLM_CONTEXT_WINDOW": "32768", "MENAGERIE_ANSWER_TOKENS": "30000"}
"""With a model that never ends: an answer of a quarter of a minute, to be stopped or broken off."""

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Service]:
    """One service for all tests that let it live; its answers are of 32 tokens."""
    with running_service(tmp_path_factory.mktemp("service"), tiny_model) as started:
        yield started


@pytest.fixture(scope="module")
def endless_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, which never ends an answer."""
    folder = tmp_path_factory.mktemp("endless")
    return write_tiny_model(folder / "endless.gguf", context_length=32768, end_bias=-100.0)


@pytest.fixture
def open_service_page(chromium: Browser, service: Service) -> Iterator[OpenPage]:
    """`watched_pages` of the service."""
    with watched_pages(chromium, service.url) as opened:
        yield opened


def _answers(page: Page, count: int) -> None:
    """Wait until `count` answers account for themselves."""
    expect(page.locator(".about:visible")).to_have_count(count)


def _newest(page: Page) -> str:
    return page.locator(".message-answer .message-text").last.inner_text()


@pytest.mark.parametrize(
    ("language", "about", "model"),
    [("en", "About this answer", "Model"), ("fr", "À propos de cette réponse", "Modèle")],
)
def test_a_conversation_is_answered_and_goes_on_after_a_reload(
    open_service_page: OpenPage, language: str, about: str, model: str
) -> None:
    page = open_service_page(f"/{language}/chat/beaver", locale=f"{language}-CA")
    assert page.locator("html").get_attribute("lang") == f"{language}-CA"

    ask(page, "What does a beaver build?")
    _answers(page, 1)
    first, number = _newest(page), page.locator("#number").inner_text()
    page.get_by_text(about).click()
    expect(page.locator(".about dl:visible").first).to_contain_text(model)
    expect(page.locator(".about dl:visible").first).to_contain_text("Tiny 0")
    page.reload()
    expect(page.locator(".message-you")).to_contain_text("What does a beaver build?")
    assert _newest(page) == first
    ask(page, "And then?")
    _answers(page, 2)

    assert first.strip()
    assert number.startswith("urn:uuid:")
    expect(page.locator("#number")).to_have_text(number)


def test_the_keyboard_alone_leads_from_the_address_to_an_answer(open_service_page: OpenPage) -> None:
    page = open_service_page("/")

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("beaver")
    expect(page.locator("#cards > li:visible").first).to_contain_text("Beaver")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/en/chat/beaver")
    page.keyboard.type("Hello")
    page.keyboard.press("Enter")
    _answers(page, 1)
    expect(page.locator("#prompt")).to_be_focused()
    page.keyboard.press("Alt+ArrowUp")
    for _ in range(5):
        page.keyboard.press("Tab")
    expect(page.locator(".about summary")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator(".about details[open]")).to_contain_text("Tiny 0")


def test_a_prompt_that_is_too_long_is_an_alert_and_the_conversation_goes_on(
    open_service_page: OpenPage,
) -> None:
    page = open_service_page("/fr/chat/beaver", locale="fr-CA")

    ask(page, "trop " * 1000)
    expect(page.locator("#alert")).to_contain_text("ce modèle en lit")
    ask(page, "Bonjour")

    _answers(page, 1)
    expect(page.locator("#alert")).to_be_empty()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_axe_finds_nothing_wrong_and_nothing_is_cut_off_at_320_pixels(
    open_service_page: OpenPage, axe: str, language: str
) -> None:
    page = open_service_page(f"/{language}/about", reduced_motion="reduce")
    found: dict[str, object] = {}
    for path in ("about", "chat", "docs", "chat/owl", "chat/nobody"):
        address = f"/{language}/{path}"
        if path == "chat/nobody":
            page = open_service_page(address, may_fail=True, reduced_motion="reduce")
        else:
            page.set_viewport_size({"width": 1280, "height": 800})
            page.goto(address)
        if path == "chat/owl":
            ask(page, "Who?")
            _answers(page, 1)
            page.locator(".about:visible summary").click()
        # What the composer covers has no contrast that axe can tell; test_accessibility decides it for every style.
        if wrong := violations(page, axe, contrast_decided=False):
            found[path] = wrong
        page.set_viewport_size({"width": 320, "height": 640})
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            found[f"{path}, 320 pixels"] = "scrolls sideways"

    assert found == {}


def test_an_answer_streams_stops_and_outlives_engine_and_service(
    chromium: Browser, tmp_path: Path, endless_model: Path
) -> None:
    with ExitStack() as stack:
        service = stack.enter_context(running_service(tmp_path, endless_model, **ENDLESS))
        open_page = stack.enter_context(watched_pages(chromium, service.url))
        page = open_page("/en/chat/beaver", may_fail=True)

        ask(page, "Tell me everything.")
        _streams(page)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#log")).to_contain_text("You stopped this answer.")
        number = page.locator("#number").inner_text()

        ask(page, "Go on.")
        _streams(page)
        for pid in service.engine_pids():
            os.kill(pid, signal.SIGKILL)
        expect(page.locator("#alert")).to_contain_text("The model stopped in the middle of the answer.")
        page.get_by_role("button", name="Try again").click()
        _streams(page)

        service.kill_everything()
        expect(page.locator("#progress")).to_have_text("The connection was lost. Trying to reconnect…")
        again = ENDLESS | {"MENAGERIE_PORT": str(service.port)}
        stack.enter_context(running_service(tmp_path, endless_model, **again))
        expect(page.locator("#log")).to_contain_text("This answer was interrupted before its end.")
        expect(page.locator("#progress")).to_be_empty()
        ask(page, "Are you there?")
        _streams(page)
        page.get_by_role("button", name="Stop").click()

        expect(page.locator("#log")).to_contain_text(
            re.compile("You stopped this answer.*You stopped", re.DOTALL)
        )
        expect(page.locator("#number")).to_have_text(number)


def _streams(page: Page) -> None:
    """The newest answer grows while it can still be stopped."""
    newest = page.locator(".message-answer .message-text").last
    expect(newest).not_to_be_empty()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    length = len(newest.inner_text())
    page.wait_for_function(
        "length => [...document.querySelectorAll('.message-answer .message-text')].at(-1).innerText.length > length",
        arg=length,
    )
