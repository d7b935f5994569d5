"""Every page and every state of it, and how one comes to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from playwright.sync_api import Page, expect

from menagerie.locales import Language
from tests.browser.theatre import Theatre
from tests.browser.visit import Visit

Reach = Callable[[Visit], None]


def _nothing(_: Visit) -> None:
    """The page as it opens."""


def _streaming(visit: Visit) -> None:
    visit.streaming(visit.in_words("Tell me about dams", "Parlez-moi des barrages, en français"))


def _queued(visit: Visit) -> None:
    visit.house.takes_the_only_place("marmot")
    visit.ask(visit.in_words("And I wait", "Et j’attends, en français"))
    expect(visit.page.locator("main")).to_contain_text(visit.words("page.live.queued", position=1)[:20])


def _answered(visit: Visit) -> None:
    visit.answered(visit.in_words("A table, code and maths", "Un tableau (table, code et maths)"))
    visit.accounts.last.click()


def _rests_on_a_source(visit: Visit) -> None:
    asked = visit.in_words("How many days of leave?", "Combien de jours de congé (leave)?")
    visit.answered(f"{visit.house.engine.url}/page {asked}")
    visit.accounts.last.click()


def _hostile(visit: Visit) -> None:
    visit.answered(visit.in_words("Something hostile", "Quelque chose d’hostile"))


def _failed(visit: Visit) -> None:
    visit.ask(visit.in_words("Please fail", "Échouez (fail)"))
    expect(visit.alert).not_to_be_empty()


def _stopped(visit: Visit) -> None:
    visit.streaming(visit.in_words("Stop me", "Arrêtez, en français"))
    visit.button("page.chat.stop").click()
    expect(visit.log).to_contain_text(visit.words("page.live.stopped"))


def _lost(visit: Visit) -> None:
    visit.ask(visit.in_words("This is lost", "Ceci se perd (lost), en français"))
    expect(visit.alert).not_to_be_empty()


def _editing(visit: Visit) -> None:
    visit.answered(visit.in_words("What is a dam?", "Qu’est-ce qu’un barrage, en français?"))
    visit.button("page.live.edit").click()


def _in_versions(visit: Visit) -> None:
    visit.answered(visit.in_words("What is a dam?", "Qu’est-ce qu’un barrage, en français?"))
    visit.button("page.live.again").click()
    expect(visit.log).to_contain_text(visit.words("page.live.version", number=2, count=2))
    visit.wait_answers(1)


def _commenting(visit: Visit) -> None:
    visit.answered(visit.in_words("What is a dam?", "Qu’est-ce qu’un barrage, en français?"))
    visit.button("page.live.bad").click()
    expect(visit.page.get_by_label(visit.words("page.live.comment.label"))).to_be_visible()


def _scrolled_back(visit: Visit) -> None:
    visit.answered(visit.in_words("A long answer", "Une longue réponse (long)"))
    visit.messages.first.scroll_into_view_if_needed()
    visit.page.evaluate("() => scrollTo(0, 0)")
    expect(visit.button("page.chat.newest")).to_be_visible()


def _unknown(visit: Visit) -> None:
    expect(visit.page.locator("main")).to_contain_text(visit.words("page.live.unknown"))


def _adding(visit: Visit) -> None:
    visit.button("page.live.material.heading").click()
    expect(visit.page.get_by_role("dialog")).to_be_visible()


def _adding_text(visit: Visit) -> None:
    _adding(visit)
    visit.page.get_by_role("dialog").get_by_text(visit.words("page.live.material.custom"), exact=True).click()
    expect(visit.page.get_by_label(visit.words("page.live.material.custom.label"))).to_be_visible()


def _added(visit: Visit) -> None:
    _adding_text(visit)
    visit.page.get_by_label(visit.words("page.live.material.custom.label")).fill("mud, willow")
    visit.button("page.live.material.take").click()
    expect(visit.page.get_by_role("list", name=visit.words("page.live.material.tray"))).to_be_visible()


def _with_a_past(visit: Visit) -> None:
    visit.answered(visit.in_words("What is a dam?", "Qu’est-ce qu’un barrage, en français?"))
    kept = visit.page.get_by_role("complementary").get_by_role("link")
    expect(kept.first).to_be_visible()
    visit.go("conversations")
    expect(visit.page.locator("main").get_by_role("listitem").first).to_be_visible()


def _acting(visit: Visit) -> None:
    _with_a_past(visit)
    visit.page.locator("main [aria-haspopup=menu]").first.click()
    expect(visit.page.get_by_role("menu")).to_be_visible()


def _naming(visit: Visit) -> None:
    _acting(visit)
    visit.page.get_by_role("menuitem", name=visit.words("page.live.history.rename"), exact=True).click()
    expect(visit.button("page.live.history.rename.save")).to_be_visible()


def _deleting(visit: Visit) -> None:
    _acting(visit)
    visit.page.get_by_role("menuitem", name=visit.words("page.live.history.delete"), exact=True).click()
    expect(visit.page.get_by_role("dialog")).to_be_visible()


def _settings(visit: Visit) -> None:
    visit.button("page.nav.settings").click()
    expect(visit.page.get_by_role("dialog")).to_be_visible()


def _paused(visit: Visit) -> None:
    """What is renewed meanwhile cannot be looked at."""
    visit.button("page.stats.live.pause").click()


STATES: Final[dict[str, tuple[str, Reach]]] = {
    "directory": ("chat", _nothing),
    "directory, search": ("chat?q=owl", _nothing),
    "directory, nothing found": ("chat?q=zzzz", _nothing),
    "empty": ("chat/owl", _nothing),
    "only in French": ("chat/huard", _nothing),
    "streaming": ("chat/beaver", _streaming),
    "queued": ("chat/marmot", _queued),
    "answered": ("chat/beaver", _answered),
    "source": ("chat/beaver", _rests_on_a_source),
    "hostile": ("chat/beaver", _hostile),
    "stopped": ("chat/beaver", _stopped),
    "failed": ("chat/beaver", _failed),
    "lost": ("chat/beaver", _lost),
    "editing": ("chat/beaver", _editing),
    "in two versions": ("chat/beaver", _in_versions),
    "commenting": ("chat/beaver", _commenting),
    "scrolled back": ("chat/beaver", _scrolled_back),
    "unknown conversation": ("chat/beaver#c=urn:uuid:00000000-0000-4000-8000-000000000000", _unknown),
    "adding": ("chat/otter", _adding),
    "adding a text": ("chat/otter", _adding_text),
    "a text goes along": ("chat/otter", _added),
    "no past": ("conversations", _nothing),
    "a past": ("chat/beaver", _with_a_past),
    "acting on a conversation": ("chat/beaver", _acting),
    "naming a conversation": ("chat/beaver", _naming),
    "deleting a conversation": ("chat/beaver", _deleting),
    "about": ("about", _nothing),
    "interfaces": ("docs", _nothing),
    "privacy": ("privacy", _nothing),
    "accessibility": ("accessibility", _nothing),
    "settings": ("settings", _nothing),
    "settings open": ("chat", _settings),
    "stats": ("platform/stats", _paused),
    "error": ("chat/nobody", _nothing),
}


def in_every_state(page: Page, house: Theatre, language: Language) -> Iterator[tuple[str, Visit]]:
    """One page, led through all states: opening another takes longer than looking at it."""
    visit = Visit(page, house, language)
    for name, (path, reach) in STATES.items():
        house.engine.forget()
        visit.go("about")  # what the last page keeps as it is left is to be forgotten, too
        page.evaluate("() => { sessionStorage.clear(); localStorage.clear(); }")
        visit.go(path)
        reach(visit)
        yield name, visit
