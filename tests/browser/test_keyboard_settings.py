"""Changing settings with the keyboard alone: they hold at once, and after a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from menagerie.locales import LANGUAGES, Language
from tests.browser.conftest import OpenPage
from tests.browser.keys import focused, press, tab_to
from tests.browser.theatre import Theatre
from tests.browser.visit import Visit


@pytest.mark.parametrize("language", LANGUAGES)
def test_choose_and_close(open_house: OpenPage, house: Theatre, language: Language) -> None:
    page = open_house(f"/{language}/chat/beaver", locale=f"{language}-CA")
    visit = Visit(page, house, language)
    opener = visit.button("page.nav.settings")
    press(opener)
    dialogue = page.get_by_role("dialog", name=visit.words("page.settings.title"), exact=True)
    focused(dialogue.get_by_role("heading", name=visit.words("page.settings.title"), exact=True))
    for group, option in (("scheme", "dark"), ("announcements", "none")):
        chosen = dialogue.get_by_role(
            "group", name=visit.words(f"page.settings.{group}"), exact=True
        ).get_by_role("radio", name=visit.words(f"page.settings.{group}.{option}"))
        tab_to(
            dialogue.get_by_role("group", name=visit.words(f"page.settings.{group}"), exact=True).locator(
                ":checked"
            )
        )
        for _ in range(3):
            if not chosen.is_checked():
                page.keyboard.press("ArrowDown")
        expect(chosen).to_be_checked()
    page.keyboard.press("Escape")
    expect(dialogue).to_be_hidden()
    focused(opener)

    for _ in ("at once", "after a reload"):
        assert page.evaluate("() => getComputedStyle(document.documentElement).colorScheme") == "dark"
        page.reload()
    visit.answered(visit.in_words("Hello", "Bonjour, en français"))
    expect(page.locator("#status")).to_be_empty()
