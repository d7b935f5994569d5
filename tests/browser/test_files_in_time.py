"""A message and its files: it waits for them, in sight, unless the person says otherwise."""

from __future__ import annotations

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import OpenPage, ask
from tests.browser.theatre import Theatre


def _drop(page: Page, name: str) -> list[Route]:
    """Drop a text file onto the page. Its upload is held until the test lets it go."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/files?*", hold)
    expect(page.get_by_role("button", name="Add to your message")).to_be_visible()
    page.evaluate(
        """name => {
          const data = new DataTransfer();
          data.items.add(new File(["The canal is open."], name, { type: "text/plain" }));
          dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        name,
    )
    return held


def test_a_message_waits_in_sight_for_its_files(open_house: OpenPage, house: Theatre) -> None:
    page = open_house("/en/chat/beaver")

    held = _drop(page, "canal.txt")
    ask(page, "is it open?")
    expect(page.get_by_text("Your message goes as soon as your files are uploaded.")).to_have_count(2)
    expect(page.locator("#prompt")).to_have_value("is it open?")
    expect(page.get_by_role("progressbar", name="Upload of canal.txt")).to_be_visible()
    assert house.engine.prompts == []
    held[0].continue_()

    expect(page.locator(".about:visible")).to_have_count(1)
    expect(page.locator(".message-you")).to_contain_text("canal.txt")
    expect(page.locator("#prompt")).to_have_value("")
    expect(page.locator(".sending")).to_be_hidden()
    assert "The canal is open." in str(house.engine.requests[0])


def test_a_message_can_go_before_its_files_and_these_stay_for_the_next(
    open_house: OpenPage, house: Theatre
) -> None:
    page = open_house("/en/chat/beaver")

    held = _drop(page, "canal.txt")
    ask(page, "is it open?")
    page.get_by_role("button", name="Send without waiting").click()

    expect(page.locator(".about:visible")).to_have_count(1)
    expect(page.locator(".sent-along")).to_have_count(0)
    expect(page.locator(".material-chip")).to_contain_text("canal.txt")
    held[0].continue_()
    ask(page, "and now?")
    expect(page.locator(".message-you").last).to_contain_text("canal.txt")
    expect(page.locator(".about:visible")).to_have_count(2)


def test_a_message_whose_file_does_not_arrive_is_not_sent_unasked(
    open_house: OpenPage, house: Theatre
) -> None:
    page = open_house("/en/chat/beaver", may_fail=True)

    held = _drop(page, "canal.txt")
    ask(page, "is it open?")
    expect(page.get_by_role("button", name="Send without waiting")).to_be_visible()
    held[0].abort()
    expect(page.locator(".sending")).to_contain_text("A file was not added, so your message was not sent.")
    assert house.engine.prompts == []
    page.get_by_role("button", name="Send without it").click()

    expect(page.locator(".about:visible")).to_have_count(1)
    assert house.engine.prompts == ["is it open?"]


def test_a_text_is_pasted_into_a_message_as_text_and_a_picture_of_nothing_else_as_a_file(
    open_house: OpenPage, house: Theatre
) -> None:
    page = open_house("/en/chat/beaver")
    expect(page.get_by_role("button", name="Add to your message")).to_be_visible()
    paste = """text => {
      const data = new DataTransfer();
      if (text) data.setData("text/plain", text);
      if (text) data.setData("text/html", `<b>${text}</b>`);
      data.items.add(new File(["x"], "sheet.txt", { type: "text/plain" }));
      const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
      return document.getElementById("prompt").dispatchEvent(event);
    }"""

    assert page.evaluate(paste, "a cell"), "the field takes the text itself"
    expect(page.locator(".material-chip")).to_have_count(0)
    assert not page.evaluate(paste, "")
    expect(page.locator(".material-chip")).to_contain_text("sheet.txt")
