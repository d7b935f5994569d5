"""Chromium at the pages. Every page that a test opens is watched: its console, its policy, where it asks."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, sync_playwright

from tests.browser.stage import Stage, stage
from tests.browser.theatre import Theatre
from tests.browser.theatre import theatre as real_theatre

CHROMIUM: Final = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE_MS: Final = 10_000

OpenPage = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder is marked `browser`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """The driver. It runs an event loop in this thread, so it must be gone before tests of other folders run."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """One browser for all tests."""
    assert shutil.which(CHROMIUM), f"{CHROMIUM} is missing: script/test installs it, or set CHROMIUM"
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
    yield browser
    browser.close()


@pytest.fixture
def theatre(tmp_path: Path) -> Iterator[Stage]:
    """The application, with turns that follow what the prompt says."""
    with stage(tmp_path) as built:
        yield built


@pytest.fixture
def open_page(chromium: Browser, theatre: Stage) -> Iterator[OpenPage]:
    """`watched_pages` of the stage."""
    with watched_pages(chromium, theatre.origin) as opened:
        yield opened


@pytest.fixture(scope="package")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """The whole application, once for all tests."""
    with real_theatre(tmp_path_factory.mktemp("theatre")) as built:
        yield built


@pytest.fixture
def house(company: Theatre) -> Iterator[Theatre]:
    """The whole application, running, its engine as if nothing had been asked. Tests may leave it killed."""
    company.start()
    company.engine.forget()
    yield company
    company.engine.let_go()


@pytest.fixture
def open_house(chromium: Browser, house: Theatre) -> Iterator[OpenPage]:
    """`watched_pages` of the whole application, for somebody whose name it does not know."""
    with watched_pages(chromium, house.origin) as opened:
        yield opened


@pytest.fixture
def open_house_signed_in(
    chromium: Browser, house: Theatre, request: pytest.FixtureRequest
) -> Iterator[OpenPage]:
    """`watched_pages` of the whole application, for a person whom no other test knows."""
    person = f"{zlib.crc32(request.node.nodeid.encode()):x}@example.gc.ca"
    with watched_pages(chromium, house.door(person).origin) as opened:
        yield opened


@contextmanager
def watched_pages(chromium: Browser, origin: str) -> Iterator[OpenPage]:
    """Opens a path of `origin` in a fresh context (`locale`, `color_scheme` … as Playwright names them).

    In the end, none of its pages may have logged an error (unless `may_fail`), broken the policy or asked elsewhere.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def opened(path: str, *, may_fail: bool = False, **options: Any) -> Page:
        context = chromium.new_context(**{"locale": "en-CA", "base_url": origin, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.on(
            "console",
            lambda said: faults.append(said.text) if _is_fault(said, may_fail=may_fail) else None,
        )
        context.on("weberror", lambda error: faults.append(str(error.error)))
        context.on(
            "request", lambda asked: None if asked.url.startswith(origin) else faults.append(asked.url)
        )
        page = context.new_page()
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def _is_fault(said: ConsoleMessage, *, may_fail: bool) -> bool:
    """Where addresses may fail, only what breaks the policy is at fault."""
    return said.type in {"error", "warning"} and (not may_fail or "Content Security Policy" in said.text)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, as a package for tests ships it."""
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def violations(page: Page, axe: str, *, contrast_decided: bool) -> list[str]:
    """What axe finds wrong on `page`, or cannot decide, rule by rule with the elements.

    Without `contrast_decided`, a contrast that it cannot decide is let pass: with the system's colours, and of
    what is scrolled out of view.
    """
    page.evaluate(axe)
    # No rule that runs needs what axe would fetch beforehand.
    found = page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete'], preload: false})")
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        + [rule for rule in found["incomplete"] if contrast_decided or rule["id"] != "color-contrast"]
        for node in rule["nodes"]
    ]


def ask(page: Page, prompt: str) -> None:
    """Write `prompt` and send it with the keyboard."""
    page.get_by_label("Your message", exact=True).or_(page.get_by_label("Votre message", exact=True)).fill(
        prompt
    )
    page.keyboard.press("Enter")
