"""A conversation, in Chromium, against the real routes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, ask
from tests.browser.stage import ANSWER, Stage

SOURCES: dict[str, list[str]] = {
    "en": [
        "[1] Pasted text, 21 characters",
        "[2] Politique, Congés, page 3 https://example.ca/politique?a=1&b=2",
        "[3] Guide javascript:alert(1)",
    ],
    "fr": [
        "[1] Texte collé, 21 caractères",
        "[2] Politique, Congés, page 3 https://example.ca/politique?a=1&b=2",
        "[3] Guide javascript:alert(1)",
    ],
}
"""How each source begins in the list below an answer, without scripts …"""
SHOWN: dict[str, list[str]] = {
    "en": ["[1] Pasted text, 21 characters", "[2] Politique", "[3] Guide"],
    "fr": ["[1] Texte collé, 21 caractères", "[2] Politique", "[3] Guide"],
}
"""… and with them."""
READ = {"en": r"Read on .*November 23, 2026.* 12:00", "fr": r"Consulté le .*23 novembre 2026.* 12 h"}

LAST_WORDS = "is only text here."


def newest(page: Page) -> str:
    """The text of the newest answer."""
    return page.locator(".message-answer .message-text").last.inner_text()


@pytest.mark.parametrize(
    ("language", "about"), [("en", "About this answer"), ("fr", "À propos de cette réponse")]
)
def test_an_answer_streams_in_and_accounts_for_itself(
    open_page: OpenPage, theatre: Stage, language: str, about: str
) -> None:
    page = open_page(f"/{language}/chat/beaver")

    ask(page, "How does a dam work?")
    expect(page.locator(".message-you")).to_contain_text("How does a dam work?")
    page.get_by_text(about).click()

    expect(page.locator(".message-answer li")).to_have_count(2)
    assert newest(page).split() == ANSWER.replace("- ", "").split()
    expect(page.locator(".message-answer").last).to_contain_text("6c1a2b41161032677be168d354123594c0e6e67d")
    expect(page.locator("#number")).to_have_text("conversation-1")
    assert theatre.actors.requests[0].language == language


def test_what_a_model_writes_is_never_run(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver")

    ask(page, "hello")
    expect(page.locator("#log")).to_contain_text(LAST_WORDS)

    assert page.title() == "Beaver – menagerie"
    assert page.locator("#log script").count() == 0


def test_enter_sends_and_shift_enter_begins_a_line(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page("/en/chat/beaver")

    page.locator("#prompt").focus()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    expect(page.locator("#log")).to_contain_text(LAST_WORDS)

    assert theatre.actors.requests[0].prompt == "one\ntwo"


def test_the_next_prompt_goes_on_with_the_session(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page("/en/chat/beaver")

    ask(page, "first")
    expect(page.locator(".about:visible")).to_have_count(1)
    ask(page, "second")
    expect(page.locator(".about:visible")).to_have_count(2)

    assert [request.session for request in theatre.actors.requests] == [None, "conversation-1"]


def test_stop_ends_the_answer_and_keeps_what_there_is(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page("/en/chat/beaver")

    ask(page, "slow")
    expect(page.locator("#log")).to_contain_text("A beaver dam")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#log")).to_contain_text("You stopped this answer.")

    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.locator("#prompt")).to_be_focused()
    expect(page.locator("#alert")).to_be_empty()
    assert "A beaver dam" in newest(page)
    assert theatre.actors.stopped == 1


def test_a_failure_is_told_as_an_alert_and_can_be_tried_again(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page("/fr/chat/beaver", locale="fr-CA")

    ask(page, "fail")
    expect(page.locator("#alert")).to_contain_text("Le modèle s’est arrêté")
    page.get_by_role("button", name="Réessayer").click()
    expect(page.locator("#alert")).to_contain_text("Le modèle s’est arrêté")

    assert len(theatre.actors.requests) == 2
    expect(page.locator(".message-you")).to_have_count(1)
    page.get_by_role("button", name="Fermer").click()
    expect(page.locator("#alert")).to_be_empty()


def test_the_place_in_line_is_visible(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver")

    ask(page, "queue")

    expect(page.locator("#progress")).to_have_text("Waiting for a free place: number 3 in line, about 12 s.")
    expect(page.locator("#progress")).to_have_text("Waiting for a free place: number 1 in line, about 4 s.")
    expect(page.locator("#log")).to_contain_text(LAST_WORDS)


def test_a_reload_shows_the_conversation_and_goes_on_with_it(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page("/en/chat/beaver")
    ask(page, "first")
    expect(page.locator(".about:visible")).to_have_count(1)
    page.locator("#prompt").fill("half written")

    page.reload()

    expect(page.locator(".message-you")).to_contain_text("first")
    expect(page.locator("#log")).to_contain_text(LAST_WORDS)
    expect(page.locator("#prompt")).to_have_value("half written")
    ask(page, "second")
    expect(page.locator(".about:visible")).to_have_count(2)
    assert theatre.actors.requests[-1].session == "conversation-1"


def test_a_reload_in_the_middle_of_an_answer_goes_on_with_it(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page("/en/chat/beaver")
    ask(page, "slow")
    expect(page.locator("#log")).to_contain_text("A beaver dam")

    page.reload()

    expect(page.locator("#log")).to_contain_text("A beaver dam")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.locator(".message-you")).to_have_count(1)
    assert len(theatre.actors.requests) == 1


def test_the_other_language_shows_the_same_conversation(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver")
    ask(page, "first")
    expect(page.locator(".about:visible")).to_have_count(1)

    page.get_by_role("link", name="Français").click()

    expect(page.locator(".message-you")).to_contain_text("Vous")
    expect(page.locator("#log")).to_contain_text(LAST_WORDS)


def test_a_lost_connection_is_made_again_and_the_answer_can_be_asked_for_again(
    open_page: OpenPage, theatre: Stage
) -> None:
    page = open_page("/en/chat/beaver", may_fail=True)

    ask(page, "drop")
    expect(page.locator("#progress")).to_have_text("The connection was lost. Trying to reconnect…")
    expect(page.locator("#log")).to_contain_text("This answer was interrupted before its end.")
    expect(page.locator("#progress")).to_be_empty()
    ask(page, "go on")
    expect(page.locator(".about:visible")).to_have_count(1)

    assert theatre.actors.requests[-1].session == "conversation-1"


def test_a_prompt_written_while_the_server_is_away_is_sent_when_it_is_back(
    open_page: OpenPage, theatre: Stage
) -> None:
    page = open_page("/en/chat/beaver", may_fail=True)
    page.wait_for_timeout(200)
    theatre.close()
    expect(page.locator("#progress")).to_have_text(re.compile("connection was lost"))

    ask(page, "are you there?")
    expect(page.locator("#progress")).to_have_text(re.compile("No connection yet"))
    theatre.restart()

    expect(page.locator("#log")).to_contain_text(LAST_WORDS)
    assert [request.prompt for request in theatre.actors.requests] == ["are you there?"]


def test_pasted_text_goes_with_the_next_prompt_only(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page("/en/chat/beaver")

    _hand_over(page, "en", "Dams are made of mud.")
    ask(page, "what are dams made of?")
    expect(page.locator(".message-you")).to_contain_text("Text, 21 characters")
    expect(page.locator(".about:visible")).to_have_count(1)
    ask(page, "and lodges?")
    expect(page.locator(".about:visible")).to_have_count(2)

    given = [[each.text for each in request.given] for request in theatre.actors.requests]
    assert given == [["Dams are made of mud."], []]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_an_answer_lists_its_sources_with_links_dates_and_passages(
    open_page: OpenPage, language: str
) -> None:
    page = open_page(f"/{language}/chat/beaver", timezone_id="America/Toronto")

    _hand_over(page, language, "Dams are made of mud.")
    ask(page, "rest on sources")
    expect(page.locator(".about:visible")).to_have_count(1)

    _shows_its_sources(page, language)
    page.reload()
    _shows_its_sources(page, language)


def test_sources_are_there_before_the_answer_and_stay_open(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver")

    ask(page, "slow, and rest on sources")
    expect(page.locator(".sources li:visible")).to_have_count(2)
    page.get_by_text("Passage from source 2").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#log")).to_contain_text("You stopped this answer.")

    expect(page.locator(".sources blockquote").first).to_be_visible()
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".sources li:visible")).to_have_count(2)
    expect(page.locator(".sources blockquote").first).to_be_hidden()


def test_that_an_answer_was_cut_is_told_once_and_behind_it(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver")

    ask(page, "too long")
    expect(page.locator(".about:visible")).to_have_count(1)

    told = page.locator(".message-answer").last.inner_text()
    assert told.index(LAST_WORDS) < told.index("was cut here")
    assert len(re.findall("length", told)) == 1


def test_without_scripts_the_same_sources_are_listed(open_page: OpenPage) -> None:
    for language in ("en", "fr"):
        page = open_page(f"/{language}/chat/beaver", java_script_enabled=False)
        page.locator("#context-box summary").click()
        page.locator("#context").fill("Dams are made of mud.")
        page.locator("#prompt").fill("rest on sources")
        page.locator("#send").click()
        expect(page.locator("#log")).to_contain_text(LAST_WORDS)
        page.locator(".sources:visible summary").click()

        _lists_its_sources(page, language)


def _hand_over(page: Page, language: str, pasted: str) -> None:
    """Have a text go along with the next message, under the warning that belongs to it."""
    words = {
        "en": (
            "Add to your message",
            "Write or paste text",
            "Do not add personal, protected or classified",
            "Add",
        ),
        "fr": (
            "Ajouter à votre message",
            "Écrire ou coller",
            "N’ajoutez aucun renseignement personnel",
            "Ajouter",
        ),
    }
    menu, write, warning, take = words[language]
    page.get_by_role("button", name=menu).click()
    dialogue = page.get_by_role("dialog", name=menu)
    expect(dialogue).to_contain_text(warning)
    dialogue.get_by_role("button", name=write).click()
    page.locator("m-material-menu textarea").fill(pasted)
    page.get_by_role("button", name=take, exact=True).click()
    expect(page.locator(".material-chip")).to_have_count(1)


def _shows_its_sources(page: Page, language: str) -> None:
    """Beside the answer, where scripts run: those of the stage, and a text that was pasted."""
    shown = page.locator("m-sources:visible")
    expect(shown.get_by_role("heading", name="Sources", level=3)).to_be_visible()
    items = shown.get_by_role("listitem")
    expect(items).to_have_count(3)
    for each, begins in zip(items.all_inner_texts(), SHOWN[language], strict=True):
        assert " ".join(each.split()).startswith(begins)
    for part in ("Congés", "example.ca", "3"):
        expect(items.nth(1)).to_contain_text(part)
    assert re.search(READ[language], items.nth(1).inner_text())
    (link,) = shown.get_by_role("link").all()
    assert str(link.get_attribute("href")).split("#")[0] == "https://example.ca/politique?a=1&b=2"
    assert link.get_attribute("rel") == "noopener noreferrer nofollow"
    assert page.title() == ("Beaver – menagerie" if language == "en" else "Castor – ménagerie")
    items.nth(1).locator("summary").click()
    passage = items.nth(1).locator("blockquote")
    expect(passage).to_be_visible()
    assert passage.get_attribute("lang") == "fr-CA"
    assert "Le congé est de vingt jours.\n<script>" in (passage.text_content() or "")


def _lists_its_sources(page: Page, language: str) -> None:
    """Behind the answer: those of the stage, and a text that was pasted."""
    shown = page.locator(".sources:visible")
    expect(shown.get_by_role("heading", name="Sources", level=3)).to_be_visible()
    items = shown.get_by_role("listitem")
    said = [" ".join(each.split()) for each in items.all_inner_texts()]
    assert len(said) == 3
    for each, begins in zip(said, SOURCES[language], strict=True):
        assert each.startswith(begins)
    assert re.search(READ[language], said[1])
    (link,) = shown.get_by_role("link").all()
    assert link.get_attribute("href") == "https://example.ca/politique?a=1&b=2"
    assert link.get_attribute("rel") == "noopener noreferrer nofollow"
    assert page.title() == ("Beaver – menagerie" if language == "en" else "Castor – ménagerie")
    passage = shown.locator("blockquote")
    assert passage.get_attribute("lang") == "fr-CA"
    assert "Le congé est de vingt jours.\n<script>" in (passage.text_content() or "")


def test_a_new_conversation_can_be_taken_back(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page("/en/chat/beaver")
    ask(page, "first")
    expect(page.locator(".about:visible")).to_have_count(1)

    page.get_by_role("link", name="New conversation").click()
    expect(page.locator(".message-you")).to_have_count(0)
    expect(page.locator("#number")).to_have_text("given with the first answer")
    page.get_by_role("button", name="Back to the previous one").click()

    expect(page.locator(".message-you")).to_contain_text("first")
    page.get_by_role("link", name="New conversation").click()
    ask(page, "fresh")
    expect(page.locator(".about:visible")).to_have_count(1)
    assert theatre.actors.requests[-1].session is None


def test_a_new_conversation_stops_the_answer_that_is_under_way(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page("/en/chat/beaver")
    ask(page, "slow")
    expect(page.locator("#log")).to_contain_text("A beaver dam")

    page.get_by_role("link", name="New conversation").click()
    ask(page, "fresh")
    expect(page.locator(".about:visible")).to_have_count(1)

    assert newest(page).count("A beaver dam") == 1
    assert theatre.actors.stopped == 1


def test_without_scripts_a_form_gets_an_answer_and_goes_on(open_page: OpenPage, theatre: Stage) -> None:
    page = open_page("/fr/chat/beaver", java_script_enabled=False, locale="fr-CA")

    for prompt in ("un", "deux"):
        page.locator("#prompt").fill(prompt)
        page.get_by_role("button", name="Envoyer").click()
        expect(page.locator("#log")).to_contain_text(LAST_WORDS)
        expect(page.locator("#log")).to_contain_text("1 234 lus (dont 1 000 dans le cache), 57 écrits")

    assert [request.session for request in theatre.actors.requests] == [None, "conversation-1"]


def test_without_scripts_a_failure_keeps_the_prompt(open_page: OpenPage) -> None:
    page = open_page("/en/chat/beaver", java_script_enabled=False)

    page.locator("#prompt").fill("fail")
    page.get_by_role("button", name="Send").click()

    expect(page.locator("#alert")).to_contain_text("The model stopped in the middle of the answer.")
    expect(page.locator("#prompt")).to_have_value("fail")
