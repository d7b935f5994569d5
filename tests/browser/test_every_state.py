"""axe in every state of every page, as people set their screens, in both languages."""

from __future__ import annotations

import pytest

from menagerie.locales import LANGUAGES, Language
from tests.browser.conftest import OpenPage
from tests.browser.looks import LOOKS, found_by_axe
from tests.browser.states import in_every_state
from tests.browser.theatre import Theatre


@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_nothing_wrong_and_nothing_scrolls_sideways(
    open_house: OpenPage, house: Theatre, axe: str, language: Language
) -> None:
    page = open_house(f"/{language}/about", locale=f"{language}-CA", may_fail=True, device_scale_factor=3)
    devtools = page.context.new_cdp_session(page)
    wrong: dict[str, list[str]] = {}
    for state, _ in in_every_state(page, house, language):
        page.evaluate(axe)
        for name, look in LOOKS.items():
            look(page, devtools)
            if found := found_by_axe(page):
                wrong[f"{state}, {name}"] = found
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wrong.setdefault(f"{state}, {name}", []).append("scrolls sideways")
        LOOKS["light"](page, devtools)

    assert not wrong, "\n".join(f"{state}: {one}" for state, found in wrong.items() for one in found)
