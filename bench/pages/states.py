"""What axe finds over all states of all pages."""

from __future__ import annotations

import asyncio
from importlib import resources

from tests.browser.looks import LOOKS, found_by_axe
from tests.browser.states import in_every_state

from bench.figure import Figure
from bench.pages.browser import at_most, stage
from menagerie.locales import LANGUAGES


async def states() -> list[Figure]:
    """Violations, and what neither axe nor a look at the painted picture decides, over every state, look and
    language."""
    return await asyncio.to_thread(_states)


def _states() -> list[Figure]:
    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    wrong: list[str] = []
    looked = 0
    with stage() as (browser, house):
        for language in LANGUAGES:
            page = browser.new_page(base_url=house.origin, locale=f"{language}-CA", device_scale_factor=3)
            page.goto(f"/{language}/about")
            devtools = page.context.new_cdp_session(page)
            for state, _ in in_every_state(page, house, language):
                page.evaluate(axe)
                for name, look in LOOKS.items():
                    look(page, devtools)
                    looked += 1
                    wrong += [f"{state}, {name}, {language}: {one}" for one in found_by_axe(page)]
                LOOKS["light"](page, devtools)
            page.context.close()
    detail = f"{looked} looks; {'; '.join(wrong)[:500] or 'none'}"
    return [at_most("axe: violations and what stays undecided", len(wrong), 0, "elements", detail)]
