"""The directory of personas, in Chromium."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage


def test_the_start_page_leads_to_the_directory_in_the_readers_language(open_page: OpenPage) -> None:
    english = open_page("/")
    french = open_page("/", locale="fr-CA")

    assert english.url.endswith("/en/chat")
    assert french.url.endswith("/fr/chat")
    assert french.locator("html").get_attribute("lang") == "fr-CA"
    expect(french.get_by_role("link", name="Castor")).to_be_visible()


def test_a_card_tells_the_model_that_really_answers(open_page: OpenPage) -> None:
    page = open_page("/en/chat")

    owl = page.get_by_role("listitem").filter(has_text="Owl")
    expect(owl).to_contain_text("Llama 3.2 3B Instruct")
    expect(owl).to_contain_text("Its own model is not available")
    beaver = page.get_by_role("listitem").filter(has_text="Beaver")
    expect(beaver).not_to_contain_text("not installed")


def test_hidden_personas_are_not_listed(open_page: OpenPage) -> None:
    page = open_page("/en/chat")

    expect(page.locator("#cards > li")).to_have_count(3)
    expect(page.get_by_role("link", name="lynx")).to_have_count(0)


def test_a_text_in_the_other_language_says_so(open_page: OpenPage) -> None:
    page = open_page("/en/chat")

    expect(page.get_by_text("Répond en français seulement.")).to_have_attribute("lang", "fr-CA")


def test_typing_filters_the_cards_and_the_keyboard_opens_one(open_page: OpenPage) -> None:
    page = open_page("/en/chat")
    page.get_by_role("searchbox").focus()

    page.keyboard.type("MATHEMATICS")
    expect(page.get_by_role("status")).to_have_text("1 of 3 personas")
    expect(page.get_by_role("link", name="Beaver")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    page.wait_for_url("**/en/chat/owl")


def test_accents_do_not_matter_to_the_search(open_page: OpenPage) -> None:
    page = open_page("/fr/chat")

    page.get_by_role("searchbox").fill("genéraliste")

    expect(page.locator("#cards > li:visible")).to_have_count(1)


def test_a_search_without_a_match_says_so(open_page: OpenPage) -> None:
    page = open_page("/fr/chat")

    page.get_by_role("searchbox").fill("girafe")

    expect(page.get_by_role("status")).to_contain_text("Aucun personnage ne correspond.")


def test_without_scripts_the_search_still_filters(open_page: OpenPage) -> None:
    page = open_page("/en/chat", java_script_enabled=False)

    page.get_by_role("searchbox").fill("mathematics")
    page.get_by_role("button", name="Search").click()

    expect(page.locator("#cards > li")).to_have_count(1)
    expect(page.get_by_role("link", name="Show all personas")).to_be_visible()


def test_the_toggle_keeps_the_place_and_the_choice_is_remembered(open_page: OpenPage) -> None:
    page = open_page("/en/chat?q=mathematics")

    page.get_by_role("link", name="Français").click()

    page.wait_for_url("**/fr/chat?q=mathematics")
    page.goto("/chat/owl")
    assert page.url.endswith("/fr/chat/owl")


def test_an_error_page_has_a_way_on_and_a_toggle(open_page: OpenPage) -> None:
    page = open_page("/fr/chat/personne", may_fail=True)

    expect(page.get_by_text("persona.unknown")).to_be_visible()
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")
    page.get_by_role("link", name="Go to the personas").click()
    page.wait_for_url("**/en/chat")


def test_the_interfaces_are_described_without_any_outside_asset(open_page: OpenPage) -> None:
    page = open_page("/docs", locale="fr-CA")

    expect(page.get_by_role("heading", level=1)).to_have_text("Interfaces de programmation")
    expect(page.get_by_role("heading", name="POST /toil/{persona}")).to_be_visible()
