"""The work of `menagerie facts`: places into a collection, passages into vectors, documents out of it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from menagerie.cli.exits import CommandError, Exit
from menagerie.cli.facts_bar import FactsBar
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.numbers import number_text
from menagerie.grounding.facts.access import ADMINISTRATOR
from menagerie.grounding.facts.ingest import Outcome
from menagerie.grounding.facts.service import FactBases
from menagerie.locales import Language, text
from menagerie.store.facts.collections import Collection
from menagerie.store.facts.documents import DocumentRecord
from menagerie.web.facts import failure_of

_ADDRESS: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_ASKS_S: Final = 1.0
_PATIENCE_S: Final = 60.0
"""Seconds without a new vector after which nobody waits for the service any more."""
_MOST_SHOWN: Final = 20
_NO_MODEL: Final = frozenset({ErrorCode.EMBEDDINGS_OFF, ErrorCode.MODEL_MISSING})


class Done(msgspec.Struct, frozen=True):
    """What was done with places."""

    read: int = 0
    removed: int = 0
    skipped: Mapping[str, int] = {}
    failed: tuple[DocumentRecord, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    """What is wrong with folders, each with its path."""

    @classmethod
    def of(cls, outcome: Outcome, path: str) -> Done:
        """What following folders has done."""
        problems = ((outcome.problem, path),) if outcome.problem else ()
        return cls(outcome.read, outcome.removed, outcome.skipped, outcome.failed, problems)

    def __add__(self, other: Done) -> Done:
        return Done(
            self.read + other.read,
            self.removed + other.removed,
            Counter(self.skipped) + Counter(other.skipped),
            self.failed + other.failed,
            self.problems + other.problems,
        )

    def lines(self, language: Language) -> Iterator[str]:
        """What a person should know of it."""
        for problem, path in self.problems:
            yield text(f"cli.facts.problem.{problem}", language, path=path)
        if self.removed:
            yield text("cli.facts.gone", language, count=number_text(self.removed, language))
        for kind, count in sorted(self.skipped.items()):
            yield text(f"cli.facts.skipped.{kind}", language, count=number_text(count, language))
        for record in self.failed[:_MOST_SHOWN]:
            reason = failure_of(record).message(language)
            yield text("cli.facts.failed", language, name=record.name, reason=reason)
        if any(record.code == ErrorCode.SOURCE_REFUSED for record in self.failed):
            yield text("cli.facts.refused", language)
        if (more := len(self.failed) - _MOST_SHOWN) > 0:
            yield text("cli.facts.failed_more", language, count=number_text(more, language))


class Embedding(msgspec.Struct, frozen=True):
    """How embedding ended: `key` is what is said of it, if anything."""

    key: str = ""
    reason: MenagerieError | None = None

    def lines(self, language: Language) -> Iterator[str]:
        """What a person should know of it."""
        if self.reason is not None:
            yield self.reason.message(language)
        if self.key:
            yield text(self.key, language)


async def add_place(
    bases: FactBases, collection: Collection, place: str, *, watched: bool, bar: FactsBar
) -> Done:
    """Put what is at a place into a collection: a folder, a file, or what is at an address."""
    if _ADDRESS.fullmatch(place):
        begun = await bases.add_address(collection.name, ADMINISTRATOR, place)
        record = await bases.arrivals.settled(begun)
        return Done(read=1, failed=(record,) if record.state == "failed" else ())
    path = Path(place)
    if await asyncio.to_thread(path.is_dir):
        outcome = await bases.add_folder(collection.name, path, watched=watched, progress=bar.reading)
        return Done.of(outcome, place)
    if not await asyncio.to_thread(path.is_file):
        return Done(problems=(("nowhere", place),))
    record = await bases.add_file(collection.name, path)
    return Done(read=1, failed=(record,) if record.state == "failed" else ())


async def embed(bases: FactBases, collection: Collection, bar: FactsBar) -> Embedding:
    """Have all passages embedded: here, or by the service that runs, which this then waits for."""
    if not await bases.facts.model():
        return Embedding("cli.facts.words_only")
    summary = await bases.summary(collection.name, ADMINISTRATOR)
    done = summary.embedded

    def told(more: int) -> None:
        nonlocal done
        done = min(done + more, summary.passages)
        bar.embedding(done, summary.passages)

    with bases.duty.held() as mine:
        if mine:
            try:
                await bases.duty.embed_all(told)
            except MenagerieError as failure:
                return Embedding("cli.facts.embedded_later", failure)
            return Embedding()
    return await _wait(bases, collection, bar)


async def _wait(bases: FactBases, collection: Collection, bar: FactsBar) -> Embedding:
    embedded, waited = -1, 0.0
    while waited < _PATIENCE_S:
        summary = await bases.summary(collection.name, ADMINISTRATOR)
        if summary.embedded >= summary.passages:
            return Embedding()
        waited = 0.0 if summary.embedded != embedded else waited + _ASKS_S
        embedded = summary.embedded
        bar.embedding(embedded, summary.passages)
        await asyncio.sleep(_ASKS_S)
    return Embedding("cli.facts.embedded_later")


async def remove_document(bases: FactBases, name: str, word: str, language: Language) -> str:
    """Remove the document, or the folder's documents, that a word names: by id, path, address or name. Raises
    `document.unknown`. Gives what to say."""
    path = await asyncio.to_thread(lambda: Path(word).resolve())
    removed = await bases.remove_folder(name, path)
    if removed is not None:
        count = number_text(removed, language)
        return text("cli.facts.removed_folder", language, path=path, count=count)
    found = await _named(bases, name, word, str(path))
    await bases.remove_document(name, found.id, ADMINISTRATOR)
    key = "removed_document" if found.folder is None else "removed_file"
    return text(f"cli.facts.{key}", language, document=found.name, name=name)


async def _named(bases: FactBases, name: str, word: str, path: str) -> DocumentRecord:
    same: list[DocumentRecord] = []
    after = ""
    while page := await bases.documents(name, ADMINISTRATOR, limit=1000, after=after):
        for record in page:
            if word == record.id or record.origin in {word, path}:
                return record
            if word == record.name:
                same.append(record)
        after = page[-1].id
    if len(same) > 1:
        raise CommandError(Exit.USAGE, [f"{record.id}  {record.origin}" for record in same])
    if not same:
        raise MenagerieError(ErrorCode.DOCUMENT_UNKNOWN)
    return same[0]
