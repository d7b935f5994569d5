"""Conversations with the keyboard alone: found, read again, named, taken along, deleted."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from menagerie.locales import LANGUAGES, Language
from tests.browser.answers import PLAIN
from tests.browser.conftest import OpenPage, watched_pages
from tests.browser.keys import focused, press, tab_to
from tests.browser.theatre import Theatre
from tests.browser.visit import Visit

SAID = ("How high is a dam?", "What does a beaver eat in winter?", "Où dort le castor?")


@pytest.fixture
def open_with_a_past(chromium: Browser, house: Theatre, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Pages for a person who has had three conversations."""
    way = house.door(f"past-{zlib.crc32(request.node.nodeid.encode()):x}@example.gc.ca")
    for prompt in SAID:
        way.converse("beaver", prompt)
    with watched_pages(chromium, way.origin) as opened:
        yield opened


def _list_of(page: Page, visit: Visit) -> Iterator[str]:
    links = page.locator("main").get_by_role("listitem").get_by_role("link")
    expect(links.first).to_be_visible()
    yield from links.all_inner_texts()


@pytest.mark.parametrize("language", LANGUAGES)
def test_find_and_go_on_with_a_conversation(
    open_with_a_past: OpenPage, house: Theatre, language: Language
) -> None:
    page = open_with_a_past(f"/{language}/conversations", locale=f"{language}-CA")
    visit = Visit(page, house, language)
    assert len(list(_list_of(page, visit))) == 3

    search = page.get_by_label(visit.words("page.live.history.search"), exact=True)
    tab_to(search)
    page.keyboard.type(visit.in_words("WINTER beaver", "OU dort"))
    expect(
        page.get_by_role("status").filter(has_text=visit.words("page.live.history.found.one"))
    ).to_be_visible()
    found = page.get_by_role("link", name=visit.in_words(SAID[1], SAID[2]), exact=True)
    press(found)
    page.wait_for_url(f"**/{language}/chat/beaver#c=*")


def test_name_a_conversation(open_with_a_past: OpenPage, house: Theatre) -> None:
    page = open_with_a_past("/en/conversations")
    visit = Visit(page, house, "en")
    actions = visit.button("page.live.history.actions", title=SAID[1])
    press(actions)
    focused(page.get_by_role("menuitem", name=visit.words("page.live.history.rename")))
    page.keyboard.press("Enter")
    field = page.get_by_label(visit.words("page.live.history.rename.label", title=SAID[1]))
    focused(field)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Winter food")
    page.keyboard.press("Enter")

    focused(visit.button("page.live.history.actions", title="Winter food"))
    expect(page.get_by_role("status").filter(has_text="Now called: Winter food")).to_be_visible()
    page.reload()
    assert "Winter food" in list(_list_of(page, visit))


def test_leave_the_menu_and_the_form_without_doing_anything(
    open_with_a_past: OpenPage, house: Theatre
) -> None:
    page = open_with_a_past("/en/conversations")
    visit = Visit(page, house, "en")
    actions = visit.button("page.live.history.actions", title=SAID[1])
    press(actions)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    focused(actions)
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.type("nothing")
    page.keyboard.press("Escape")

    focused(actions)
    assert list(_list_of(page, visit)) == list(reversed(SAID))


def test_take_a_conversation_along(open_with_a_past: OpenPage, house: Theatre, tmp_path: Path) -> None:
    page = open_with_a_past("/en/conversations")
    visit = Visit(page, house, "en")
    press(visit.button("page.live.history.actions", title=SAID[0]))
    item = page.get_by_role("menuitem", name=visit.words("page.live.history.export.json"))
    page.keyboard.press("D")
    while not item.evaluate("element => element.matches(':focus')"):
        page.keyboard.press("ArrowDown")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    file = tmp_path / "conversation.json"
    download.value.save_as(file)

    assert PLAIN in file.read_text(encoding="utf-8") or PLAIN in json.dumps(
        json.loads(file.read_text(encoding="utf-8")), ensure_ascii=False
    ).replace("\\n", "\n")


def test_delete_a_conversation_after_a_question(open_with_a_past: OpenPage, house: Theatre) -> None:
    page = open_with_a_past("/en/conversations")
    visit = Visit(page, house, "en")
    press(visit.button("page.live.history.actions", title=SAID[1]))
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    question = page.get_by_role("dialog", name=visit.words("page.live.history.delete.ask"))
    focused(question.get_by_role("button", name=visit.words("page.live.history.cancel"), exact=True))
    expect(question).to_match_aria_snapshot(f"""
      - dialog "Delete this conversation?":
        - heading "Delete this conversation?"
        - paragraph: {SAID[1]}
        - paragraph: /All that was said in it is deleted .* Files that you attached/
        - alert
        - button "Cancel"
        - button "Delete"
    """)
    press(question.get_by_role("button", name="Delete", exact=True))

    expect(question).to_be_hidden()
    expect(page.get_by_role("status").filter(has_text=f"Deleted: {SAID[1]}")).to_be_visible()
    assert page.evaluate("() => document.activeElement !== document.body"), "the focus is somewhere"
    assert list(_list_of(page, visit)) == [SAID[2], SAID[0]]
