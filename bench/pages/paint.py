"""How soon something is to be seen, and how soon one can type and send."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

from playwright.sync_api import Browser, expect

from bench.figure import Figure
from bench.pages.browser import CHAT, at_most, percentile, spread, stage

_PROBE = """() => {
  const word = 'probe';
  window.sendsAt = 0;
  const poll = () => {
    const field = document.querySelector('textarea[name=prompt]');
    if (field) {
      if (field.value !== word) field.value = word;
      const enter = new KeyboardEvent('keydown', { key: 'Enter', code: 'Enter', bubbles: true, cancelable: true });
      if (!field.dispatchEvent(enter)) { window.sendsAt = performance.now(); return; }
    }
    setTimeout(poll, 4);
  };
  poll();
}"""
"""Ready to type is the first moment since the navigation began at which a word stands in the composer's field and
pressing Enter there is taken by the page (the key's event is cancelled, which is what sending does). It is tried every
4 ms. That the word was really sent is checked afterwards: it must be in the conversation."""


async def paint(model: Path, repeats: int) -> list[Figure]:
    """First contentful paint and ready to type of the chat page, each time in a new profile (nothing cached), on the
    real default model."""
    return await asyncio.to_thread(_paint, model, max(4, 4 * repeats))


def _paint(model: Path, loads: int) -> list[Figure]:
    with stage(model, MENAGERIE_ANSWER_TOKENS="4") as (browser, house):
        cold = [_load(browser, house.origin) for _ in range(loads)]
    paints, sends = [one[0] for one in cold], [one[1] for one in cold]
    return [
        at_most(
            "first contentful paint, median", statistics.median(paints), 400, "ms",
            f"{loads} loads without a cache: {spread(paints)}",
        ),
        at_most(
            "ready to type, median", statistics.median(sends), 700, "ms",
            f"{loads} loads without a cache: {spread(sends)}",
        ),
        at_most("first contentful paint, 95th percentile", percentile(paints, 0.95), 400, "ms", "the same loads"),
        at_most("ready to type, 95th percentile", percentile(sends, 0.95), 700, "ms", "the same loads"),
    ]  # fmt: skip


def _load(browser: Browser, origin: str) -> tuple[float, float]:
    context = browser.new_context(base_url=origin)
    page = context.new_page()
    page.add_init_script(f"({_PROBE})()")
    page.goto(CHAT)
    page.wait_for_function("() => window.sendsAt > 0")
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
    expect(page.get_by_role("log")).to_contain_text("probe")
    first: float = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    sends: float = page.evaluate("window.sendsAt")
    context.close()
    return first, sends
