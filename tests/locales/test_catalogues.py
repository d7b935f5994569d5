"""The catalogues: both languages say the same things, each in its own good manners."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from string import Formatter
from typing import Final

import pytest

from menagerie.locales import LANGUAGES, Language, catalogue, text

TOPICS: Final = sorted(
    entry.name.removesuffix(".json")
    for entry in resources.files("menagerie.locales").joinpath("en").iterdir()
    if entry.name.endswith(".json")
)
NO_BREAK: Final = "\u00a0"
NARROW: Final = "\u202f"

SAME_IN_BOTH: Final = re.compile(r"[\W\d_]*|[\W\d_]*(?:[\w.|]+[\W\d_]*){1,3}")
"""What may be the same in both languages: placeholders, names, signs, up to three words. Longer ones are listed."""
LONGER_SAME_IN_BOTH: Final[frozenset[str]] = frozenset()
FILLED_DIFFERENTLY: Final = frozenset({"time.spoken"})
"""Dates: each language takes what it says of the same parts."""
JOINED_ON: Final = "cli.argparse."
"""Texts of Python's argparse, with the blanks that it counts on."""


def read(language: Language, topic: str) -> dict[str, str]:
    """One file of the catalogue; a key twice fails."""

    def once(pairs: list[tuple[str, str]]) -> dict[str, str]:
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), (
            f"keys twice: {sorted(key for key in keys if keys.count(key) > 1)}"
        )
        return dict(pairs)

    file = resources.files("menagerie.locales").joinpath(language, f"{topic}.json")
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=once)
    return found


def placeholders(template: str) -> set[str]:
    """The names in braces of a text."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def prose(template: str) -> str:
    """A text without what is not prose: placeholders, addresses, code, times, wildcards."""
    return re.sub(r"\{[^}]*\}|https?://\S+|`[^`]*`|/[\w/.-]+|\d+:\d+|\* et \?", "x", template)


def french() -> Iterator[tuple[str, str]]:
    yield from catalogue("fr").items()


def test_both_languages_have_the_same_files() -> None:
    english, french = (
        sorted(entry.name for entry in resources.files("menagerie.locales").joinpath(language).iterdir())
        for language in LANGUAGES
    )
    assert english == french


@pytest.mark.parametrize("topic", TOPICS)
def test_both_languages_have_the_same_keys(topic: str) -> None:
    assert set(read("en", topic)) == set(read("fr", topic))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_files_say_the_same_key(language: Language) -> None:
    assert sum(len(read(language, topic)) for topic in TOPICS) == len(catalogue(language))


@pytest.mark.parametrize("topic", TOPICS)
def test_both_languages_have_the_same_placeholders(topic: str) -> None:
    english, french = read("en", topic), read("fr", topic)
    differing = {key for key in english if placeholders(english[key]) != placeholders(french[key])}
    assert differing <= FILLED_DIFFERENTLY


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_can_be_filled_in(language: Language) -> None:
    for key, template in catalogue(language).items():
        names = placeholders(template)
        assert all(re.fullmatch(r"[a-z_0-9]+", name) for name in names), key
        assert template == template.strip() or key.startswith(JOINED_ON), key
        assert template, key
        if names:
            assert text(key, language, **dict.fromkeys(names, "x"))
        else:
            assert "{{" not in template, f"{key}: filled in by nothing, so its braces would stay double"


def test_nothing_longer_than_a_few_words_is_the_same_in_both_languages() -> None:
    english, french = catalogue("en"), catalogue("fr")
    same = {
        key for key in english if english[key] == french[key] and not SAME_IN_BOTH.fullmatch(english[key])
    }
    assert same == LONGER_SAME_IN_BOTH


def test_french_has_a_no_break_space_before_a_colon() -> None:
    wrong = {key for key, said in french() if re.search(rf"[^{NO_BREAK}]:(?=\s|$)", prose(said))}
    assert wrong == set()


def test_french_has_no_break_spaces_inside_its_quotation_marks() -> None:
    wrong = {key for key, said in french() if re.search(rf"«(?!{NO_BREAK})|(?<!{NO_BREAK})»", said)}
    assert wrong == set()


def test_french_has_no_space_before_other_signs() -> None:
    """As in Canada: none before `;`, `!`, `?` (OQLF, Banque de dépannage linguistique)."""
    wrong = {key for key, said in french() if re.search(rf"[\s{NO_BREAK}{NARROW}][;!?](?=\s|$)", prose(said))}
    assert wrong == set()


def test_quotation_marks_and_apostrophes_are_those_of_each_language() -> None:
    straight = {
        (language, key)
        for language in LANGUAGES
        for key, said in catalogue(language).items()
        if re.search(r"\w'\w|(?<!\\)\"", prose(said))
    }
    assert straight == set()
    assert {key for key, said in catalogue("en").items() if re.search("[«»]", said)} == set()
    assert {key for key, said in french() if re.search("[“”]", said)} == set()


def test_french_is_not_english() -> None:
    english = re.compile(r"\b(?:the|and|your|email|chatbot|please|will)\b", re.IGNORECASE)
    assert {key for key, said in french() if english.search(prose(said))} == set()
