"""Whether a reload in the middle of an answer loses or repeats anything."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, expect
from tests.browser.theatre import Theatre
from tests.browser.visit import Visit

from bench.figure import Figure
from bench.pages.browser import CHAT, stage

_IN_ONE_CONVERSATION: Final = 10
_LONGEST_MS: Final = 2500
_PATIENT_MS: Final = 120_000
_ASKED: Final = "Tell me, for the {number}. time, how a dam works, with a table and a list. Count everything."


async def reloads(model: Path | None, repeats: int) -> list[Figure]:
    """Reload the page once at a random moment of each of 20 answers for each repeat (100 with five), ten answers to a
    conversation; on the scripted engine, or on `model`. A transcript is complete where what the page gives to the
    clipboard is, letter for letter, what the store holds, for every answer of the conversation at its end, and every
    prompt was answered once."""
    return await asyncio.to_thread(_reloads, model, 20 * repeats)


def _reloads(model: Path | None, count: int) -> list[Figure]:
    chance = random.Random(6)
    good = 0
    moments: list[bool] = []
    settings = {"MENAGERIE_ANSWER_TOKENS": "160"} if model else {}
    with stage(model, **settings) as (browser, house):
        house.engine.pace_s = 0.003
        for begin in range(0, count, _IN_ONE_CONVERSATION):
            size = min(_IN_ONE_CONVERSATION, count - begin)
            good += _conversation(browser, house, begin, size, chance, moments)
    detail = f"{sum(moments)} of them while the answer came; on {'the default model' if model else 'a scripted engine'}"
    return [
        Figure("complete transcripts after a reload in the middle", good, f"= {count}", good == count, detail)
    ]


def _conversation(
    browser: Browser, house: Theatre, begin: int, size: int, chance: random.Random, moments: list[bool]
) -> int:
    context = browser.new_context(base_url=house.origin, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(CHAT)
    visit = Visit(page, house, "en")
    prompts = [_ASKED.format(number=begin + index + 1) for index in range(size)]
    for index, prompt in enumerate(prompts, 1):
        visit.ask(prompt)
        page.wait_for_timeout(chance.uniform(0, _LONGEST_MS))
        moments.append(house.outcomes().get(prompt) == "accepted")
        page.reload()
        expect(visit.accounts).to_have_count(index, timeout=_PATIENT_MS)
    stored = house.answers()
    asked = [
        prompt for (prompt,) in house.stored("SELECT prompt FROM turns ORDER BY key") if prompt in prompts
    ]
    copies = [_copied(page, visit, index) for index in range(size)]
    context.close()
    if asked != prompts:
        return 0
    return sum(copy == stored[prompt] for copy, prompt in zip(copies, prompts, strict=True))


def _copied(page: Page, visit: Visit, answer: int) -> str:
    """What the button below an answer gives to the clipboard."""
    page.evaluate("() => navigator.clipboard.writeText('')")
    visit.log.get_by_role("button", name=visit.words("page.live.copy"), exact=True).nth(answer).click()
    page.wait_for_function("async () => await navigator.clipboard.readText() !== ''")
    copied: str = page.evaluate("() => navigator.clipboard.readText()")
    return copied
