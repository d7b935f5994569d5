"""`menagerie feeds`: list the feeds by subject, check their table and whether they answer."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from menagerie.cli.exits import CommandError, Exit, wanted_settings
from menagerie.core.errors import MenagerieError
from menagerie.grounding.feeds.current import FeedTable, may_be_read
from menagerie.grounding.feeds.feed import Feed, date_text
from menagerie.grounding.feeds.table import Place, Subject
from menagerie.grounding.feeds.wording import Wording
from menagerie.grounding.reader import MOST_EACH, Reader
from menagerie.locales import LANGUAGES, Language, text
from menagerie.settings import Settings

LINE_S: Final = 2.0
"""Seconds between two lines of progress."""
_SHARE: Final = "feeds check"


class _Asked(msgspec.Struct, frozen=True):
    """A feed at one of its addresses."""

    name: str
    language: Language
    address: str


def run(arguments: Namespace, language: Language) -> int:
    """`list` or `check`."""
    settings = wanted_settings(language)
    table = FeedTable(settings)
    if table.problem:
        raise CommandError(Exit.USAGE, [table.problem.message(language)])
    if arguments.action == "list":
        print("\n\n".join(_list(table, language)))
        return Exit.DONE
    print(text("cli.feeds.sound", language, file=table.file, count=len(table.subjects)))
    if not may_be_read(settings):
        print(text("cli.feeds.not_asked", language))
        return Exit.DONE
    asked = [one for subject in table.subjects for one in _addresses(subject, every=arguments.all)]
    failed = asyncio.run(_check(settings, asked, language))
    if failed:
        raise CommandError(Exit.FAILED, [text("cli.feeds.failed", language, failed=failed, total=len(asked))])
    return Exit.DONE


def _list(table: FeedTable, language: Language) -> Iterator[str]:
    yield text("cli.feeds.table", language, file=table.file)
    for subject in table.subjects:
        lines = [f"{subject.id} – {subject.title(language)}"]
        if subject.within:
            lines.append(text("cli.feeds.within", language, feed=subject.within))
        words = "; ".join(map(_written, subject.words[language]))
        lines.append(
            text("cli.feeds.words", language, words=words) if words else text("cli.feeds.no_words", language)
        )
        if subject.places:
            places = ", ".join(place.id for place in subject.places)
            lines.append(text("cli.feeds.places", language, places=places))
        lines.append(subject.address(language))
        yield "\n    ".join(lines)


def _written(wording: Wording) -> str:
    return ("= " if wording.alone else "") + " + ".join(phrase.strip() for phrase in wording.phrases)


def _addresses(subject: Subject, *, every: bool) -> Iterator[_Asked]:
    places: tuple[Place | None, ...] = subject.places if every else subject.places[:1]
    for place in places or (None,):
        name = f"{subject.id}/{place.id}" if place else subject.id
        for language in LANGUAGES:
            if language in subject.addresses:
                yield _Asked(name, language, subject.address(language, place))


async def _check(settings: Settings, asked: list[_Asked], language: Language) -> int:
    """Read all feeds, a few at a time, and print what each is; how many cannot be read."""
    reader, zone = Reader(settings), ZoneInfo(settings.timezone)
    places = asyncio.Semaphore(MOST_EACH)

    async def read(one: _Asked) -> Feed | MenagerieError:
        async with places:
            try:
                return await reader.feed(one.address, _SHARE)
            except MenagerieError as failure:
                return failure

    try:
        reading = [asyncio.create_task(read(one)) for one in asked]
        progress = asyncio.create_task(_tell(reading, language))
        failed = 0
        for one, task in zip(asked, reading, strict=True):
            found = await task
            failed += isinstance(found, MenagerieError)
            print(_line(one, found, zone, language), flush=True)
        progress.cancel()
        return failed
    finally:
        await reader.close()


async def _tell(reading: list[asyncio.Task[Feed | MenagerieError]], language: Language) -> None:
    while True:
        await asyncio.sleep(LINE_S)
        done = sum(task.done() for task in reading)
        print(
            text("cli.feeds.checking", language, done=done, total=len(reading)), file=sys.stderr, flush=True
        )


def _line(asked: _Asked, found: Feed | MenagerieError, zone: ZoneInfo, language: Language) -> str:
    said = {"feed": asked.name, "language": asked.language}
    if isinstance(found, MenagerieError):
        return text(
            "cli.feeds.broken", language, **said, reason=found.message(language), address=asked.address
        )
    if not found.entries:
        return text("cli.feeds.empty", language, **said)
    newest = found.entries[0].published
    shown = date_text(newest, zone) if newest else text("cli.feeds.undated", language)
    return text("cli.feeds.well", language, **said, count=len(found.entries), newest=shown)
