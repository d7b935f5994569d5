"""What a screen reader is told while an answer streams: enough, once, in its language, as was chosen."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from menagerie.locales import LANGUAGES, Language
from tests.browser.answers import FRENCH, PLAIN
from tests.browser.conftest import OpenPage
from tests.browser.hearing import heard, heard_in, listen
from tests.browser.theatre import Theatre
from tests.browser.visit import Visit

SPOKEN = {
    "en": " ".join(PLAIN.replace("- ", "").split()),
    "fr": " ".join(FRENCH.replace("- ", "").split()),
}
"""The answers, without what is only Markdown."""


def _prefer(page: Page, **choice: object) -> None:
    page.add_init_script(
        f"localStorage.setItem('menagerie.preferences.v1', JSON.stringify({json.dumps(choice)}))"
    )
    page.reload()


def _plain(said: str) -> str:
    return " ".join(said.replace("- ", "").split())


@pytest.mark.parametrize("told", ["none", "status", "full"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_is_told_as_much_as_was_chosen(
    open_house: OpenPage, house: Theatre, language: Language, told: str
) -> None:
    page = open_house(f"/{language}/chat/beaver", locale=f"{language}-CA")
    _prefer(page, announcements=told)
    visit = Visit(page, house, language)
    page.clock.install()
    listen(page)
    visit.streaming(visit.in_words("Tell me about dams", "Parlez-moi des barrages, en français"))
    page.clock.run_for(15_000)
    house.engine.let_go()
    visit.wait_answers(1)
    page.clock.run_for(5_000)

    said = [(role, _plain(text)) for role, text in heard(page)]
    begin = ("status", visit.words("page.live.generating"))
    still = ("status", visit.words("page.live.still"))
    ready = ("status", visit.words("page.live.ready"))
    whole = ("status", _plain(SPOKEN[language]))
    expected = {
        "none": [],
        "status": [begin, still, ready],
        "full": [begin, still, ready, whole],
    }
    assert said == expected[told]


def test_an_answer_in_another_language_than_the_page_is_spoken_in_its_own(
    open_house: OpenPage, house: Theatre
) -> None:
    page = open_house("/en/chat/beaver")
    listen(page)
    Visit(page, house, "en").answered("Please answer in French")
    page.wait_for_function("() => window.heard.length >= 3")

    assert [language for language, _ in heard_in(page)] == ["en", "en", "fr"]


@pytest.mark.parametrize("told", ["none", "full"])
def test_a_failure_is_an_alert_whatever_was_chosen(open_house: OpenPage, house: Theatre, told: str) -> None:
    page = open_house("/fr/chat/beaver", locale="fr-CA")
    _prefer(page, announcements=told)
    visit = Visit(page, house, "fr")
    listen(page)
    visit.ask("Échouez (fail)")
    expect(visit.alert).not_to_be_empty()

    alerts = [text for role, text in heard(page) if role == "alert"]
    assert len(alerts) == 1
    assert visit.words("error.engine.refused") in alerts[0]
    assert visit.words("page.live.ready") not in [text for _, text in heard(page)]


def test_the_log_itself_is_silent_while_an_answer_streams(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/beaver")
    visit = Visit(page, house, "en")
    visit.streaming("Tell me about dams")

    assert visit.log.get_attribute("aria-live") == "off"
    assert visit.log.get_attribute("aria-label") == "Conversation with Beaver"
    assert visit.log.locator("[aria-live]:not([aria-live=off]), [role=status], [role=alert]").count() == 0
