"""The words of a text as an index has them: folded, without the commonest, cut to their stems; English and French."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from typing import Final

import Stemmer

from menagerie.locales import Language

LANGUAGES: Final[tuple[Language, Language]] = ("en", "fr")

_WORD: Final = re.compile(r"[^\W_]+(?:[.,](?=\d)\d+)*")
_ELISION: Final = "\u02bc"
_JOINS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"['’](?:(?<=\b[cdjlmnstCDJLMNST].)|(?<=\b[Qq]u.)|(?<=[sio]qu.))(?=\w)"), f"{_ELISION} "),
    (re.compile(r"['’](?=hui\b)|['’][sS]\b"), ""),
    (re.compile(r"-t-(?=(?:ils?|elles?|on)\b)"), " "),
    (re.compile(r"-(?:(?<=\b[A-Za-z]-)(?=[A-Za-z0-9])|(?<=\b[Cc]o-)(?=\w))"), ""),
    (re.compile(r"\.(?<=\b[A-Z]\.)(?=[A-Z]\b)"), ""),
    (re.compile(r"(?<=\d)[\u00a0\u202f ](?=\d{3}(?!\d))"), ""),
)
"""What stands between the halves of words, and how they are read: `l'avis`, `Canada's`, `a-t-il`, `e-mail`, `C.R.A.`,
`1 200`. Each begins with what is rare, so that it is found fast."""

_ENGLISH: Final = """
a about after all also am an and any are as at be been being but by can could did do does each for from get had has have
he her here him his how i if in into is it its let many may me more most much must my no not of on only or other our out
please she should so some such tell than that the their them then there these they this those to us very was we were
what when where which who whom whose why will with would you your
"""
_FRENCH: Final = """
a afin ai ainsi alors au aucun aucune aussi autre autres aux avec avez avoir car ce cela celle celui ces cet cette ceux
chaque combien comme comment dans de des dois doit doivent donc du elle elles en entre es est et etaient etait etre
eu faire fait faut il ils j je la le les leur leurs lors lorsque lui ma mais me meme mes moi mon ne ni nos notre nous on
ont ou par pas peut peuvent peux plus pour puis quand que quel quelle quelles quels qui quoi sa sans se selon sera
seront ses si son sont sur ta te tel telle tes ton tous tout toute toutes tres tu un une vers vos votre vous y
"""
_COMMON: Final[dict[Language, frozenset[str]]] = {
    "en": frozenset(_ENGLISH.split()),
    "fr": frozenset(_FRENCH.split()),
}
_VARIANTS: Final = {
    "behaviour": "behavior",
    "cancelled": "canceled",
    "cancelling": "canceling",
    "catalogue": "catalog",
    "centre": "center",
    "cheque": "check",
    "colour": "color",
    "defence": "defense",
    "enrol": "enroll",
    "enrolment": "enrollment",
    "favour": "favor",
    "fulfil": "fulfill",
    "honour": "honor",
    "labour": "labor",
    "licence": "license",
    "neighbour": "neighbor",
    "offence": "offense",
    "practise": "practice",
    "programme": "program",
    "travelled": "traveled",
    "traveller": "traveler",
    "travelling": "traveling",
}
"""Canadian and American spellings of one word; of what ends in `s`, its plural is meant too."""
_IZE: Final = re.compile(r"(?<=[a-z]{3})is(?=(?:e[ds]?|ers?|ing|ations?)$)")
_ACCENTED: Final = (("iere", "ière"), ("erent", "èrent"), ("ite", "ité"), ("ee", "ée"))
"""Endings that the French stemmer knows by their accents only."""
_ALGORITHMS: Final[dict[Language, str]] = {"en": "english", "fr": "french"}
_MOST_KNOWN: Final = 20_000


def words_of(text: str, language: Language) -> list[str]:
    """The stems of `text`, in order, as both questions and documents of `language` are indexed by them. Some 10 MB a
    second."""
    known = _known(language)
    return [stem for stem in map(known.__getitem__, _WORD.findall(_joined(text))) if stem]


def question_words(question: str, language: Language) -> dict[Language, list[str]]:
    """The stems of a question, each once, to look it up in texts of either language. `language` is its own; of the
    other, its stems are without its own common words."""
    words = _WORD.findall(_joined(question))
    own = _known(language)
    asked = [word for word in words if own[word]] or words
    return {
        one: list(dict.fromkeys(stem for stem in map(_known(one).__getitem__, asked) if stem))
        for one in LANGUAGES
    }


def folded_text(text: str) -> str:
    """In lower case and without accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in decomposed if not unicodedata.combining(one))


def language_of_text(text: str) -> Language | None:
    """Which of the two languages a text is in, by its commonest words; None where it is not clear."""
    words = Counter(_WORD.findall(folded_text(text[:20_000].replace("’", " "))))
    english, french = (sum(words[word] for word in _COMMON[language]) for language in LANGUAGES)
    if english == french or max(english, french) * 20 < words.total():
        return None
    return "en" if english > french else "fr"


class _Known(dict[str, str]):
    """The stems of words as they are written; empty for common ones."""

    def __init__(self, language: Language) -> None:
        super().__init__()
        self._language = language
        self._common = _COMMON[language]
        self._stemmer = Stemmer.Stemmer(_ALGORITHMS[language])

    def __missing__(self, word: str) -> str:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        folded = folded_text(word)
        elided = word[-1] == _ELISION or folded in self._common
        stem = "" if elided else self._stem(folded)
        self[word] = stem
        return stem

    def _stem(self, word: str) -> str:
        if word[0].isdigit():
            return _number(word)
        if self._language == "fr":
            return folded_text(self._stemmer.stemWord(_with_accent(word)))
        stem: str = self._stemmer.stemWord(_american(word))
        return stem


class _OfThread(threading.local):
    """Stemmers are not to be shared by threads."""

    def __init__(self) -> None:
        self.tables = {language: _Known(language) for language in LANGUAGES}


_of_thread: Final = _OfThread()


def _known(language: Language) -> _Known:
    return _of_thread.tables[language]


def _joined(text: str) -> str:
    """`text`, as the words in it are to be read."""
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    for between, instead in _JOINS:
        text = between.sub(instead, text)
    return text


def _number(word: str) -> str:
    """One spelling for `1,200` and `1200`, and for `3,5` and `3.5`."""
    whole, comma, rest = word.partition(",")
    if comma and "," not in rest and "." not in rest and len(rest) != 3:
        return f"{whole}.{rest}"
    return word.replace(",", "")


def _with_accent(word: str) -> str:
    plural = "s" if word.endswith("s") else ""
    singular = word.removesuffix("s")
    for plain, accented in _ACCENTED:
        if singular.endswith(plain) and len(singular) > len(plain) + 1:
            return singular.removesuffix(plain) + accented + plural
    return word


def _american(word: str) -> str:
    plural = "s" if word.endswith("s") else ""
    singular = word.removesuffix("s")
    if singular in _VARIANTS:
        return _VARIANTS[singular] + plural
    return _IZE.sub("iz", word)
