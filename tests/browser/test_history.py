"""The list of conversations, in Chromium, over the real store: found, taken up, named, taken along, deleted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from menagerie.core.errors import MenagerieError
from menagerie.locales import text
from tests.browser.archive import NOBODY, SIGNED_IN, Archive, archive
from tests.browser.conftest import OpenPage, violations, watched_pages

A_DAY: Final = timedelta(days=1)
LONG: Final = (
    "A title that goes on and on, because somebody wanted to remember exactly what it was about. " * 2
)
HOSTILE: Final = "<img src=x onerror=\"document.title='broken in'\"> ${alert(1)} \u202egnp.exe"
SCHEMES: Final[dict[str, dict[str, Any]]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced colours": {"forced_colors": "active"},
    "narrow": {"viewport": {"width": 320, "height": 640}},
}

Visit = Callable[..., Page]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Archive]:
    """An application with a store."""
    with archive(tmp_path) as built:
        yield built


@pytest.fixture
def open_page(chromium: Browser, kept: Archive) -> Iterator[OpenPage]:
    with watched_pages(chromium, kept.origin) as opened:
        yield opened


@pytest.fixture
def visit(open_page: OpenPage) -> Visit:
    """Opens the page of conversations as somebody with a name, once its list is there."""

    def opened(path: str = "/en/conversations", **options: Any) -> Page:
        page = open_page(path, extra_http_headers=SIGNED_IN, **options)
        expect(listed(page)).to_have_attribute("aria-busy", "false")
        return page

    return opened


def listed(page: Page) -> Locator:
    return page.locator(".history-list")


def titles(page: Page) -> list[str]:
    return page.locator(".history-link").all_text_contents()


def told(page: Page) -> Locator:
    return page.locator("m-history").get_by_role("status")


def actions(page: Page, title: str) -> Locator:
    return page.get_by_role("button", name=f"Actions for {title}", exact=True)


def remember(page: Page, conversation: str, title: str, said: str = "") -> None:
    """What the page of a chat does after each turn."""
    page.evaluate(
        """([id, title, said]) => document.querySelector('m-history').remember(
             {id, persona: 'beaver', title, said, language: 'en', at: new Date().toISOString()})""",
        [conversation, title, said],
    )


def test_conversations_are_grouped_by_day_and_lead_to_where_they_go_on(kept: Archive, visit: Visit) -> None:
    kept.say("Long ago", ago=40 * A_DAY, persona="owl")
    kept.say("Le printemps", ago=3 * A_DAY, persona="huard", language="fr")
    now = kept.say("Just now")

    page = visit()

    assert page.get_by_role("heading", level=2).all_inner_texts()[0] == "Today"
    assert page.get_by_role("heading", level=2).all_inner_texts()[1] == "Past 7 days"
    link = page.get_by_role("link", name="Just now")
    expect(link).to_have_attribute("href", f"/en/chat/beaver#c={quote(now, safe='')}")
    expect(link).to_have_accessible_description(re.compile(r"^Beaver \d{1,2}:\d\d [ap]\.m\.$"))
    french = page.get_by_role("link", name="Le printemps")
    expect(french).to_have_attribute("lang", "fr")
    expect(page.get_by_role("listitem").filter(has=french).get_by_text("Huard")).to_be_visible()


def test_the_french_page_says_days_and_times_in_french(kept: Archive, visit: Visit) -> None:
    kept.say("Bonjour", language="fr")
    kept.say("Hello", ago=1 * A_DAY)

    page = visit("/fr/conversations", locale="fr-CA", timezone_id="America/Toronto")

    expect(page.get_by_role("heading", name="Aujourd’hui")).to_be_visible()
    expect(page.get_by_role("heading", name="Hier")).to_be_visible()
    expect(page.get_by_role("link", name="Hello")).to_have_attribute("lang", "en")
    expect(page.get_by_role("link", name="Bonjour")).not_to_have_attribute("lang", re.compile(""))
    expect(page.get_by_role("link", name="Bonjour")).to_have_accessible_description(
        re.compile(r"^Castor \d{1,2}\sh\s\d\d$")
    )


def test_a_search_looks_through_titles_and_all_that_was_said_and_tells_how_much_it_found(
    kept: Archive, visit: Visit
) -> None:
    kept.say("Dams", answer="L’eau de l’étang monte.")
    kept.say("Étangs et digues", persona="owl")
    kept.say("Weather")
    page = visit()
    expect(told(page)).to_be_empty()

    page.get_by_role("searchbox", name="Search conversations").fill("ETANG")
    expect(told(page)).to_have_text("2 conversations found")
    assert titles(page) == ["Étangs et digues", "Dams"]
    page.get_by_label("Persona", exact=True).select_option("Owl")
    expect(told(page)).to_have_text("1 conversation found")
    page.get_by_role("searchbox").fill("giraffe")
    expect(told(page)).to_have_text("No conversation has all of these words.")
    page.get_by_role("searchbox").fill("")

    expect(page.locator(".history-link")).to_have_text(["Étangs et digues"])


def test_a_list_comes_in_parts_and_the_focus_goes_on_to_what_is_new(kept: Archive, visit: Visit) -> None:
    for number in range(60):
        kept.say(f"Number {number}", ago=timedelta(minutes=60 - number))
    page = visit()
    assert len(titles(page)) == 50

    page.get_by_role("button", name="Show more").press("Enter")

    expect(page.get_by_role("link", name="Number 9", exact=True)).to_be_focused()
    expect(told(page)).to_have_text("10 more conversations shown")
    assert titles(page) == [f"Number {number}" for number in reversed(range(60))]
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)


def test_a_conversation_is_renamed_in_place_with_the_keyboard(kept: Archive, visit: Visit) -> None:
    kept.say("What was it?")
    page = visit()

    actions(page, "What was it?").press("Enter")
    expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    page.keyboard.press("Enter")
    field = page.get_by_role("textbox", name="New title for “What was it?”")
    expect(field).to_be_focused()
    page.keyboard.type("The dam")
    page.keyboard.press("Escape")
    expect(actions(page, "What was it?")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(field).to_be_focused()
    page.keyboard.type("The dam\u202e")
    page.keyboard.press("Enter")

    expect(actions(page, "The dam")).to_be_focused()
    expect(told(page)).to_have_text("Now called: The dam")
    assert kept.titles() == ["The dam"]
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="New title").fill("")
    page.keyboard.press("Enter")
    expect(actions(page, "What was it?")).to_be_focused()
    assert kept.titles() == ["What was it?"]


def test_a_conversation_is_deleted_only_after_a_question(kept: Archive, visit: Visit) -> None:
    for title in ("First", "Second", "Third"):
        kept.say(title)
    page = visit()

    actions(page, "Second").press("Enter")
    page.keyboard.press("d")
    expect(page.get_by_role("menuitem", name="Download as Markdown")).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    dialogue = page.get_by_role("dialog", name="Delete this conversation?")
    expect(dialogue).to_have_accessible_description(re.compile("^Second All that was said"))
    expect(dialogue.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialogue).to_have_count(0)
    expect(actions(page, "Second")).to_be_focused()
    assert len(kept.titles()) == 3
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(told(page)).to_have_text("Deleted: Second")
    expect(page.get_by_role("link", name="First")).to_be_focused()
    assert titles(page) == ["Third", "First"]
    assert kept.titles() == ["Third", "First"]


def test_leaving_the_page_does_not_lose_a_deletion(kept: Archive, visit: Visit) -> None:
    kept.say("Gone")
    page = visit()
    actions(page, "Gone").click()
    page.get_by_role("menuitem", name="Delete").click()

    page.evaluate("document.querySelector('.history-delete').click(); location.assign('/en/about')")
    page.wait_for_url("**/en/about")
    page.goto("/en/conversations")

    expect(page.get_by_text("No conversations yet.")).to_be_visible()
    assert kept.titles() == []


def test_what_cannot_be_deleted_or_listed_says_so_and_can_be_tried_again(
    kept: Archive, open_page: OpenPage
) -> None:
    kept.say("Stays")
    page = open_page("/en/conversations", may_fail=True, extra_http_headers=SIGNED_IN)
    actions(page, "Stays").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.route("**/conversations/*", lambda route: route.abort())
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("The service cannot be reached.")
    page.unroute("**/conversations/*")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(told(page)).to_have_text("Deleted: Stays")
    kept.say("New")

    page.route("**/conversations?*", lambda route: route.abort())
    page.reload()
    expect(listed(page)).to_contain_text("The service cannot be reached.")
    page.unroute("**/conversations?*")
    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_role("link", name="New")).to_be_visible()


def test_the_list_comes_by_itself_when_the_network_is_back(kept: Archive, open_page: OpenPage) -> None:
    kept.say("Hello")
    page = open_page("/fr/conversations", may_fail=True, extra_http_headers=SIGNED_IN)
    page.context.set_offline(True)

    page.get_by_role("searchbox").fill("hello")
    expect(listed(page)).to_contain_text("Vous êtes hors ligne.")
    page.context.set_offline(False)

    expect(told(page)).to_have_text("1 conversation trouvée")


def test_a_refusal_is_told_in_the_services_own_words(kept: Archive, open_page: OpenPage) -> None:
    gone = kept.say("Gone")
    page = open_page("/fr/conversations", may_fail=True, extra_http_headers=SIGNED_IN)
    page.get_by_role("button", name="Actions pour Gone").click()
    page.evaluate("id => fetch(`/conversations/${id}`, {method: 'DELETE'})", gone)
    page.get_by_role("menuitem", name="Renommer").click()
    page.get_by_role("textbox", name="Nouveau titre").fill("Encore là")
    page.keyboard.press("Enter")

    expect(page.locator("m-history").get_by_role("alert")).to_contain_text(
        text("error.session.unknown", "fr")
    )
    expect(listed(page)).to_contain_text("Aucune conversation pour l’instant.")


def test_titles_are_only_text(kept: Archive, visit: Visit) -> None:
    kept.say(HOSTILE)
    kept.say("Short", title=LONG.strip()[:200])

    page = visit(viewport={"width": 320, "height": 640})

    shown = titles(page)
    assert "<img src=x onerror=\"document.title='broken in'\">" in shown[1]
    assert "\u202e" not in shown[1]
    assert shown[0] == LONG.strip()[:200].strip()
    assert "broken in" not in page.title()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("choice", "name", "begins"),
    [("Markdown", ".md", b"# "), ("JSON", ".json", b"{"), ("Word", ".docx", b"PK")],
)
def test_a_conversation_can_be_taken_along(
    kept: Archive, visit: Visit, choice: str, name: str, begins: bytes
) -> None:
    kept.say("What builds a dam?", answer="A beaver.")
    page = visit()

    actions(page, "What builds a dam?").click()
    with page.expect_download() as taken:
        page.get_by_role("menuitem", name=choice).press("Enter")

    assert taken.value.suggested_filename.endswith(name)
    assert taken.value.path().read_bytes().startswith(begins)
    expect(actions(page, "What builds a dam?")).to_be_focused()


def test_what_cannot_be_taken_along_is_no_file_but_a_sentence(kept: Archive, open_page: OpenPage) -> None:
    kept.say("Stays")
    page = open_page("/fr/conversations", may_fail=True, extra_http_headers=SIGNED_IN)
    page.route("**/export?*", lambda route: route.abort())

    page.get_by_role("button", name="Actions pour Stays").click()
    page.get_by_role("menuitem", name="Word").click()

    expect(page.get_by_role("listitem").get_by_role("alert")).to_have_text("Le service est injoignable.")


def test_a_page_may_take_up_a_conversation_itself(kept: Archive, visit: Visit) -> None:
    chosen = kept.say("Take me")
    page = visit()
    page.evaluate(
        """() => document.querySelector('m-history').addEventListener('conversation-chosen', (event) => {
             event.preventDefault(); window.chosen = event.detail;
             document.querySelector('m-history').current = event.detail.id })"""
    )

    page.get_by_role("link", name="Take me").press("Enter")

    expect(page.get_by_role("link", name="Take me")).to_have_attribute("aria-current", "true")
    assert page.evaluate("window.chosen") == {"id": chosen, "persona": "beaver", "title": "Take me"}
    assert page.url.endswith("/en/conversations")


def test_people_without_a_name_have_their_list_in_this_browser_only(
    kept: Archive, open_page: OpenPage
) -> None:
    dam, moon = (kept.say(title, user=NOBODY) for title in ("Dams", "The moon"))
    page = open_page("/en/conversations")
    expect(listed(page)).to_contain_text("No conversations yet.")
    other_tab = page.context.new_page()
    other_tab.goto("/en/conversations")
    expect(listed(other_tab)).to_contain_text("No conversations yet.")

    remember(page, dam, "Dams", "Castors et étangs")
    remember(page, moon, "The moon")
    remember(page, dam, "And then?", "Mud.")
    expect(other_tab.locator(".history-link")).to_have_text(["Dams", "The moon"])
    page.reload()
    expect(page.locator(".history-link")).to_have_text(["Dams", "The moon"])
    page.get_by_role("searchbox").fill("etang MUD")
    expect(told(page)).to_have_text("1 conversation found")
    actions(page, "Dams").click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_role("textbox", name="New title").fill("Beavers")
    page.keyboard.press("Enter")
    expect(other_tab.locator(".history-link")).to_have_text(["Beavers", "The moon"])
    actions(other_tab, "The moon").click()
    other_tab.get_by_role("menuitem", name="Delete").click()
    other_tab.get_by_role("button", name="Delete", exact=True).click()
    expect(told(other_tab)).to_have_text("Deleted: The moon")

    elsewhere = open_page("/en/conversations")
    expect(listed(elsewhere)).to_contain_text("No conversations yet.")
    assert kept.title(dam) == "Beavers"
    with pytest.raises(MenagerieError):
        kept.title(moon)


def test_of_people_with_a_name_nothing_is_kept_in_the_browser(kept: Archive, visit: Visit) -> None:
    conversation = kept.say("Old")
    kept.say("New")
    page = visit()
    expect(page.locator(".history-link")).to_have_text(["New", "Old"])

    remember(page, conversation, "Anything", "Something said")

    expect(page.locator(".history-link")).to_have_text(["Old", "New"])
    assert page.evaluate("indexedDB.databases()") == []


def test_what_the_service_no_longer_has_can_still_be_deleted_here(kept: Archive, open_page: OpenPage) -> None:
    page = open_page("/en/conversations", may_fail=True)
    remember(page, "no-such-conversation", "Lost")
    actions(page, "Lost").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("button", name="Delete", exact=True).click()

    expect(told(page)).to_have_text("Deleted: Lost")
    page.reload()
    expect(listed(page)).to_contain_text("No conversations yet.")


@pytest.mark.parametrize(
    "broken",
    [
        "Object.defineProperty(window, 'indexedDB', { get() { throw new DOMException('no', 'SecurityError') } })",
        "indexedDB.open = () => { throw new DOMException('no', 'SecurityError') }",
        "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError') }",
    ],
)
def test_where_nothing_may_be_kept_the_list_lives_as_long_as_the_page_and_says_so(
    open_page: OpenPage, broken: str
) -> None:
    page = open_page("/en/about")
    page.add_init_script(broken)
    page.goto("/en/conversations")
    expect(listed(page)).to_contain_text("No conversations yet.")

    remember(page, "c1", "Dams", "Mud")
    page.get_by_role("searchbox").fill("mud")

    expect(told(page)).to_have_text("1 conversation found")
    expect(page.get_by_text("does not let these pages keep anything")).to_be_visible()


@pytest.mark.parametrize(
    "damage",
    [
        "indexedDB.open('menagerie.conversations', 9)",
        "indexedDB.open('menagerie.conversations', 1)",
    ],
)
def test_a_damaged_list_is_begun_anew(open_page: OpenPage, damage: str) -> None:
    page = open_page("/en/about")
    page.evaluate(
        f"""() => new Promise((done) => {{
              const request = {damage};
              request.onsuccess = () => {{ request.result.close(); done(); }} }})"""
    )
    page.goto("/en/conversations")

    remember(page, "c1", "Dams")
    expect(page.locator(".history-link")).to_have_text(["Dams"])
    page.reload()

    expect(page.locator(".history-link")).to_have_text(["Dams"])


def test_all_conversations_are_deleted_in_two_steps(kept: Archive, visit: Visit) -> None:
    for number in range(7):
        kept.say(f"Number {number}", persona="owl")
    page = visit()
    page.get_by_label("Persona", exact=True).select_option("Beaver")

    page.get_by_role("button", name="Delete all my conversations").press("Enter")
    dialogue = page.get_by_role("dialog", name="Delete all your conversations?")
    expect(dialogue).to_have_accessible_description(re.compile("What was said in 7 conversations"))
    expect(dialogue.get_by_role("button", name="Cancel")).to_be_focused()
    dialogue.get_by_role("button", name="Delete all").press("Enter")
    expect(dialogue.get_by_role("alert")).to_contain_text("Tick the box first")
    expect(dialogue.get_by_role("checkbox")).to_be_focused()
    assert len(kept.titles()) == 7
    page.keyboard.press("Space")
    page.keyboard.press("Enter")

    expect(page.locator("#forget").get_by_role("status")).to_have_text("All your conversations are deleted.")
    expect(page.get_by_role("button", name="Delete all my conversations")).to_be_focused()
    assert kept.titles() == []


def test_without_a_name_all_of_this_browsers_conversations_are_deleted_with_the_service_too(
    kept: Archive, open_page: OpenPage
) -> None:
    mine, others = (kept.say(title, user=NOBODY) for title in ("Mine", "Somebody else’s"))
    page = open_page("/fr/conversations")
    remember(page, mine, "Mine", "Mine")
    expect(page.locator(".history-link")).to_have_text(["Mine"])

    page.get_by_role("button", name="Supprimer toutes mes conversations").click()
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Tout supprimer").click()

    expect(page.get_by_text("Toutes vos conversations sont supprimées.")).to_be_visible()
    expect(listed(page)).to_contain_text("Aucune conversation")
    assert (
        page.evaluate(
            """() => new Promise((done) => {
             const request = indexedDB.open('menagerie.conversations');
             request.onsuccess = () => {
               const count = request.result.transaction('said').objectStore('said').count();
               count.onsuccess = () => done(count.result) } })"""
        )
        == 0
    )
    assert kept.title(others) == "Somebody else’s"
    with pytest.raises(MenagerieError):
        kept.title(mine)


def test_the_page_says_where_conversations_are_kept(visit: Visit, open_page: OpenPage) -> None:
    expect(visit().get_by_role("region", name="Where they are kept")).to_contain_text(
        "this service keeps your conversations under your name"
    )
    expect(open_page("/en/conversations").get_by_role("region", name="Where they are kept")).to_contain_text(
        "kept in this browser only"
    )


def test_the_keyboard_alone_leads_through_the_list(kept: Archive, visit: Visit) -> None:
    for title in ("Oldest", "Middle", "Newest"):
        kept.say(title)
    page = visit()

    page.get_by_label("Persona", exact=True).focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Newest")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Middle")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("link", name="Oldest")).to_be_focused()
    page.keyboard.press("Tab")
    expect(actions(page, "Oldest")).to_be_focused()
    page.keyboard.press("Home")
    expect(actions(page, "Newest")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("menu", name="Actions for Newest")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(page.get_by_role("link", name="Middle")).to_be_focused()
    actions(page, "Middle").click()
    expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    actions(page, "Middle").click()
    expect(page.get_by_role("menu")).to_have_count(0)


def test_what_a_screen_reader_finds_is_in_order_and_named(kept: Archive, visit: Visit) -> None:
    kept.say("What does a beaver build?")
    page = visit()

    expect(page.locator("m-history")).to_match_aria_snapshot(
        """
        - search:
          - text: Search conversations
          - searchbox "Search conversations"
          - text: Persona
          - combobox "Persona"
        - status
        - alert
        - region "Today":
          - heading "Today" [level=2]
          - list:
            - listitem:
              - link "What does a beaver build?"
              - paragraph: /Beaver/
              - button "Actions for What does a beaver build?"
        """
    )


def _menu(page: Page) -> None:
    page.locator(".history-actions").nth(1).click()
    expect(page.get_by_role("menuitem").first).to_be_focused()


def _rename(page: Page) -> None:
    page.keyboard.press("Escape")
    _menu(page)
    page.keyboard.press("Enter")
    expect(page.locator(".history-rename input")).to_be_focused()


def _delete(page: Page) -> None:
    page.keyboard.press("Escape")
    _menu(page)
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()


def _delete_all(page: Page) -> None:
    page.keyboard.press("Escape")
    page.locator(".forget-open").click()
    page.locator("dialog [type=submit]").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).not_to_be_empty()


def _nothing_found(page: Page) -> None:
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("giraffe")
    expect(told(page)).not_to_be_empty()


def _current(page: Page) -> None:
    page.evaluate(
        """() => { const list = document.querySelector('m-history');
             list.current = document.querySelector('.history-item').dataset.id; list.full = false;
             list.before(Object.assign(document.createElement('h2'), {textContent: 'List'})) }"""
    )
    expect(page.locator("[aria-current=true]").first).to_be_visible()


def _list(_page: Page) -> None:
    """As it opens."""


STATES: Final = {
    "list": _list,
    "current": _current,
    "menu": _menu,
    "rename": _rename,
    "delete": _delete,
    "delete all": _delete_all,
    "nothing found": _nothing_found,
}


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_wrong_in_any_state(
    kept: Archive, visit: Visit, axe: str, scheme: str, language: str
) -> None:
    for title in (HOSTILE, LONG, "Le castor", "Hello"):
        kept.say(title, language="fr" if title.startswith("Le") else "en")
    page = visit(f"/{language}/conversations", reduced_motion="reduce", **SCHEMES[scheme])
    found = {}
    for state, reach in STATES.items():
        reach(page)
        if wrong := violations(page, axe, contrast_decided=False):
            found[state] = wrong

    assert found == {}


@pytest.mark.parametrize("language", ["en", "fr"])
def test_nothing_is_cut_off_or_scrolls_sideways_with_text_twice_as_large(
    kept: Archive, visit: Visit, language: str
) -> None:
    for title in (HOSTILE, LONG, "x" * 300):
        kept.say(title)
    page = visit(f"/{language}/conversations", viewport={"width": 640, "height": 640})
    page.route(
        "**/larger.css", lambda route: route.fulfill(content_type="text/css", body="html { font-size: 200% }")
    )
    page.add_style_tag(url="/larger.css")
    for state, reach in STATES.items():
        reach(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state
        for inside in page.locator(".history-menu, dialog").all():
            box = inside.bounding_box()
            assert box, state
            assert box["x"] >= 0, state
            assert box["x"] + box["width"] <= 640, state
