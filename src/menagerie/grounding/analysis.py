"""The words of a text as an index has them: folded, without the commonest, cut to their stems; English and French."""

from __future__ import annotations

import functools
import re
import threading
import unicodedata
from typing import Final

import Stemmer

from menagerie.locales import Language

_WORD: Final = re.compile(r"[^\W_]+(?:[.,](?=\d)\d+)*")
_ELIDED: Final = re.compile(r"\b(?:[cdjlmnst]|qu|lorsqu|puisqu|jusqu)['’](?=\w)", re.IGNORECASE)
_POSSESSIVE: Final = re.compile(r"['’]s\b", re.IGNORECASE)
_ENGLISH: Final = """
a about after all also an and any are as at be been but by can could did do does for from had has have he her his how i
if in into is it its may me my no not of on or our she should so some than that the their them then there these they
this to us was we were what when where which who why will with would you your
"""
_FRENCH: Final = """
a ai au aux avec avez avoir car ce ces cet cette comment dans de des dois doit donc du elle elles en est et etre eu il
ils j je la le les leur leurs lui ma mais me mes mon ne nos notre nous on ont ou par pas peut peuvent peux plus pour
quand que quel quelle quelles quels qui quoi sa sans se ses si son sont sur ta te tes ton tu un une vos votre vous y
"""
_COMMON: Final[dict[Language, frozenset[str]]] = {
    "en": frozenset(_ENGLISH.split()),
    "fr": frozenset(_FRENCH.split()),
}
_ALGORITHMS: Final[dict[Language, str]] = {"en": "english", "fr": "french"}
_of_thread: Final = threading.local()


def words_of(text: str, language: Language) -> list[str]:
    """The words of `text`, in order, as both questions and documents of `language` are indexed by them."""
    folded = folded_text(_POSSESSIVE.sub("", _ELIDED.sub(" ", text)))
    common = _COMMON[language]
    return [_stem(word, language) for word in _WORD.findall(folded) if word not in common]


def folded_text(text: str) -> str:
    """In lower case and without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in decomposed if not unicodedata.combining(one))


@functools.lru_cache(maxsize=65_536)
def _stem(word: str, language: Language) -> str:
    stemmers: dict[str, Stemmer.Stemmer] = _of_thread.__dict__
    if language not in stemmers:
        stemmers[language] = Stemmer.Stemmer(_ALGORITHMS[language])
    stem: str = stemmers[language].stemWord(word)
    return stem


def language_of_text(text: str) -> Language | None:
    """Which of the two languages a text is in, by its commonest words; None where it is not clear."""
    words = _WORD.findall(folded_text(text[:20_000]))
    english, french = (sum(word in _COMMON[language] for word in words) for language in ("en", "fr"))
    if english == french or max(english, french) * 20 < len(words):
        return None
    return "en" if english > french else "fr"
