"""How a conversation of a hundred turns, with tables and code, loads and scrolls."""

from __future__ import annotations

import asyncio
import json
import statistics
from typing import Any, Final

from playwright.sync_api import Browser, Page, expect
from tests.browser.theatre import Theatre

from bench.figure import Figure
from bench.pages.browser import CHAT, at_most, spread, stage
from menagerie.web.routes.gpt import SESSION_HEADER

_TURNS: Final = 100
_CATEGORIES: Final = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
_SHOWN: Final = """() => {
  const answers = document.querySelectorAll('.message-answer .message-text table');
  if (!answers.length || document.querySelector('.message-answer .plain')) return false;
  window.shownAt ??= performance.now();
  return window.shownAt;
}"""


async def lengthy(loads: int) -> list[Figure]:
    """Load a conversation of 100 turns, each answered with a table and code, in a new profile each time.

    Interactive is when its newest answers stand there as Markdown, polled every frame from the beginning of the
    navigation. Tasks are the trace's `RunTask` events on the renderer's main thread, until two seconds later and while
    it is scrolled from its end to its beginning, with all earlier messages shown.
    """
    return await asyncio.to_thread(_lengthy, loads)


def _lengthy(loads: int) -> list[Figure]:
    with stage() as (browser, house):
        conversation = _converse(browser, house)
        seen = [_load(browser, house, conversation) for _ in range(loads)]
    shown = [one["shown"] for one in seen]
    longest = [one["longest"] for one in seen]
    cpu = [one["cpu"] for one in seen]
    scrolling = [one["scrolling"] for one in seen]
    heap = statistics.median(one["heap"] for one in seen)
    return [
        at_most(
            "100 turns: until the newest stand there, median", statistics.median(shown), 1000, "ms", spread(shown)
        ),
        at_most(
            "100 turns: longest task on load, median", statistics.median(longest), 50, "ms",
            f"{spread(longest)}; the most CPU time of a task: {spread(cpu)}",
        ),
        at_most(
            "100 turns: longest task while all of it is scrolled, median", statistics.median(scrolling), 50, "ms",
            f"{spread(scrolling)}; CPU time {spread([one['scrolling_cpu'] for one in seen])}",
        ),
        at_most(
            "100 turns: memory of scripts with all of it shown", heap, 60, "MB",
            f"{statistics.median(one['nodes'] for one in seen):.0f} nodes",
        ),
    ]  # fmt: skip


def _converse(browser: Browser, house: Theatre) -> str:
    """Have the conversation, without a page; its id."""
    context = browser.new_context(base_url=house.origin)
    session = ""
    for number in range(_TURNS):
        asked: dict[str, str | float | bool] = {"prompt": f"a table and code, {number}", "session": session}
        answer = context.request.get("/gpt/beaver", params=asked, timeout=60_000)
        session = answer.headers[SESSION_HEADER.lower()]
    context.close()
    return session


def _load(browser: Browser, house: Theatre, conversation: str) -> dict[str, float]:
    context = browser.new_context(base_url=house.origin)
    page = context.new_page()
    page.goto("/en/about")
    browser.start_tracing(page=page, categories=_CATEGORIES)
    page.goto(f"{CHAT}#c={conversation}")
    shown = float(page.wait_for_function(_SHOWN).json_value())
    page.wait_for_timeout(2000)
    load = _tasks(browser.stop_tracing())
    _show_all(page)
    browser.start_tracing(page=page, categories=_CATEGORIES)
    page.mouse.move(600, 300)
    while page.evaluate("scrollY") > 0:
        page.mouse.wheel(0, -2400)
        page.wait_for_timeout(50)
    scrolled = _tasks(browser.stop_tracing())
    devtools = context.new_cdp_session(page)
    devtools.send("HeapProfiler.collectGarbage")
    devtools.send("Performance.enable")
    told = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
    context.close()
    return {
        "shown": shown,
        "longest": load[0],
        "cpu": load[1],
        "scrolling": scrolled[0],
        "scrolling_cpu": scrolled[1],
        "heap": told["JSHeapUsedSize"] / 1e6,
        "nodes": told["Nodes"],
    }


def _show_all(page: Page) -> None:
    earlier = page.get_by_role("button", name="Show earlier messages")
    while earlier.is_visible():
        earlier.click()
        page.wait_for_timeout(300)
    expect(page.locator(".message-you")).to_have_count(_TURNS)


def _tasks(trace: bytes) -> tuple[float, float]:
    """The longest task of the main thread, in milliseconds, and the most CPU time of one."""
    events: list[dict[str, Any]] = json.loads(trace)["traceEvents"]
    tasks = [one for one in events if one["name"] == "RunTask" and one["ph"] == "X"]
    busy: dict[tuple[int, int], float] = {}
    for one in events:
        if one["name"] == "Layout":
            key = (one["pid"], one["tid"])
            busy[key] = busy.get(key, 0.0) + float(one.get("dur", 0))
    thread = max(busy, key=lambda key: busy[key])
    mine = [one for one in tasks if (one["pid"], one["tid"]) == thread]
    return (
        max(float(one.get("dur", 0)) for one in mine) / 1000,
        max(float(one.get("tdur", 0)) for one in mine) / 1000,
    )
