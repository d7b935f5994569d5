"""Every page in every state speaks one language, well set, and says so where it quotes the other."""

from __future__ import annotations

import pytest

from menagerie.locales import LANGUAGES, Language
from tests.browser.conftest import OpenPage
from tests.browser.reading import is_of_the_other_language, said_on, wrongly_set
from tests.browser.states import in_every_state
from tests.browser.theatre import Theatre


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_state_of_any_page_says_something_in_the_other_language_or_sets_it_wrongly(
    open_house: OpenPage, house: Theatre, language: Language
) -> None:
    page = open_house(f"/{language}/about", locale=f"{language}-CA", may_fail=True)
    wrong: dict[str, list[str]] = {}
    for state, _ in in_every_state(page, house, language):
        assert page.locator("html").get_attribute("lang") == f"{language}-CA"
        said = said_on(page, language)
        assert len(said) > 10, state
        for one in said:
            if is_of_the_other_language(one, language):
                wrong.setdefault(one, []).append(state)
            for why in wrongly_set(one, language):
                wrong.setdefault(f"{one}: {why}", []).append(state)

    assert not wrong, "\n".join(f"{one} ({', '.join(states)})" for one, states in wrong.items())
