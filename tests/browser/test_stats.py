"""The page of figures: for everybody, live without getting in the way, and whole without scripts."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as NothingCameError

from menagerie.engines.overview import DeviceView
from tests.browser.conftest import OpenPage, violations
from tests.browser.stage import Stage

SCHEMES: Final[dict[str, dict[str, Any]]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced colours": {"forced_colors": "active"},
    "narrow": {"viewport": {"width": 320, "height": 640}},
}
STATS: Final = "/en/platform/stats"


def _running(theatre: Stage, running: int) -> None:
    theatre.engines.seen = msgspec.structs.replace(theatre.engines.seen, running=running)


def _running_now(page: Page) -> Any:
    return page.locator(".tile-value").first


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_wrong(open_page: OpenPage, axe: str, scheme: str, language: str) -> None:
    """What stands in a picture has no contrast that axe can tell: the next test measures it."""
    page = open_page(f"/{language}/platform/stats", reduced_motion="reduce", **SCHEMES[scheme])
    for name in ("turns", "loads"):
        page.locator(f"#plot-{name}-table summary").click()

    wrong = violations(page, axe, contrast_decided=False)
    assert wrong == []
    if scheme in {"light", "dark"}:
        page.evaluate("document.querySelectorAll('svg, .figure .region').forEach((each) => each.remove())")
        assert violations(page, axe, contrast_decided=True) == []


CONTRAST: Final = """([text, least]) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = light(getComputedStyle(document.querySelector(".figure")).backgroundColor);
  return [...document.querySelectorAll(text)].filter((mark) => {
    const style = getComputedStyle(mark);
    const own = light(mark.matches(".plot-line, .plot-base, .plot-hatch") ? style.stroke : style.fill);
    return (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05) < least;
  }).map((mark) => mark.outerHTML);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_and_marks_of_the_pictures_stand_out(open_page: OpenPage, scheme: Any) -> None:
    page = open_page(f"{STATS}?span=day", color_scheme=scheme)

    assert page.locator(".plot-text").count() > 20
    assert page.evaluate(CONTRAST, [".plot-text", 4.5]) == []
    assert (
        page.evaluate(CONTRAST, [".plot-line, .plot-base, .plot-marker, .plot-hatch, pattern .plot-fill", 3])
        == []
    )


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("size", ["320 pixels wide", "text twice as large"])
def test_the_page_never_scrolls_sideways(open_page: OpenPage, size: str, language: str) -> None:
    width = 320 if "320" in size else 640
    page = open_page(f"/{language}/platform/stats", viewport={"width": width, "height": 640})
    if "twice" in size:
        address = f"{page.url.split('/', 3)[0]}//{page.url.split('/', 3)[2]}/larger.css"
        page.route(
            address, lambda route: route.fulfill(content_type="text/css", body="html { font-size: 200% }")
        )
        page.add_style_tag(url=address)
    for summary in page.locator(".figure summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    smallest = page.evaluate(
        """Math.min(...[...document.querySelectorAll(".plot-x:not(.plot-seldom)")]
          .map((mark) => mark.getBoundingClientRect().height))"""
    )
    assert smallest > 9


def test_the_figures_renew_themselves_and_leave_everything_else_alone(
    open_page: OpenPage, theatre: Stage
) -> None:
    page = open_page(STATS, viewport={"width": 700, "height": 800})
    page.clock.install()
    page.reload()
    page.locator("#plot-waits-table summary").click()
    region = page.locator("#plot-waits-region")
    region.focus()
    region.evaluate("(box) => { box.scrollTop = 120; }")
    page.evaluate("window.same = document.activeElement")
    place = page.evaluate("scrollY")

    _running(theatre, 77)
    page.clock.run_for(5100)

    expect(_running_now(page)).to_have_text("77")
    expect(region).to_be_focused()
    assert page.evaluate("window.same === document.activeElement")
    assert region.evaluate("(box) => box.scrollTop") == 120
    assert page.evaluate("scrollY") == place
    expect(page.locator("#plot-waits-table")).to_have_attribute("open", "")
    expect(page.get_by_role("status")).to_be_empty()


