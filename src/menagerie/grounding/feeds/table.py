"""The table of feeds by subject: a TOML file, read strictly, so that a mistake in it is named and not guessed at."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.languages import OTHER
from menagerie.grounding.feeds.wording import Wording, wording
from menagerie.locales import LANGUAGES, Language, text

OURS: Final = Path(__file__).parent / "feeds.toml"
"""The table that comes with the service."""
LARGEST: Final = 1 << 20
"""Bytes of a table."""

_MOST: Final = 500
_MOST_WORDS: Final = 200
_LONGEST: Final = 300
_LONGEST_ADDRESS: Final = 2000
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_PLACE: Final = "{place}"

Texts = dict[Language, str]


class Place(msgspec.Struct, frozen=True):
    """One of the places that a feed is kept for, such as the cities of a forecast."""

    id: str
    code: str
    """What stands for it in the feed's addresses."""
    names: Texts
    words: tuple[Wording, ...]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A feed of the table, and the words that ask for it."""

    id: str
    titles: Texts
    abouts: Texts
    words: dict[Language, tuple[Wording, ...]]
    unless: dict[Language, tuple[Wording, ...]]
    """What tells that its words mean something else."""
    within: str = ""
    """The feed of which this is a topic: chosen in its place, where a prompt has words of both."""
    addresses: Texts
    places: tuple[Place, ...] = ()
    """The first is the one that is meant where none is named."""

    def title(self, language: Language, place: Place | None = None) -> str:
        """What it is called; of a place, where it has places."""
        title = _in(self.titles, language)
        return f"{title} – {_in(place.names, language)}" if place else title

    def about(self, language: Language) -> str:
        """What can be found there."""
        return _in(self.abouts, language)

    def address(self, language: Language, place: Place | None = None) -> str:
        """Where it is, for a place of its places: the first, unless another is given."""
        place = place or next(iter(self.places), None)
        return _in(self.addresses, language).replace(_PLACE, place.code if place else "")

    def place(self, name: str) -> Place | None:
        """The place of this id."""
        return next((place for place in self.places if place.id == name), None)


class FeedTableError(MenagerieError):
    """A table that cannot be used, and why. `values` fill the text `feeds.problem.<problem>`."""

    def __init__(self, file: Path, problem: str, **values: str | int) -> None:
        super().__init__(ErrorCode.FEEDS_INVALID, file=str(file), problem=problem)
        self._problem = problem
        self._details = values

    def message(self, language: Language) -> str:
        """The sentence for a person."""
        problem = text(f"feeds.problem.{self._problem}", language, **self._details)
        return text("error.feeds.invalid", language, file=self.values["file"], problem=problem)

    def __str__(self) -> str:
        return self.message("en")


def read_table(file: Path, plain: Callable[[str], bool] = lambda host: False) -> tuple[Subject, ...]:
    """The feeds of `file`. `plain` tells of a host whether http will do for it, as it may inside.

    Raises `FeedTableError`.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise FeedTableError(file, "too_large", limit=LARGEST)
        document = tomllib.loads(content.decode())
    except OSError as failure:
        raise FeedTableError(file, "unreadable") from failure
    except UnicodeDecodeError as failure:
        raise FeedTableError(file, "encoding") from failure
    except tomllib.TOMLDecodeError as failure:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(failure))
        line = int(place[1]) if place else content.count(b"\n") + 1
        raise FeedTableError(file, "syntax", line=line) from failure
    except RecursionError as failure:
        raise FeedTableError(file, "syntax", line=1) from failure
    return _Checked(file, plain).subjects(document)


