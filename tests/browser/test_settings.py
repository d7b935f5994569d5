"""The settings of the pages: what is chosen holds at once, on every page, and from the first paint."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, violations

SCHEMES: Final[dict[str, dict[str, Any]]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced colours": {"forced_colors": "active"},
    "narrow": {"viewport": {"width": 320, "height": 640}},
}


def _open(page: Page, name: str = "Settings") -> None:
    page.get_by_role("button", name=name).press("Enter")
    expect(page.get_by_role("dialog", name=name)).to_be_visible()


def _choose(page: Page, name: str) -> None:
    """The label of a radio button of the design system lies above it."""
    page.get_by_role("radio", name=name).check(force=True)


def _look(page: Page) -> dict[str, Any]:
    """What stands on `<html>`, and the ground of the page."""
    found: dict[str, Any] = page.evaluate(
        """() => ({
          ...document.documentElement.dataset,
          ground: getComputedStyle(document.body).backgroundColor,
          size: getComputedStyle(document.documentElement).fontSize,
        })"""
    )
    return found


def test_a_choice_holds_at_once_on_the_next_page_and_before_any_script(open_page: OpenPage) -> None:
    page = open_page("/en/about", color_scheme="light", may_fail=True)
    light = _look(page)["ground"]
    _open(page)

    _choose(page, "Dark")
    _choose(page, "Larger")
    _choose(page, "As little as possible")

    chosen = _look(page)
    assert chosen["ground"] != light
    assert (chosen["scheme"], chosen["text"], chosen["motion"]) == ("dark", "larger", "reduced")
    assert chosen["size"] == "22px"
    page.route("**/*.js", lambda route: route.abort())
    page.goto("/fr/privacy")
    assert _look(page) == chosen
    expect(page.locator("meta[name='color-scheme']")).to_have_attribute("content", "dark")


def test_the_keyboard_opens_chooses_and_closes_and_the_focus_comes_back(open_page: OpenPage) -> None:
    page = open_page("/en/about")
    button = page.get_by_role("button", name="Settings")
    _open(page)
    expect(page.get_by_role("heading", name="Settings")).to_be_focused()

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert _look(page)["scheme"] == "light"
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(button).to_be_focused()
    _open(page)
    expect(page.get_by_role("radio", name="Light")).to_be_checked()
    page.get_by_role("button", name="Close").last.press("Enter")
    expect(button).to_be_focused()


def test_the_focus_stays_inside_while_the_dialogue_is_open(open_page: OpenPage) -> None:
    page = open_page("/en/about")
    _open(page)
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )


def test_a_click_beside_it_closes_it(open_page: OpenPage) -> None:
    page = open_page("/en/about")
    _open(page)
    page.mouse.click(5, 300)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_other_tabs_follow_and_the_defaults_come_back(open_page: OpenPage) -> None:
    page = open_page("/en/about")
    other = page.context.new_page()
    other.goto("/en/privacy")
    _open(page)

    _choose(page, "Dark")
    expect(other.locator("html")).to_have_attribute("data-scheme", "dark")
    page.get_by_role("button", name="Restore the defaults").click()

    expect(other.locator("html")).not_to_have_attribute("data-scheme", "dark")
    expect(page.get_by_role("status")).to_have_text("The defaults are back.")
    expect(page.get_by_role("radio", name="As on this device").first).to_be_checked()


def test_what_the_enter_key_does_and_what_is_announced_are_kept_for_the_conversation(
    open_page: OpenPage,
) -> None:
    page = open_page("/en/about")
    _open(page)

    _choose(page, "starts a new line; Ctrl+Enter")
    _choose(page, "Nothing")

    kept = page.evaluate("JSON.parse(localStorage.getItem('menagerie.preferences.v1'))")
    assert (kept["enterSends"], kept["announcements"]) == (False, "none")


def test_in_french_every_choice_is_in_french(open_page: OpenPage) -> None:
    page = open_page("/fr/about", locale="fr-CA")
    _open(page, "Paramètres")
    expect(page.get_by_role("dialog")).to_match_aria_snapshot(
        """
        - dialog "Paramètres":
          - heading "Paramètres" [level=2]
          - button "Fermer"
          - group "Couleurs":
            - radio "Comme sur cet appareil" [checked]
            - radio "Claires"
            - radio "Sombres"
          - group "Taille du texte":
            - radio "Normale" [checked]
            - radio "Grande"
            - radio "Très grande"
          - group "Animations":
            - radio "Comme sur cet appareil" [checked]
            - radio "Le moins possible"
          - group "Touche Entrée":
            - radio /envoie le message/ [checked]
            - radio /change de ligne/
          - group "Ce que le lecteur d’écran annonce d’une réponse":
            - radio "Rien"
            - radio /Qu’elle arrive/
            - radio /Cela, puis/ [checked]
        """
    )


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_wrong_with_the_dialogue(
    open_page: OpenPage, axe: str, scheme: str, language: str
) -> None:
    page = open_page(f"/{language}/about", reduced_motion="reduce", **SCHEMES[scheme])
    _open(page, "Settings" if language == "en" else "Paramètres")

    assert violations(page, axe, contrast_decided=False) == []
    assert page.evaluate(
        "document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth"
    )


def test_without_scripts_the_settings_are_a_page_with_a_form(open_page: OpenPage) -> None:
    page = open_page("/en/about", java_script_enabled=False, color_scheme="light")
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("radio", name="Dark").check()
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("Your settings are saved.")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-scheme", "dark")
    expect(page.get_by_role("radio", name="Dark")).to_be_checked()


def test_what_the_form_chose_counts_for_the_dialogue_too(open_page: OpenPage) -> None:
    page = open_page("/en/settings")
    page.get_by_role("main").get_by_role("radio", name="Dark").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your settings are saved.")).to_be_visible()
    page.goto("/en/about")

    _open(page)

    expect(page.get_by_role("radio", name="Dark")).to_be_checked()