def test_updates_can_be_paused_and_resumed_with_the_keyboard(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page(STATS)
    page.clock.install()
    page.reload()
    page.get_by_role("button", name="Pause updates").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Updates are paused.")

    _running(theatre, 78)
    page.clock.run_for(30_000)
    expect(_running_now(page)).to_have_text("8")

    page.get_by_role("button", name="Resume updates").press("Enter")
    expect(_running_now(page)).to_have_text("78")
    expect(page.get_by_role("button", name="Pause updates")).to_be_focused()


def test_refreshing_on_request_says_so_and_leaves_the_pause_as_it_is(
    open_page: OpenPage, theatre: Stage
) -> None:
    page = open_page(STATS)
    page.clock.install()
    page.reload()
    page.get_by_role("button", name="Pause updates").click()
    _running(theatre, 79)

    page.get_by_role("link", name="Refresh").click()

    expect(_running_now(page)).to_have_text("79")
    expect(page.get_by_role("status")).to_contain_text("Updated at")
    _running(theatre, 80)
    with pytest.raises(NothingCameError), page.expect_request("**/platform/stats?*", timeout=1000):
        page.clock.run_for(30_000)
    expect(_running_now(page)).to_have_text("79")


def test_a_device_that_comes_keeps_the_focus_and_what_is_open(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page(STATS)
    summary = page.locator("#plot-turns-table summary")
    summary.click()
    seen = theatre.engines.seen
    more = (*seen.devices, DeviceView("gpu1", "Another", 100, 90, 10))
    theatre.engines.seen = msgspec.structs.replace(seen, devices=more)

    page.clock.install()
    page.reload()
    page.locator("#plot-turns-table summary").click()
    theatre.engines.seen = seen
    page.clock.run_for(5100)

    expect(page.locator("#plot-memory-2-table")).to_have_count(0)
    expect(page.locator("#plot-turns-table")).to_have_attribute("open", "")
    expect(summary).to_be_focused()


def test_a_service_that_is_away_is_told_in_words_and_asked_again(open_page: OpenPage) -> None:
    page = open_page(STATS, may_fail=True)
    page.clock.install()
    page.reload()
    page.route("**/platform/stats?*", lambda route: route.abort())
    page.clock.run_for(5100)
    expect(page.locator("#lost")).to_be_visible()
    expect(page.get_by_role("status")).to_be_empty()

    page.unroute("**/platform/stats?*")
    page.clock.run_for(5100)
    expect(page.locator("#lost")).to_be_hidden()


def test_the_keyboard_reaches_everything_in_order(open_page: OpenPage) -> None:
    page = open_page(STATS)
    page.locator("#main").focus()
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.closest('[id]')?.id"))

    assert reached == [
        "refresh",
        "pause",
        "engines-region",
        "span-hour",
        "span-day",
        "plot-turns-table",
        "plot-waits-table",
        "plot-durations-table",
        "plot-loads-table",
        "plot-memory-0-table",
        "plot-memory-1-table",
        *reached[11:],
    ]
    page.locator("#plot-turns-table summary").press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#plot-turns-region")).to_be_focused()


def test_the_toggle_of_languages_keeps_the_place(open_page: OpenPage) -> None:
    page = open_page(f"{STATS}?span=day")
    page.get_by_role("link", name="Français").click()

    page.wait_for_url("**/fr/platform/stats?span=day")
    expect(page.get_by_role("link", name="Dernier jour")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="Dernière heure").click()
    page.wait_for_url("**/fr/platform/stats#over-heading")


def test_without_scripts_a_link_refreshes(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page(f"{STATS}?span=day", java_script_enabled=False)
    expect(page.get_by_role("button", name="Pause updates")).to_be_hidden()
    _running(theatre, 80)

    page.get_by_role("link", name="Refresh").click()

    expect(_running_now(page)).to_have_text("80")
    assert page.url.endswith("?span=day")
    page.locator("#plot-turns-table summary").click()
    expect(page.locator("#plot-turns-data")).to_be_visible()


def test_every_page_leads_to_it(open_page: OpenPage) -> None:
    page = open_page("/fr/chat", locale="fr-CA")
    page.get_by_role("link", name="Activité du service").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ce que fait le service")
