"""Chromium at the pages. Every page that a test opens is watched: its console, its policy, where it asks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.browser.stage import Stage, stage

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
    """Opens a path in a fresh context (`locale`, `color_scheme` … as Playwright names them).

    At the end of the test, none of its pages may have logged an error, broken the policy or asked elsewhere.
    """
    contexts = []
    faults: list[str] = []

    def opened(path: str, *, may_fail: bool = False, **options: Any) -> Page:
        context = chromium.new_context(**{"locale": "en-CA", "base_url": theatre.origin, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        if not may_fail:
            page.on(
                "console",
                lambda said: faults.append(said.text) if said.type in {"error", "warning"} else None,
            )
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(theatre.origin) else faults.append(asked.url),
        )
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


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
    found = page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
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
