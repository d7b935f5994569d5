"""Somebody at a page: what they do and see there, by roles and by the catalogue's words in their language."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from menagerie.locales import Language, text
from tests.browser.theatre import Theatre


@dataclass(frozen=True)
class Visit:
    """A page of the whole application, and the language in which it is read."""

    page: Page
    house: Theatre
    language: Language

    def words(self, key: str, **values: object) -> str:
        """A text of the catalogue."""
        return text(key, self.language, **values)

    def in_words(self, english: str, french: str) -> str:
        """What a person says who reads this page."""
        return french if self.language == "fr" else english

    def go(self, path: str) -> None:
        """To a page, named without its language."""
        self.page.goto(f"/{self.language}/{path}")

    @property
    def composer(self) -> Locator:
        """Where one writes."""
        return self.page.get_by_label(self.words("page.chat.prompt"), exact=True)

    @property
    def log(self) -> Locator:
        """What was said."""
        return self.page.get_by_role("log")

    @property
    def messages(self) -> Locator:
        """What was said, one by one."""
        return self.log.get_by_role("article")

    @property
    def alert(self) -> Locator:
        """Where errors of the conversation are told."""
        return self.page.locator("main form").get_by_role("alert")

    def button(self, key: str, **values: object) -> Locator:
        """The visible button that is called so."""
        return self.page.get_by_role("button", name=self.words(key, **values), exact=True).locator(
            "visible=true"
        )

    def ask(self, prompt: str) -> None:
        """Write and send, with the keyboard."""
        self.composer.fill(prompt)
        self.composer.press("Enter")

    def streaming(self, prompt: str) -> None:
        """Ask, and see the beginning of an answer that waits in its middle."""
        self.ask(f"{prompt} (hold)")
        self.house.engine.wait_held()
        expect(self.button("page.chat.stop")).to_be_visible()
        expect(self.messages.last).to_contain_text(re.compile(r"\w{3}"))

    def answered(self, prompt: str, *, answers: int = 1) -> None:
        """Ask, and wait for the end of the answer."""
        self.ask(prompt)
        self.wait_answers(answers)

    def wait_answers(self, count: int) -> None:
        """Until so many answers account for themselves."""
        expect(self.accounts).to_have_count(count)

    @property
    def accounts(self) -> Locator:
        """“About this answer”, one below each answer that is ready."""
        return self.log.get_by_text(self.words("page.live.about"), exact=True).locator("visible=true")
