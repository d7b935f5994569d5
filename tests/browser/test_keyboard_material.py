"""Adding to a message with the keyboard alone: a text, a file, a place to look in; and taking it away again."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from menagerie.locales import LANGUAGES, Language
from tests.browser.conftest import OpenPage
from tests.browser.keys import focused, press, tab_to
from tests.browser.theatre import Theatre
from tests.browser.visit import Visit


def _open_menu(visit: Visit) -> Locator:
    press(visit.button("page.live.material.heading"))
    menu = visit.page.get_by_role("dialog", name=visit.words("page.live.material.heading"), exact=True)
    expect(menu).to_be_visible()
    return menu


def _tray(visit: Visit) -> Locator:
    return visit.page.get_by_role("list", name=visit.words("page.live.material.tray"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_goes_along_with_the_next_message(
    open_house: OpenPage, house: Theatre, language: Language
) -> None:
    page = open_house(f"/{language}/chat/otter", locale=f"{language}-CA")
    visit = Visit(page, house, language)
    menu = _open_menu(visit)
    expect(menu).to_contain_text(visit.words("page.live.material.sensitive"))
    tab = menu.get_by_role("button").filter(has_text=visit.words("page.live.material.custom"))
    focused(tab)
    page.keyboard.press("Enter")
    focused(page.get_by_label(visit.words("page.live.material.custom.label"), exact=True))
    page.keyboard.type("Dams are made of mud.")
    press(visit.button("page.live.material.take"))
    chip = visit.words("page.live.material.chip.text", characters=21)
    expect(_tray(visit)).to_match_aria_snapshot(f"""
      - list "{visit.words("page.live.material.tray")}":
        - listitem:
          - text: {chip}
          - 'button "{visit.words("page.live.material.remove", name=chip)}"'
    """)
    tab_to(visit.composer)
    page.keyboard.type(
        visit.in_words("What are dams made of?", "De quoi sont faits les barrages, en français?")
    )
    page.keyboard.press("Enter")
    visit.wait_answers(1)

    assert "Dams are made of mud." in str(house.engine.requests[-1]["messages"])
    expect(visit.log).to_contain_text(chip)
    expect(_tray(visit)).to_be_hidden()


def test_a_file_is_chosen_uploaded_and_read(open_house: OpenPage, house: Theatre, tmp_path: Path) -> None:
    file = tmp_path / "dams.txt"
    file.write_text("The upper dam is two metres high.", encoding="utf-8")
    page = open_house("/en/chat/otter")
    visit = Visit(page, house, "en")
    menu = _open_menu(visit)
    tab_to(menu.get_by_role("button").filter(has_text=visit.words("page.live.material.file")))
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(file)
    expect(_tray(visit)).to_contain_text("dams.txt")
    expect(page.get_by_role("status").filter(has_text="dams.txt is uploaded.")).to_have_count(1)
    tab_to(visit.composer)
    page.keyboard.type("How high is the upper dam?")
    page.keyboard.press("Enter")
    visit.wait_answers(1)

    assert "two metres high" in str(house.engine.requests[-1]["messages"])
    expect(visit.log).to_contain_text("dams.txt")


def test_what_was_added_is_taken_away_again(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/otter")
    visit = Visit(page, house, "en")
    _open_menu(visit)
    page.keyboard.press("Enter")
    page.keyboard.type("Nothing of note")
    press(visit.button("page.live.material.take"))
    chip = visit.words("page.live.material.chip.text", characters=15)
    remove = visit.button("page.live.material.remove", name=chip)
    tab_to(
        remove,
        back=not remove.evaluate("element => element.compareDocumentPosition(document.activeElement) & 2"),
    )
    page.keyboard.press("Enter")

    expect(remove).to_have_count(0)
    assert page.evaluate("() => document.activeElement !== document.body"), "the focus is somewhere"


def test_escape_leaves_the_menu_where_it_was_opened(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/otter")
    visit = Visit(page, house, "en")
    menu = _open_menu(visit)
    page.keyboard.press("Escape")

    expect(menu).to_be_hidden()
    focused(visit.button("page.live.material.heading"))
