"""What stands around every page, and the pages about the service: at every size, in every scheme."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.archive import Archive
from tests.browser.conftest import OpenPage, violations, watched_pages
from tests.browser.stage import stage
from tests.web.brands import brand

PATHS: Final = ("chat", "about", "privacy", "accessibility", "settings", "platform/stats", "docs")
SCHEMES: Final[dict[str, dict[str, Any]]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced colours": {"forced_colors": "active"},
    "narrow": {"viewport": {"width": 320, "height": 640}},
}


@pytest.fixture(params=["canada", "own"])
def branded(request: pytest.FixtureRequest, chromium: Browser, tmp_path: Path) -> Iterator[OpenPage]:
    """Opens pages of a service with another branding than ours."""
    named = "canada" if request.param == "canada" else str(brand(tmp_path / "brand"))
    with stage(tmp_path, branding=named) as built, watched_pages(chromium, built.origin) as opened:
        yield opened


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("scheme", ["light", "dark", "narrow"])
def test_axe_finds_nothing_wrong_with_either_branding(
    branded: OpenPage, axe: str, scheme: str, language: str
) -> None:
    page = branded(f"/{language}/chat", reduced_motion="reduce", **SCHEMES[scheme])
    for path in ("chat", "privacy"):
        page.goto(f"/{language}/{path}")
        assert violations(page, axe, contrast_decided=scheme != "narrow") == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_wrong_with_the_pages_about_the_service(
    open_page: OpenPage, axe: str, scheme: str, language: str
) -> None:
    page = open_page(f"/{language}/about", reduced_motion="reduce", **SCHEMES[scheme])
    for path in ("privacy", "accessibility", "settings", "settings?saved=1"):
        page.goto(f"/{language}/{path}")
        assert violations(page, axe, contrast_decided=scheme in {"light", "dark"}) == [], path


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(("width", "percent"), [(320, 100), (320, 200), (640, 200), (700, 100), (940, 100)])
def test_at_no_size_anything_is_cut_off(open_page: OpenPage, width: int, percent: int, language: str) -> None:
    page = open_page(f"/{language}/about", viewport={"width": width, "height": 640})
    for path in PATHS:
        page.goto(f"/{language}/{path}")
        _enlarge(page, percent)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        outside = page.evaluate(
            """() => [...document.querySelectorAll(".top :is(a, button), .bottom a")]
              .filter((each) => each.checkVisibility())
              .map((each) => [each.textContent.trim(), each.getBoundingClientRect()])
              .filter(([, box]) => box.left < 0 || box.right > innerWidth || box.height < 24).map(([name]) => name)"""
        )
        assert outside == [], path


def _enlarge(page: Page, percent: int) -> None:
    if percent != 100:
        address = f"{page.url.split('/', 3)[0]}//{page.url.split('/', 3)[2]}/larger.css"
        body = f"html {{ font-size: {percent}% }}"
        page.route(address, lambda route: route.fulfill(content_type="text/css", body=body))
        page.add_style_tag(url=address)


def test_the_header_is_low(open_page: OpenPage) -> None:
    for width in (320, 1280):
        page = open_page("/en/chat/beaver", viewport={"width": width, "height": 640})
        assert page.locator(".top").evaluate("(top) => top.offsetHeight") <= 56


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_header_is_one_row_where_there_is_room_for_it(open_page: OpenPage, language: str) -> None:
    page = open_page(f"/{language}/about", viewport={"width": 1280, "height": 800})
    for path in (*PATHS, "chat/beaver", "conversations"):
        page.goto(f"/{language}/{path}")
        expect(page.locator(".menu-button"), path).to_be_hidden()
        rows = page.evaluate(
            """() => [...document.querySelectorAll(".top :is(a, button)")].filter((each) => each.checkVisibility())
              .map((each) => each.getBoundingClientRect()).map((box) => [box.top + box.height / 2, box.height])"""
        )
        assert len(rows) == 6, path
        assert max(middle for middle, _ in rows) - min(middle for middle, _ in rows) <= 2, path
        assert max(height for _, height in rows) <= 48, path


def test_the_header_says_who_is_signed_in_and_stays_low(chromium: Browser, tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    person = "very-long-name." * 12 + "@example.org"
    try:
        with watched_pages(chromium, archive.origin) as opened:
            for width in (320, 720, 800, 960, 1100, 1280):
                page = opened(
                    "/fr/about",
                    viewport={"width": width, "height": 640},
                    extra_http_headers={"X-Forwarded-User": person},
                )
                assert page.locator(".top").evaluate("(top) => top.offsetHeight") <= 56, width
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
                if width == 320:
                    page.get_by_role("button", name="Menu").click()
                expect(page.get_by_text(person).filter(visible=True)).to_have_count(1)
    finally:
        archive.close()


def test_on_a_narrow_page_a_menu_holds_the_places_for_the_keyboard_too(open_page: OpenPage) -> None:
    page = open_page("/en/about", viewport={"width": 320, "height": 640})
    expect(page.get_by_role("link", name="Personas")).to_be_hidden()

    menu = page.get_by_role("button", name="Menu")
    menu.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Personas")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Personas")).to_be_hidden()
    expect(menu).to_be_focused()
    menu.press("Enter")
    page.get_by_role("link", name="Personas").click()

    page.wait_for_url("**/en/chat")


def test_without_scripts_the_menu_opens_as_well(open_page: OpenPage) -> None:
    page = open_page("/fr/about", viewport={"width": 320, "height": 640}, java_script_enabled=False)
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("link", name="Personnages")).to_be_visible()


def test_the_fonts_are_our_own(open_page: OpenPage) -> None:
    page = open_page("/en/about")
    page.evaluate("document.fonts.ready")
    used = page.evaluate(
        "[...document.fonts].filter((font) => font.status === 'loaded').map((font) => font.family)"
    )
    assert {"Noto Sans", "Lato"} <= {name.strip('"') for name in used}


def test_the_signature_takes_no_room_that_was_not_kept_for_it(chromium: Browser, tmp_path: Path) -> None:
    with stage(tmp_path, branding="canada") as built, watched_pages(chromium, built.origin) as opened:
        before = opened("/en/about", java_script_enabled=False).locator(".top").bounding_box()
        page = opened("/en/about")
        expect(page.locator("gcds-signature svg").first).to_be_visible()
        assert page.locator(".top").bounding_box() == before


def test_an_error_page_suggests_where_to_go(open_page: OpenPage) -> None:
    page = open_page("/fr/chat/personne", may_fail=True)
    expect(page.get_by_role("listitem").get_by_role("link", name="Castor")).to_be_visible()
    assert len(page.locator(".error-facts code").inner_text()) == 16


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_pages_can_be_installed(open_page: OpenPage, language: str) -> None:
    page = open_page(f"/{language}/chat")
    session = page.context.new_cdp_session(page)
    told = session.send("Page.getAppManifest")
    assert told["url"].endswith(f"/{language}/manifest.webmanifest")
    assert told["errors"] == []


def test_what_goes_along_is_asked_for_under_the_highest_classification_allowed(
    chromium: Browser, tmp_path: Path
) -> None:
    branding = str(brand(tmp_path / "brand"))
    with stage(tmp_path, branding=branding) as built, watched_pages(chromium, built.origin) as opened:
        page = opened("/fr/chat/beaver")
        page.get_by_role("button", name="Ajouter à votre message").click()

        expect(page.get_by_role("dialog", name="Ajouter à votre message")).to_contain_text("Protégé A")
