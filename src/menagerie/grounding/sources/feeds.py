"""Feeds by subject: `feeds`, all of the table; `feed:<id>`, one of it; `feed:<id>/<place>`, one for a place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from menagerie.core.errors import MenagerieError
from menagerie.grounding.analysis import words_of
from menagerie.grounding.chunking import JOINER
from menagerie.grounding.document import Document, Passage
from menagerie.grounding.feeds.choosing import MOST, asked_for, places_named
from menagerie.grounding.feeds.current import FeedTable, may_be_read
from menagerie.grounding.feeds.feed import Entry, Feed, text_of
from menagerie.grounding.feeds.table import Place, Subject
from menagerie.grounding.source import Candidate, Kit, Lookup, Option, Source
from menagerie.locales import Language

log = structlog.get_logger("menagerie.grounding")

ALL: Final = "feeds"
ONE: Final = "feed:"


def source(kit: Kit) -> Source:
    """The source `feeds`."""
    return Feeds(kit)


class Feeds:
    """The feeds of the table. A place is named by who asks, or by the question, else it is the first of the feed."""

    kind = "feed"

    def __init__(self, kit: Kit) -> None:
        self.table = FeedTable(kit.settings)
        self._reader = kit.reader
        self._zone = ZoneInfo(kit.settings.timezone)
        self._offered = may_be_read(kit.settings)

    def serves(self, where: str) -> bool:
        """`feeds`, and what is in the table."""
        self.table.look_soon()
        return where == ALL or self._named(where) is not None

    def options(self, where: str, language: Language) -> Sequence[Option]:
        """Every feed of `feeds`; else the one that is named."""
        named = self._named(where)
        subjects = self.table.subjects if where == ALL else (named[0],) if named else ()
        return [
            Option(
                where if where != ALL else f"{ONE}{subject.id}",
                f"{subject.title(language, named[1] if named else None)} – {subject.about(language)}",
            )
            for subject in subjects
        ]

    def suggested(self, prompt: str, language: Language) -> Sequence[str]:
        """The feeds that the words of a prompt ask for, in either language; none where none could be read."""
        del language
        if not self._offered:
            return []
        self.table.look_soon()
        return [f"{ONE}{subject.id}" for subject in asked_for(self.table.subjects, prompt)]

    async def search(self, lookup: Lookup) -> Sequence[Candidate]:
        """The entries that have words of the question, and then the newest, of each feed in turn.

        A feed that cannot be read is left out; raises as `Reader.feed` where none can be.
        """
        await self.table.look()
        wanted = self._wanted(lookup)
        found = await asyncio.gather(
            *(self._candidates(*one, lookup) for one in wanted), return_exceptions=True
        )
        read: list[list[Candidate]] = []
        failed: list[BaseException] = []
        for (subject, _), one in zip(wanted, found, strict=False):
            if isinstance(one, BaseException):
                failed.append(one)
                if not isinstance(one, MenagerieError):
                    raise one
                log.info("feed.not_read", feed=subject.id, failure=str(one))
            else:
                read.append(one)
        if failed and not read:
            raise failed[0]
        turns = chain.from_iterable(zip_longest(*read))
        return [candidate for candidate in turns if candidate is not None][: lookup.most]

    async def read(self, candidate: Candidate, lookup: Lookup) -> Document:
        """The page of an entry."""
        return await self._reader.read(candidate.address, lookup.user.share)

    async def _candidates(self, subject: Subject, place: Place | None, lookup: Lookup) -> list[Candidate]:
        feed = await self._reader.feed(subject.address(lookup.language, place), lookup.user.share)
        heading = JOINER.join(filter(None, (subject.title(lookup.language, place), feed.title)))
        entries = await asyncio.to_thread(_fitting, feed, lookup, subject)
        return [self._candidate(entry, feed, heading) for entry in entries[: lookup.most]]

    def _candidate(self, entry: Entry, feed: Feed, heading: str) -> Candidate:
        address = entry.link or feed.address
        passage = Passage(
            kind=self.kind,
            text=f"{entry.title}\n{text_of(entry, self._zone, link=False)}".strip(),
            title=entry.title or heading,
            address=address,
            heading=heading,
            language=feed.language,
            read=feed.read,
        )
        return Candidate(
            kind=self.kind,
            title=passage.title,
            address=address,
            summary=entry.summary,
            language=feed.language,
            date=entry.published,
            passages=(passage,),
        )

    def _wanted(self, lookup: Lookup) -> list[tuple[Subject, Place | None]]:
        """The feeds that are looked at, each once, at most `MOST`."""
        found = [one for where in lookup.where for one in self._wanted_at(where, lookup)]
        by_address = {subject.address(lookup.language, place): (subject, place) for subject, place in found}
        return list(by_address.values())[:MOST]

    def _wanted_at(self, where: str, lookup: Lookup) -> Iterator[tuple[Subject, Place | None]]:
        named = self._named(where)
        if named and named[1]:
            yield named
            return
        said = f"{lookup.question} {lookup.terms}"
        for subject in (named[0],) if named else self._about(said, lookup.language):
            places = places_named(subject, said)
            yield from ((subject, place) for place in places or (next(iter(subject.places), None),))

    def _about(self, said: str, language: Language) -> Sequence[Subject]:
        """The feeds that a question asks for, or whose description has the most of its words."""
        asked = asked_for(self.table.subjects, said)
        if asked:
            return asked
        stems = set(words_of(said, language))
        shared = {
            subject.id: len(
                stems & set(words_of(f"{subject.title(language)} {subject.about(language)}", language))
            )
            for subject in self.table.subjects
        }
        best = max(shared.values(), default=0)
        return [one for one in self.table.subjects if best and shared[one.id] == best][:MOST]

    def _named(self, where: str) -> tuple[Subject, Place | None] | None:
        if not where.startswith(ONE):
            return None
        name, slash, of_place = where.removeprefix(ONE).partition("/")
        subject = self.table.get(name)
        if subject is None:
            return None
        place = subject.place(of_place)
        return (subject, place) if place or not slash else None


def _fitting(feed: Feed, lookup: Lookup, subject: Subject) -> list[Entry]:
    """Entries with the most words of the question first, those with as many as they are in the feed. The words that
    chose the feed are in all of its entries or in none, and tell nothing."""
    language: Language = "fr" if feed.language == "fr" else "en"
    told = {
        stem
        for wordings in (*subject.words.values(), *(place.words for place in subject.places))
        for one in wordings
        for phrase in one.phrases
        for stem in words_of(phrase, language)
    }
    asked = set(words_of(f"{lookup.question} {lookup.terms}", language)) - told
    return sorted(
        feed.entries,
        key=lambda entry: -len(asked & set(words_of(f"{entry.title} {entry.summary}", language))),
    )
