"""Chromium before a whole service of its own, and what the measurements of the pages share."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.theatre import Theatre, theatre

from bench.figure import Figure

CHAT = "/en/chat/beaver"


@contextmanager
def stage(model: Path | None = None, **settings: str) -> Iterator[tuple[Browser, Theatre]]:
    """A browser, and the service on `model` or on the scripted engine; warm: it has shown its pages and answered."""
    with (
        tempfile.TemporaryDirectory(prefix="menagerie-bench-") as folder,
        theatre(Path(folder), model, **settings) as house,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(base_url=house.origin)
        for path in ("/en/chat", CHAT):
            page.goto(path, wait_until="networkidle")
        page.request.get("/gpt/beaver?prompt=Hello", timeout=120_000)
        page.context.close()
        yield browser, house
        browser.close()


def at_most(name: str, value: float, goal: float, unit: str, detail: str) -> Figure:
    """A figure that must not be larger than `goal`."""
    return Figure(f"{name}, {unit}", value, f"≤ {goal:g}", value <= goal, detail)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median, 95th percentile and the worst, for the detail of a figure."""
    middle, late, worst = statistics.median(values), percentile(values, 0.95), max(values)
    return f"median {middle:.{digits}f}, 95th percentile {late:.{digits}f}, worst {worst:.{digits}f}"
