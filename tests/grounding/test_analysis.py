"""The words of texts: what is the same word to a reader is the same stem to the index."""

from __future__ import annotations

import time

import pytest

from menagerie.grounding.analysis import language_of_text, question_words, words_of
from menagerie.locales import Language

FRENCH = (
    "Les élèves de l’école présentent une demande d'admission avant l’été, à moins d'avoir 1 200 points. "
)
ENGLISH = (
    "Anyone in Canada may ask a federal institution's staff for the records that it keeps (1,200 pages). "
)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("fr", "élève", "eleves"),
        ("fr", "élève", "e\u0301le\u0300ves"),
        ("fr", "admissibilité", "ADMISSIBILITE"),
        ("fr", "demandées", "demandée"),
        ("fr", "demandees", "demandé"),
        ("fr", "première", "premiere"),
        ("fr", "l’impôt", "impots"),
        ("fr", "jusqu’ici", "ici"),
        ("fr", "aujourd'hui", "aujourd’hui"),
        ("fr", "1 200", "1\u00a0200"),
        ("fr", "1\u202f200,50", "1200.50"),
        ("fr", "3,5", "3.5"),
        ("en", "passports", "Passport’s"),
        ("en", "1,200", "1200"),
        ("en", "e-mail", "emails"),
        ("en", "C.R.A.", "CRA"),
        ("en", "T-4", "T4"),
        ("en", "licences", "license"),
        ("en", "organisation", "organization"),
        ("en", "co-op", "coop"),
    ],
)
def test_what_is_one_word_to_a_reader_has_one_stem(language: Language, one: str, other: str) -> None:
    assert words_of(one, language) == words_of(other, language) != []


def test_common_words_are_left_out_but_no_word_that_only_looks_like_one() -> None:
    assert words_of("Que dois-je faire si l’on n’a pas été payé ?", "fr") == ["ete", "pay"]
    assert words_of("Est-ce qu’il y a-t-il eu d’autres étés ?", "fr") == ["ete"]
    assert words_of("What is to be done about it?", "en") == ["done"]


def test_a_question_is_looked_up_in_both_languages_without_its_own_common_words() -> None:
    words = question_words("What does Service Canada ask for a passport, and when a passport?", "en")
    assert words == {
        "en": ["servic", "canada", "ask", "passport"],
        "fr": ["servic", "canad", "ask", "passport"],
    }
    assert question_words("What is it?", "en")["en"] == []


def test_a_text_is_in_the_language_of_its_common_words() -> None:
    assert language_of_text(FRENCH) == "fr"
    assert language_of_text(ENGLISH) == "en"
    assert language_of_text("1,200 passports: 57 dollars") is None
    assert language_of_text("") is None


@pytest.mark.parametrize(("text", "language"), [(FRENCH, "fr"), (ENGLISH, "en")])
def test_a_megabyte_takes_less_than_a_second(text: str, language: Language) -> None:
    text *= 1_000_000 // len(text)
    began = time.perf_counter()
    words_of(text, language)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "hostile", ["'" * 100_000, "1.1," * 50_000, "a-" * 50_000, "é\u0301" * 50_000, "q" * 200_000]
)
def test_no_text_takes_long(hostile: str) -> None:
    began = time.perf_counter()
    for language in ("en", "fr"):
        words_of(hostile, language)
    assert time.perf_counter() - began < 2