class _Checked:
    """Reads what is in a table, and says of what is wrong where it is."""

    def __init__(self, file: Path, plain: Callable[[str], bool]) -> None:
        self._file = file
        self._plain = plain
        self._where = ""

    def subjects(self, document: dict[str, Any]) -> tuple[Subject, ...]:
        self._known(document, {"feed"})
        entries = self._list(document, "feed", _MOST)
        found: dict[str, Subject] = {}
        for number, entry in enumerate(entries, 1):
            self._where = f"feed[{number}]"
            subject = self._subject(self._table(entry, "feed"))
            if subject.id in found:
                raise self._wrong("twice", "id")
            found[subject.id] = subject
        for subject in found.values():
            self._where = subject.id
            if subject.within and (subject.within == subject.id or subject.within not in found):
                raise self._wrong("within", "within")
            if subject.within and found[subject.within].within:
                raise self._wrong("within", "within")
        return tuple(found.values())

    def _subject(self, entry: dict[str, Any]) -> Subject:
        self._known(entry, {"id", "title", "about", "words", "unless", "within", "url", "place"})
        name = self._matching(entry, "id", _ID)
        self._where = name
        places = tuple(
            self._place(self._table(one, "place")) for one in self._list(entry, "place", _MOST, optional=True)
        )
        if len({one.id for one in places}) < len(places):
            raise self._wrong("twice", "place.id")
        return Subject(
            id=name,
            titles=self._texts(entry, "title"),
            abouts=self._texts(entry, "about"),
            words=self._wordings(entry, "words"),
            unless=self._wordings(entry, "unless"),
            within=self._matching(entry, "within", _ID) if "within" in entry else "",
            addresses=self._addresses(entry, bool(places)),
            places=places,
        )

    def _place(self, entry: dict[str, Any]) -> Place:
        self._known(entry, {"id", "code", "name", "words"})
        names = self._texts(entry, "name")
        words = [*names.values(), *self._words(entry.get("words", []), "place.words")]
        return Place(
            self._matching(entry, "id", _ID),
            self._matching(entry, "code", _CODE),
            names,
            tuple(map(wording, words)),
        )

    def _addresses(self, entry: dict[str, Any], has_places: bool) -> Texts:
        addresses = self._texts(entry, "url", _LONGEST_ADDRESS)
        for address in addresses.values():
            try:
                parts = urlsplit(address.replace(_PLACE, "place"))
                host, named = parts.hostname or "", parts.username is not None
            except ValueError as failure:
                raise self._wrong("address", "url") from failure
            if parts.scheme != "https" and not (parts.scheme == "http" and self._plain(host)):
                raise self._wrong("address", "url")
            if not host or named or not address.isprintable() or " " in address:
                raise self._wrong("address", "url")
            if (_PLACE in address) is not has_places:
                raise self._wrong("places", "url")
        return addresses

    def _texts(self, entry: dict[str, Any], key: str, longest: int = _LONGEST) -> Texts:
        """One string for both languages, or one for each; one that lacks stands in for the other."""
        value = entry.get(key)
        if isinstance(value, str):
            value = dict.fromkeys(LANGUAGES, value)
        if not isinstance(value, dict) or not value or not set(value) <= set(LANGUAGES):
            raise self._wrong("texts", key)
        for said in value.values():
            if not isinstance(said, str) or not said.strip() or len(said) > longest:
                raise self._wrong("texts", key)
        return {language: str(said).strip() for language, said in value.items()}

    def _wordings(self, entry: dict[str, Any], key: str) -> dict[Language, tuple[Wording, ...]]:
        value = entry.get(key, {})
        if not isinstance(value, dict) or not set(value) <= set(LANGUAGES):
            raise self._wrong("words", key)
        return {
            language: tuple(map(wording, self._words(value.get(language, []), key))) for language in LANGUAGES
        }

    def _words(self, value: Any, key: str) -> list[str]:
        if not isinstance(value, list) or len(value) > _MOST_WORDS:
            raise self._wrong("words", key)
        for one in value:
            if not isinstance(one, str) or len(one) > _LONGEST or not wording(one).whole:
                raise self._wrong("words", key)
        return value

    def _matching(self, entry: dict[str, Any], key: str, pattern: re.Pattern[str]) -> str:
        value = entry.get(key)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self._wrong("id", key)
        return value

    def _list(self, entry: dict[str, Any], key: str, most: int, *, optional: bool = False) -> list[Any]:
        value = entry.get(key, [] if optional else None)
        if not isinstance(value, list) or len(value) > most or not (value or optional):
            raise self._wrong("list", key)
        return value

    def _table(self, value: Any, key: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong("list", key)
        return value

    def _known(self, entry: dict[str, Any], keys: set[str]) -> None:
        unknown = sorted(set(entry) - keys)
        if unknown:
            raise self._wrong("unknown", unknown[0][:40])

    def _wrong(self, problem: str, key: str) -> FeedTableError:
        where = f"{self._where}, {key}" if self._where else key
        return FeedTableError(self._file, problem, where=where)


def _in(texts: Texts, language: Language) -> str:
    return texts.get(language) or texts[OTHER[language]]
