"""What is deleted, or somebody else's, does not come back out of what a browser remembers."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, ask
from tests.browser.theatre import Theatre

SECRET = "count the secret things"


def answered(page: Page) -> None:
    """Wait until the answer accounts for itself."""
    expect(page.locator(".about:visible")).to_have_count(1)


def remembered(page: Page) -> str:
    """All that this tab keeps."""
    return str(page.evaluate("JSON.stringify({...sessionStorage})"))


def said(page: Page) -> str:
    return page.locator("#log").inner_text()


def test_a_conversation_that_was_deleted_elsewhere_is_shown_no_more(
    open_house: OpenPage, house: Theatre
) -> None:
    page = open_house("/en/chat/beaver", may_fail=True)
    ask(page, SECRET)
    answered(page)
    address = page.url
    deleted = page.evaluate(
        """async () => (await fetch("/conversations/" + encodeURIComponent(
          new URLSearchParams(location.hash.slice(1)).get("c")), { method: "DELETE" })).status"""
    )
    assert deleted == 204

    page.goto("/en/about")
    page.goto(address)

    expect(page.locator("#alert")).not_to_be_empty()
    assert "secret" not in said(page)
    assert "secret" not in remembered(page)


def test_deleting_on_the_page_of_conversations_empties_the_tab(open_house_signed_in: OpenPage) -> None:
    page = open_house_signed_in("/en/chat/beaver")
    ask(page, SECRET)
    answered(page)
    page.goto("/en/conversations")
    assert "secret" in remembered(page)

    page.get_by_role("button", name="Delete all").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Yes, delete all of them for good").check()
    dialog.get_by_role("button", name="Delete all").click()
    expect(page.get_by_role("link", name=SECRET)).to_have_count(0)

    assert "secret" not in remembered(page)


def test_the_next_person_in_the_same_tab_finds_nothing_of_the_one_before(
    open_house: OpenPage, house: Theatre
) -> None:
    page = open_house("/en/chat/beaver", may_fail=True)
    ask(page, SECRET)
    answered(page)

    page.route("**/en/chat/beaver", lambda route: route.fulfill(body=as_somebody_else(route.fetch().text())))
    page.goto("/en/about")
    page.goto("/en/chat/beaver")

    expect(page.locator("#chat")).not_to_have_class("is-begun")
    assert "secret" not in remembered(page)


def as_somebody_else(page: str) -> str:
    """The page as the service makes it for another person."""
    before, marker, after = page.partition("&#34;who&#34;: &#34;")
    assert marker
    return f"{before}{marker}f{after[1:]}"


def test_a_persona_chosen_anew_begins_a_conversation_of_its_own(open_house: OpenPage) -> None:
    page = open_house("/en/chat/beaver")
    ask(page, "count")
    answered(page)

    page.goto("/en/chat")
    page.get_by_role("link", name="Beaver").first.click()

    expect(page.locator(".message-you")).to_have_count(0)
    page.go_back()
    page.go_back()
    expect(page.locator(".message-you")).to_have_count(1)
