"""What a streaming answer costs the page's main thread."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any, Final

from playwright.sync_api import Browser, expect
from tests.browser.answers import SLOW_TOKENS
from tests.browser.conftest import ask
from tests.browser.theatre import Theatre

from bench.figure import Figure
from bench.pages.browser import CHAT, at_most, percentile, stage

_PACE_S: Final = 0.02
_CATEGORIES: Final = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
_RUN: Final = "RunTask"
_WORK: Final = {
    "scripts": {"FunctionCall", "EvaluateScript"},
    "style": {"UpdateLayoutTree"},
    "layout": {"Layout"},
    "painting": {"PrePaint", "Paint", "Layerize", "Commit"},
}
"""What tasks are made of, by the names in the trace."""


async def stream() -> list[Figure]:
    """The main thread during an answer of 2,000 tokens at 50 a second, from Chrome's trace.

    Its tasks are the trace's `RunTask` events on the renderer's main thread. The time of a token is what the tasks took
    from the frame that brought it to the next frame (`WebSocketReceive`), divided by the tokens that came with it. What
    is judged is the thread's CPU time: by the clock, what else the machine does counts too, which stands in the detail.
    Nobody looks at the page meanwhile: the test waits for the engine.
    """
    return await asyncio.to_thread(_stream)


def _stream() -> list[Figure]:
    with stage() as (browser, house):
        house.engine.slow_pace_s = _PACE_S
        events = _trace(browser, house)
    return _figures(events)


def _trace(browser: Browser, house: Theatre) -> list[dict[str, Any]]:
    page = browser.new_page(base_url=house.origin)
    page.goto(CHAT, wait_until="networkidle")
    ask(page, "a table, code and maths")
    house.engine.wait_finished(2)
    expect(page.get_by_role("log")).to_contain_text("the force on all of it")
    page.wait_for_load_state("networkidle")
    browser.start_tracing(page=page, categories=_CATEGORIES)
    ask(page, "slow")
    house.engine.wait_finished(3, within_s=SLOW_TOKENS * _PACE_S + 30)
    page.wait_for_timeout(500)
    trace = json.loads(browser.stop_tracing())
    events: list[dict[str, Any]] = trace["traceEvents"]
    page.context.close()
    return events


def _figures(events: list[dict[str, Any]]) -> list[Figure]:
    frames = sorted(
        (one for one in events if one["name"] == "WebSocketReceive"), key=lambda one: float(one["ts"])
    )
    if len(frames) < 10:
        raise RuntimeError(f"only {len(frames)} frames in the trace")
    thread = (frames[0]["pid"], frames[0]["tid"])
    tasks = sorted(
        (float(one["ts"]), float(one.get("dur", 0)), float(one.get("tdur", 0)))
        for one in events
        if one["name"] == _RUN and one["ph"] == "X" and (one["pid"], one["tid"]) == thread
    )
    begin, end = float(frames[0]["ts"]), float(frames[-1]["ts"])
    during = [task for task in tasks if begin <= task[0] + task[1] and task[0] <= end + 500_000]
    starts = [float(one["ts"]) for one in frames] + [end + 500_000]
    tokens = SLOW_TOKENS / len(frames)
    times = [_busy_ms(during, since, until) / tokens for since, until in pairwise(starts)]
    cpus = [_cpu_ms(during, since, until) / tokens for since, until in pairwise(starts)]
    longest = max(during, key=lambda task: task[1])
    busiest = max(task[2] for task in during) / 1000
    cpu = sum(task[2] for task in during) / 1000
    shares = {what: _sum_ms(events, thread, names) / SLOW_TOKENS for what, names in _WORK.items()}
    wall = sum(task[1] for task in during) / 1000
    seconds = (end - begin) / 1e6
    return [
        at_most(
            "main thread a streamed token, CPU time, 95th percentile", percentile(cpus, 0.95), 4, "ms",
            f"{len(frames)} frames, {tokens:.1f} tokens each, in {seconds:.0f} s; mean {cpu / SLOW_TOKENS:.2f} ms; "
            f"wall time: mean {wall / SLOW_TOKENS:.2f} ms, 95th percentile {percentile(times, 0.95):.2f} ms; "
            + ", ".join(f"{what} {value:.2f} ms" for what, value in shares.items()),
        ),
        at_most(
            "longest task during an answer of 2,000 tokens, CPU time", busiest, 50, "ms",
            f"{len(during)} tasks; the longest by the clock {longest[1] / 1000:.1f} ms, "
            f"its CPU time {longest[2] / 1000:.1f} ms; "
            f"{sum(task[1] > 50_000 for task in during)} longer than 50 ms",
        ),
    ]  # fmt: skip


def _busy_ms(tasks: list[tuple[float, float, float]], since: float, until: float) -> float:
    """How long the tasks ran between two moments."""
    return sum(
        max(0.0, min(start + length, until) - max(start, since))
        for start, length, _ in tasks
        if start < until and start + length > since
    ) / 1000  # fmt: skip


def _cpu_ms(tasks: list[tuple[float, float, float]], since: float, until: float) -> float:
    """The CPU time of the tasks that began between two moments."""
    return sum(cpu for start, _, cpu in tasks if since <= start < until) / 1000


def _sum_ms(events: list[dict[str, Any]], thread: tuple[int, int], names: set[str]) -> float:
    return sum(
        float(one.get("dur", 0)) for one in events if one["name"] in names and (one["pid"], one["tid"]) == thread
    ) / 1000  # fmt: skip
