"""The collections of a service: made, filled, kept up to date, searched and removed, for those who may."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.documents import Documents
from menagerie.grounding.facts.access import ADMINISTRATOR, Asker, may_change, may_read, told_as, unknown
from menagerie.grounding.facts.arrivals import Arrivals
from menagerie.grounding.facts.duty import Duty
from menagerie.grounding.facts.following import Following
from menagerie.grounding.facts.index import Facts
from menagerie.grounding.facts.ingest import Ingestion, Outcome, Progress, together
from menagerie.grounding.facts.search import Found
from menagerie.grounding.facts.uploads import Uploads
from menagerie.locales import Language
from menagerie.store.facts.collections import Collection, Folder
from menagerie.store.facts.documents import DocumentKind, DocumentRecord

if TYPE_CHECKING:
    from menagerie.embeddings.service import Embeddings
    from menagerie.grounding.reader import Reader
    from menagerie.settings import Settings
    from menagerie.store.database import Store
    from menagerie.store.folder import IncomingFile

log = structlog.get_logger("menagerie.facts")

FOLDER: Final = "facts"
MOST_COLLECTIONS: Final = 100
"""Collections of one owner."""
LONGEST_TITLE: Final = 200
LONGEST_NAME: Final = 255
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}", re.ASCII)
_PAGE: Final = 500


class Summary(msgspec.Struct, frozen=True):
    """A collection and how far it is: documents, how many of them could not be read, passages, how many of them have
    vectors of the present model."""

    collection: Collection
    may_change: bool
    documents: int
    failed: int
    passages: int
    embedded: int


class FactBases:
    """One for a service, or for a command. Whoever may not use a collection is told `facts.unknown`, as is whoever asks
    for one that there is not, and whoever works on one that is removed meanwhile. Nothing happens in the background
    before `run` does it."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        reader: Reader,
        embeddings: Embeddings,
    ) -> None:
        self.facts = Facts.of(store, embeddings)
        self.duty = Duty(self.facts, settings.data)
        self._settings = settings
        self._embeddings = embeddings
        self._store = store
        self._collections = store.facts.collections
        self._records = store.facts.documents
        self._documents = Documents(settings)  # its own: whoever waits for a page does not wait for these
        self._uploads = Uploads(settings.data / FOLDER)
        self._ingestion = Ingestion(settings, store, self.facts, reader, self._documents, self._uploads)
        self._following = Following(store, self._ingestion)
        self.arrivals = Arrivals(store, self._ingestion, self._uploads, self.duty.look)

    # Collections

    async def create(
        self, name: str, asker: Asker, *, title: str = "", readers: Sequence[str] = ()
    ) -> Collection:
        """A new collection of theirs. Raises `key.required` for nobody in particular, `facts.invalid`,
        `facts.name_taken`, and `facts.full` for whoever has too many."""
        if not asker.is_named:
            raise MenagerieError(ErrorCode.KEY_REQUIRED)
        if not _NAME.fullmatch(name):
            raise MenagerieError(ErrorCode.FACTS_INVALID)
        if not asker.administrator:
            own = sum(may_change(asker, one) for one in await self._collections.list())
            if own >= MOST_COLLECTIONS:
                raise MenagerieError(ErrorCode.FACTS_FULL, limit=MOST_COLLECTIONS)
        made = Collection(
            name=name,
            title=title[:LONGEST_TITLE],
            owner=asker.owner,
            readers=tuple(dict.fromkeys(readers)),
            created_at=datetime.now(UTC),
        )
        return await self._collections.create(made)

    async def get(self, name: str, asker: Asker, *, change: bool = False) -> Collection:
        """A collection that they may use, or `change`. Raises `facts.unknown`, and `facts.forbidden` where they may
        use it and not change it."""
        with told_as(name):
            found = await self._collections.get(name)
        if not may_read(asker, found):
            raise unknown(name)
        if change and not may_change(asker, found):
            raise MenagerieError(ErrorCode.FACTS_FORBIDDEN, name=found.name)
        return found

    async def list(self, asker: Asker) -> tuple[Summary, ...]:
        """All that they may use, by name."""
        return tuple(
            [
                await self._summary(one, asker)
                for one in await self._collections.list()
                if may_read(asker, one)
            ]
        )

    async def summary(self, name: str, asker: Asker) -> Summary:
        """One of them. Raises `facts.unknown`."""
        return await self._summary(await self.get(name, asker), asker)

    async def change(
        self, name: str, asker: Asker, *, title: str | None = None, readers: Sequence[str] | None = None
    ) -> Collection:
        """Give it another title, other readers. Raises `facts.unknown`."""
        found = await self.get(name, asker, change=True)
        kept = None if readers is None else tuple(dict.fromkeys(readers))
        with told_as(name):
            return await self._collections.change(
                found.key, title=None if title is None else title[:LONGEST_TITLE], readers=kept
            )

    async def remove(self, name: str, asker: Asker) -> None:
        """Remove it, and all that is kept of its documents. Raises `facts.unknown`."""
        found = await self.get(name, asker, change=True)
        uploads = [one.id async for one in self._all(found.key) if one.kind == "upload"]
        await self._collections.remove(found.key)
        for document in uploads:
            await self._uploads.delete(document)
        log.info("facts.removed", collection=name)

    # Documents

    async def documents(
        self, name: str, asker: Asker, *, limit: int = 100, after: str = ""
    ) -> tuple[DocumentRecord, ...]:
        """At most `limit` documents from the one with the id `after` on. Raises `facts.unknown`, `document.unknown`."""
        found = await self.get(name, asker)
        key = (await self._of(found, after)).key if after else 0
        model = await self.facts.model()
        return await self._records.list(found.key, limit=limit, after=key, model=model, removed=False)

    async def document(self, name: str, document: str, asker: Asker) -> DocumentRecord:
        """One of them. Raises `facts.unknown`, `document.unknown`."""
        return await self._of(await self.get(name, asker), document)

    @asynccontextmanager
    async def receive(self, name: str, asker: Asker) -> AsyncGenerator[IncomingFile, None]:
        """A file as it comes, for `add_upload`. Raises `facts.unknown`, `disk.full`."""
        await self.get(name, asker, change=True)
        async with self._uploads.receive() as incoming:
            yield incoming

    async def add_upload(
        self, name: str, asker: Asker, incoming: IncomingFile, filename: str
    ) -> DocumentRecord:
        """Begin to read a file that has come whole. One of the same name before it is replaced once this one is read.
        Raises `facts.unknown`, `queue.full`."""
        filename = filename[-LONGEST_NAME:]
        with self.arrivals.place(asker.owner):
            record = await self._put(
                name, asker, kind="upload", called=filename, origin=f"upload:{filename}", size=incoming.size
            )
            await self._uploads.adopt(incoming, record.id)
            return await self.arrivals.begin(record, asker.owner)

    async def add_address(self, name: str, asker: Asker, address: str) -> DocumentRecord:
        """Begin to read what is at an address, or to read it anew. Raises `facts.unknown`, `queue.full`."""
        with self.arrivals.place(asker.owner):
            record = await self._put(
                name, asker, kind="address", called=address, origin=address, address=address
            )
            return await self.arrivals.begin(record, asker.owner)

    async def add_file(self, name: str, path: Path) -> DocumentRecord:
        """Read one file of the machine. For whoever sits at it."""
        path = await asyncio.to_thread(path.resolve)
        record = await self._put(name, ADMINISTRATOR, kind="file", called=path.name, origin=str(path))
        if record.state == "removed":
            await self._records.change(record.key, state="waiting")
        with told_as(name):
            return await self._ingestion.ingest(record)

    async def add_folder(
        self, name: str, path: Path, *, watched: bool, progress: Progress | None = None
    ) -> Outcome:
        """Read what lies in a folder of the machine, and from then on, where it is `watched`, what changes in it. For
        whoever sits at the machine. A service begins to watch it once it was read here."""
        found = await self.get(name, ADMINISTRATOR, change=True)
        path = await asyncio.to_thread(path.resolve)
        known = {one.path: one for one in await self._collections.folders(found.key)}.get(str(path))
        folder = known or await self._collections.add_folder(Folder(collection=found.key, path=str(path)))
        try:
            with told_as(name):
                return await self._following.follow(folder, back=True, progress=progress)
        finally:
            if watched and not folder.watched:
                await self._collections.change_folder(folder.key, watched=True)

    async def folders(self, name: str) -> tuple[Folder, ...]:
        """The folders of the machine that a collection is made of. For whoever sits at it."""
        found = await self.get(name, ADMINISTRATOR)
        return await self._collections.folders(found.key)

    async def remove_folder(self, name: str, path: Path) -> int | None:
        """Remove the documents that come from a folder, and forget the folder; how many there were, None where it is
        none of the collection's."""
        for folder in await self.folders(name):
            if folder.path == str(path):
                await self._collections.remove_folder(folder.key)
                gone = [one.key async for one in self._all(folder.collection, folder=folder.key)]
                await self._records.remove(gone)
                return len(gone)
        return None

    async def remove_document(self, name: str, document: str, asker: Asker) -> None:
        """Remove a document and all that is kept of it. A file that still lies in a folder of the collection is
        remembered as one that was taken out, by its name alone. Raises `facts.unknown`, `document.unknown`."""
        record = await self._of(await self.get(name, asker, change=True), document)
        await self.arrivals.forget(record)
        await self._records.remove([record.key])
        if record.kind == "upload":
            await self._uploads.delete(record.id)
        if record.folder is not None:
            await self._records.put(
                DocumentRecord(
                    collection=record.collection,
                    kind=record.kind,
                    name=record.name,
                    origin=record.origin,
                    folder=record.folder,
                    state="removed",
                    added_at=datetime.now(UTC),
                )
            )

    async def reindex(
        self, name: str, asker: Asker, *, again: bool = False, progress: Progress | None = None
    ) -> Outcome:
        """Look at all documents anew, in folders, at addresses and as they were sent. What is unchanged is read only
        `again`; all is to be embedded anew then. Raises `facts.unknown`."""
        found = await self.get(name, asker, change=True)
        with told_as(name):
            if again:
                await self._store.facts.vectors.forget(found.key)
            outcomes = [
                await self._following.follow(folder, again=again, progress=progress)
                for folder in await self._collections.folders(found.key)
            ]
            single = [one async for one in self._all(found.key) if one.folder is None]
            outcomes.append(await self._ingestion.ingest_all(single, again=again, progress=progress))
        self.duty.look()
        return together(outcomes)

    # Finding

    async def search(
        self,
        names: Sequence[str],
        question: str,
        asker: Asker,
        *,
        language: Language,
        most: int = 8,
    ) -> tuple[Found, ...]:
        """The passages that answer best, of all these collections together. Raises `facts.unknown` for one that they
        may not use, or that is removed meanwhile, and `prompt.empty`."""
        if not question.strip():
            raise MenagerieError(ErrorCode.PROMPT_EMPTY)
        wanted = [await self.get(name, asker) for name in dict.fromkeys(names)]
        found = await self.facts.search(
            [one.key for one in wanted], question, language=language, user=asker.user, most=most
        )
        for one in wanted:
            if (await self.get(one.name, asker)).key != one.key:
                raise unknown(one.name)
        return tuple(found)

    # Its life

    async def run(self) -> None:
        """Go on with what a service before this one did not end, watch folders, and embed, for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._take_up())
                group.create_task(self._following.watch(self._settings.facts_watch))
                group.create_task(self.duty.run())
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop reading; what is not read yet is taken up by the next service."""
        await self.arrivals.close()
        await self._documents.close()

    async def _take_up(self) -> None:
        try:
            await self.arrivals.take_up(self._everything())
        except (MenagerieError, OSError) as failure:
            log.warning("facts.not_taken_up", failure=str(failure))

    async def _put(
        self, name: str, asker: Asker, *, kind: DocumentKind, called: str, **known: Any
    ) -> DocumentRecord:
        found = await self.get(name, asker, change=True)
        record = DocumentRecord(
            collection=found.key, kind=kind, name=called, added_at=datetime.now(UTC), **known
        )
        with told_as(name):
            return await self._records.put(record)

    async def _summary(self, collection: Collection, asker: Asker) -> Summary:
        counts = await self._records.counts(collection.key, model=await self.facts.model())
        return Summary(
            collection,
            may_change(asker, collection),
            counts.documents,
            counts.failed,
            counts.passages,
            counts.embedded,
        )

    async def _of(self, collection: Collection, document: str) -> DocumentRecord:
        record = await self._records.get(document)
        if record.collection != collection.key or record.state == "removed":
            raise MenagerieError(ErrorCode.DOCUMENT_UNKNOWN)
        return record

    async def _everything(self) -> AsyncGenerator[tuple[DocumentRecord, str], None]:
        """All documents, and whose they are."""
        for collection in await self._collections.list():
            async for record in self._all(collection.key):
                yield record, collection.owner

    async def _all(self, collection: int, folder: int | None = None) -> AsyncGenerator[DocumentRecord, None]:
        after = 0
        while page := await self._records.list(
            collection, limit=_PAGE, after=after, folder=folder, removed=False
        ):
            for record in page:
                yield record
            after = page[-1].key
