"""Which pages of a site's map may answer: by the words of a question in their addresses and titles. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from menagerie.core.languages import parse_language
from menagerie.grounding.analysis import words_of
from menagerie.grounding.search.map_reading import Listing
from menagerie.locales import Language

OTHER_LANGUAGE: Final = 0.4
"""What a page counts that says by its address that it is in another language than the question."""

_MARK: Final = re.compile(r"(?:^|[/_.-])(en|eng|fr|fra)(?=[/_.-]|$)", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"[\W_]+")
_ENDING: Final = re.compile(r"\.[a-z]{1,5}$", re.IGNORECASE)


class Entry(msgspec.Struct, frozen=True):
    """A page with the words that it is known by; `language` is empty where its address does not say."""

    address: str
    title: str
    words: frozenset[str]
    language: str
    date: datetime | None


def worded(listing: Listing, language: Language) -> Sequence[Entry]:
    """The pages of a listing, with their words as that language has them."""
    return [
        Entry(
            one.address,
            one.title or _title(one.address),
            frozenset(words_of(f"{_spoken(_path(one.address))} {one.title}", language)),
            language_of_address(one.address),
            one.date,
        )
        for one in listing.pages
    ]


def ranked(entries: Sequence[Entry], question: str, language: Language) -> Sequence[Entry]:
    """Those that have words of the question, the rarest and the most of them first; of equals, the shorter."""
    wanted = set(words_of(question, language))
    seen = Counter(word for entry in entries for word in entry.words & wanted)
    weight = {word: math.log(1 + len(entries) / count) for word, count in seen.items()}

    def score(entry: Entry) -> float:
        total = sum(weight[word] for word in entry.words & wanted)
        return total * (1 if entry.language in {"", language} else OTHER_LANGUAGE)

    scored = [(score(entry), -len(entry.words), entry) for entry in entries if entry.words & wanted]
    return [entry for _, _, entry in sorted(scored, key=lambda one: one[:2], reverse=True)]


def language_of_address(address: str) -> str:
    """`en` or `fr` where the path of an address says so, as `/fr/` or `…-eng.html`; else empty."""
    mark = _MARK.search(_path(address))
    return (parse_language(mark[1][:2]) or "") if mark else ""


def _path(address: str) -> str:
    try:
        return unquote(urlsplit(address).path)
    except ValueError:
        return ""


def _title(address: str) -> str:
    """What the last part of the path says, as words."""
    said = [_spoken(part) for part in _path(address).split("/")]
    last = next((part for part in reversed(said) if part and not part.replace(" ", "").isdigit()), "")
    return (last[:1].upper() + last[1:]) or address


def _spoken(part: str) -> str:
    return _BETWEEN.sub(" ", _MARK.sub("", _ENDING.sub("", part))).strip()
