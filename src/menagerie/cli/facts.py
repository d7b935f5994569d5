"""`menagerie facts`: make collections of documents, look at them, search and remove them, also while the service
runs."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

from menagerie.cli.columns import columns
from menagerie.cli.exits import Exit, wanted_settings
from menagerie.cli.fact_arguments import NOBODY
from menagerie.cli.facts_bar import FactsBar
from menagerie.cli.facts_work import Done, add_place, embed, remove_document
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.numbers import number_text
from menagerie.embeddings.service import Embeddings
from menagerie.engines.devices import detect
from menagerie.engines.engine import Limits
from menagerie.engines.residency import Engines
from menagerie.grounding.facts.access import ADMINISTRATOR, EVERYONE, PERSONA
from menagerie.grounding.facts.search import Found
from menagerie.grounding.facts.service import FactBases, Summary
from menagerie.grounding.reader import Reader
from menagerie.locales import Language, text
from menagerie.models.catalogue import Catalogue
from menagerie.personas.directory import PersonaDirectory, shown_name
from menagerie.personas.load import persona_folders
from menagerie.personas.problem import PersonaFileError
from menagerie.settings import Settings
from menagerie.store.database import Store
from menagerie.store.facts.collections import Collection, Folder
from menagerie.store.facts.documents import DocumentRecord
from menagerie.web.facts import failure_of


def run(arguments: Namespace, language: Language) -> int:
    """`add`, `list`, `search`, `remove` or `reindex`. `FAILED` where a document could not be read."""
    settings = wanted_settings(language)
    work = {"add": _add, "list": _list, "search": _search, "remove": _remove, "reindex": _reindex}
    return asyncio.run(work[arguments.action](arguments, settings, language))


@asynccontextmanager
async def _bases(settings: Settings) -> AsyncGenerator[FactBases, None]:
    """The collections, beside a service that may be using them. An engine starts only when something is embedded."""
    store = await Store.visit(settings.database, settings.data)
    machine = await asyncio.to_thread(detect, settings)
    limits = Limits(settings.load_timeout, settings.token_timeout, settings.queue_length)
    engines = Engines(machine, limits, records=settings.data / "engines")
    embeddings = Embeddings(settings, Catalogue(settings.data / "models"), engines, machine)
    reader = Reader(settings)
    bases = FactBases(settings, store, reader, embeddings)
    try:
        yield bases
    finally:
        for part in (bases, reader, embeddings):
            await part.close()
        await engines.stop()
        await store.close()


async def _add(arguments: Namespace, settings: Settings, language: Language) -> int:
    readers = None
    if arguments.reader is not None:
        readers = [one for one in arguments.reader if one != NOBODY]
    async with _bases(settings) as bases:
        collection = await _made(bases, arguments, readers, language)
        with FactsBar(language) as bar:
            done = Done()
            for place in arguments.places:
                done += await add_place(bases, collection, place, watched=arguments.watch, bar=bar)
            embedded = await embed(bases, collection, bar)
        for line in (*done.lines(language), *embedded.lines(language)):
            _say(line)
        for line in _hints(collection, settings, language):
            _say(line)
        print(_summary_line(await bases.summary(collection.name, ADMINISTRATOR), language))
        return Exit.FAILED if done.failed or done.problems else Exit.DONE


async def _made(
    bases: FactBases, arguments: Namespace, readers: list[str] | None, language: Language
) -> Collection:
    """The collection as it is to be: found, or made."""
    name, title = arguments.name, arguments.title
    try:
        await bases.get(name, ADMINISTRATOR)
    except MenagerieError as failure:
        if failure.code is not ErrorCode.FACTS_UNKNOWN:
            raise
        made = await bases.create(name, ADMINISTRATOR, title=title or "", readers=readers or ())
        _say(text("cli.facts.created", language, name=name))
        return made
    return await bases.change(name, ADMINISTRATOR, title=title, readers=readers)


async def _list(arguments: Namespace, settings: Settings, language: Language) -> int:
    async with _bases(settings) as bases:
        if not arguments.name:
            print(_table(await bases.list(ADMINISTRATOR), language))
            return Exit.DONE
        summary = await bases.summary(arguments.name, ADMINISTRATOR)
        folders = await bases.folders(arguments.name)
        zone = ZoneInfo(settings.timezone)
        print("\n".join(_heading(summary, folders, zone, language)))
        after = ""
        rows = [[text(f"cli.facts.head.{head}", language) for head in _DOCUMENT_HEADS]]
        while page := await bases.documents(arguments.name, ADMINISTRATOR, limit=1000, after=after):
            rows += [_row(record, language) for record in page]
            after = page[-1].id
        print(columns(rows) if len(rows) > 1 else text("cli.facts.no_documents", language))
    return Exit.DONE


async def _search(arguments: Namespace, settings: Settings, language: Language) -> int:
    async with _bases(settings) as bases:
        found = await bases.search(
            [arguments.name], arguments.question, ADMINISTRATOR, language=language, most=arguments.most
        )
        if not await bases.facts.model():
            _say(text("cli.facts.words_only", language))
    if not found:
        _say(text("cli.facts.nothing", language))
        return Exit.FAILED
    print("\n\n".join(_passage(number, one, language) for number, one in enumerate(found, start=1)))
    return Exit.DONE


async def _remove(arguments: Namespace, settings: Settings, language: Language) -> int:
    async with _bases(settings) as bases:
        name = arguments.name
        if arguments.document is None:
            await bases.remove(name, ADMINISTRATOR)
            print(text("cli.facts.removed", language, name=name))
        else:
            print(await remove_document(bases, name, arguments.document, language))
    return Exit.DONE


async def _reindex(arguments: Namespace, settings: Settings, language: Language) -> int:
    async with _bases(settings) as bases:
        collection = await bases.get(arguments.name, ADMINISTRATOR)
        with FactsBar(language) as bar:
            outcome = await bases.reindex(
                collection.name, ADMINISTRATOR, again=arguments.again, progress=bar.reading
            )
            embedded = await embed(bases, collection, bar)
        done = Done.of(outcome, "")
        for line in (*done.lines(language), *embedded.lines(language)):
            _say(line)
        print(_summary_line(await bases.summary(collection.name, ADMINISTRATOR), language))
        return Exit.FAILED if done.failed or done.problems else Exit.DONE


_DOCUMENT_HEADS = ("id", "state", "passages", "language", "document")
_COLLECTION_HEADS = ("name", "documents", "failed", "passages", "embedded", "readers", "title")


def _table(summaries: tuple[Summary, ...], language: Language) -> str:
    if not summaries:
        return text("cli.facts.none", language)
    rows = [
        [
            one.collection.name,
            number_text(one.documents, language),
            number_text(one.failed, language),
            number_text(one.passages, language),
            number_text(one.embedded, language),
            _readers(one.collection, language),
            one.collection.title or "–",
        ]
        for one in summaries
    ]
    return columns([[text(f"cli.facts.head.{head}", language) for head in _COLLECTION_HEADS], *rows])


def _heading(
    summary: Summary, folders: tuple[Folder, ...], zone: ZoneInfo, language: Language
) -> Iterator[str]:
    kept = summary.collection
    yield f"{kept.name}{f' – {kept.title}' if kept.title else ''}"
    yield text("cli.facts.readers", language, readers=_readers(kept, language))
    yield _summary_line(summary, language)
    for folder in folders:
        state = "watched" if folder.watched else "once"
        looked = folder.looked_at.astimezone(zone).strftime("%Y-%m-%d %H:%M") if folder.looked_at else "–"
        yield text(f"cli.facts.folder.{state}", language, path=folder.path, at=looked)
        if folder.problem:
            yield text(f"cli.facts.problem.{folder.problem}", language, path=folder.path)


def _summary_line(summary: Summary, language: Language) -> str:
    values = {
        name: number_text(getattr(summary, name), language)
        for name in ("documents", "failed", "passages", "embedded")
    }
    return text("cli.facts.summary", language, name=summary.collection.name, **values)


def _row(record: DocumentRecord, language: Language) -> list[str]:
    shown = record.name
    if record.state == "failed":
        reason = failure_of(record).message(language)
        shown = text("cli.facts.unreadable", language, name=shown, reason=reason)
    return [
        record.id,
        text(f"cli.facts.state.{record.state}", language),
        number_text(record.passages, language),
        record.language or "–",
        shown,
    ]


def _readers(collection: Collection, language: Language) -> str:
    owner = (f"({collection.owner})",) if collection.owner else ()
    shown = [text("cli.facts.everyone", language) if one == EVERYONE else one for one in collection.readers]
    return ", ".join((*owner, *shown)) or text("cli.facts.nobody", language)


def _passage(number: int, found: Found, language: Language) -> str:
    passage = found.passage
    where = [passage.title]
    if passage.page:
        where.append(text("cli.facts.page", language, page=passage.page))
    if passage.heading:
        where.append(passage.heading)
    head = f"{number}. [{number_text(passage.score, language, 2)}] {' – '.join(filter(None, where))}"
    lines = [head, *([passage.address] if passage.address else []), *passage.text.splitlines()]
    return "\n   ".join(lines)


def _hints(collection: Collection, settings: Settings, language: Language) -> Iterator[str]:
    if not collection.readers:
        yield text("cli.facts.for_nobody", language, name=collection.name)
    granted = [one.removeprefix(PERSONA) for one in collection.readers if one.startswith(PERSONA)]
    if not granted:
        return
    try:
        directory = PersonaDirectory(persona_folders(settings), settings)
    except PersonaFileError as problem:
        yield problem.message(language)
        return
    for name in granted:
        try:
            sources = directory.get(name).sources
        except MenagerieError:
            yield text("cli.facts.persona_unknown", language, persona=shown_name(name))
            continue
        if f"facts:{collection.name}" not in sources:
            yield text("cli.facts.persona_lacks", language, persona=shown_name(name), name=collection.name)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
