"""One document into a collection: its bytes from where they are, its text, its passages; or why not."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.chunking import passages_of
from menagerie.grounding.document import Document, Passage
from menagerie.grounding.facts.folders import FolderFile, read_inside, too_large
from menagerie.store.facts.documents import DocumentRecord

if TYPE_CHECKING:
    from menagerie.grounding.documents import Documents
    from menagerie.grounding.facts.index import Facts
    from menagerie.grounding.facts.uploads import Uploads
    from menagerie.grounding.reader import Reader
    from menagerie.settings import Settings
    from menagerie.store.database import Store

T = TypeVar("T")

log = structlog.get_logger("menagerie.facts")

KIND: Final = "facts"
AT_ONCE: Final = 2
"""Documents that are read at a time, each by a program of its own."""
LONGEST: Final = 20_000_000
"""Characters of what is at an address that are read."""
GONE: Final = frozenset({ErrorCode.FACTS_UNKNOWN, ErrorCode.DOCUMENT_UNKNOWN})
"""What whoever works on something is told that was removed meanwhile."""
_NOT_ITS_FAULT: Final = GONE | {ErrorCode.STORE_UNAVAILABLE, ErrorCode.QUEUE_FULL, ErrorCode.STOPPING}


class Progress(Protocol):
    """Is told how many documents of how many are read."""

    def __call__(self, done: int, total: int, /) -> None: ...


class Outcome(msgspec.Struct, frozen=True):
    """What bringing documents up to date has done. `skipped` counts files that are not looked at, by why; `failed` are
    the documents that could not be read now; `problem` is what is wrong with a folder."""

    read: int = 0
    removed: int = 0
    skipped: dict[str, int] = {}
    failed: tuple[DocumentRecord, ...] = ()
    problem: str = ""


class Place(msgspec.Struct, frozen=True):
    """A file of the machine, and the folder that reading it must not leave."""

    folder: Path
    file: FolderFile


class _Found(msgspec.Struct, frozen=True):
    """What a document is made of, and what tells whether it has changed."""

    sha256: str
    size: int
    modified_ns: int
    read: Callable[[], Awaitable[Document]]


class Ingestion:
    """Reads documents into an index, `AT_ONCE` at a time, and each by one at a time."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        facts: Facts,
        reader: Reader,
        documents: Documents,
        uploads: Uploads,
    ) -> None:
        self._most = settings.max_document
        self._records = store.facts.documents
        self._facts = facts
        self._reader = reader
        self._documents = documents
        self._uploads = uploads
        self._places = asyncio.Semaphore(AT_ONCE)
        self._at_work: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ingest(
        self, record: DocumentRecord, place: Place | None = None, *, again: bool = False
    ) -> DocumentRecord:
        """Bring what is known of a document up to what it is now; a file of the machine is at its `place`. What is
        unchanged is left as it is, unless `again`. Gives what is known then.

        What is wrong with a document is noted with it, and its earlier passages stay. Raises `facts.unknown` and
        `document.unknown` where it was removed meanwhile, and what is not its fault, such as `store.unavailable`.
        """
        lock = self._at_work[record.key]
        try:
            async with lock, self._places:
                await self._ingest(await self._records.get(record.id), place, again=again)
            return await self._records.get(record.id)
        finally:
            if not lock.locked():
                self._at_work.pop(record.key, None)

    async def ingest_all(
        self, records: Sequence[DocumentRecord], *, again: bool = False, progress: Progress | None = None
    ) -> Outcome:
        """Do it for all of these, which lie in no folder; one that is removed meanwhile is left out. Raises
        `facts.unknown` and what is not their fault."""
        return await all_of(records, lambda record: self.ingest(record, again=again), progress)

    async def _ingest(self, record: DocumentRecord, place: Place | None, *, again: bool) -> None:
        try:
            found = await self._found(record, place)
            seen = {"size": found.size, "modified_ns": found.modified_ns}
            if found.sha256 == record.sha256 and record.passages and not again:
                await self._records.change(record.key, state="ready", **seen)
                return
            document = await found.read()
            passages = await asyncio.to_thread(_passages, document)
            await self._facts.replace(_filled(record, found, document), passages)
        except MenagerieError as failure:
            if failure.code in _NOT_ITS_FAULT:
                raise
            await self._note(record, place, failure)
        except OSError as failure:
            log.info("document.not_read", document=record.id, failure=type(failure).__name__)
            await self._note(record, place, MenagerieError(ErrorCode.DOCUMENT_UNREADABLE))

    async def _note(self, record: DocumentRecord, place: Place | None, failure: MenagerieError) -> None:
        """A file that cannot be read is tried again once it has changed."""
        log.info("document.failed", document=record.id, code=failure.code.value)
        await self._records.fail(record.key, failure.code.value, dict(failure.values))
        if place is not None:
            await self._records.change(record.key, size=place.file.size, modified_ns=place.file.modified_ns)

    async def _found(self, record: DocumentRecord, place: Place | None) -> _Found:
        match record.kind:
            case "address":
                return await self._at_address(record)
            case "upload":
                return await self._kept(record)
            case _:
                return await self._in_folder(record, place)

    async def _at_address(self, record: DocumentRecord) -> _Found:
        document = await self._reader.read(record.origin, f"{KIND}:{record.collection}", most=LONGEST)
        text = document.text.encode("utf-8", "replace")

        async def read() -> Document:
            return document

        return _Found(hashlib.sha256(text).hexdigest(), len(text), 0, read)

    async def _kept(self, record: DocumentRecord) -> _Found:
        path = self._uploads.path(record.id)
        found = await asyncio.to_thread(path.stat)
        if found.st_size > self._most:
            raise too_large(self._most)
        sha256 = await asyncio.to_thread(_hash_of_file, path)
        return _Found(sha256, found.st_size, found.st_mtime_ns, lambda: self._read(path, record, sha256))

    async def _in_folder(self, record: DocumentRecord, place: Place | None) -> _Found:
        """The bytes are read once, so that the hash is that of what was read."""
        if place is None:
            place = await asyncio.to_thread(place_of, Path(record.origin))
        folder, file = place.folder, place.file
        body = await asyncio.to_thread(read_inside, folder, file.name, self._most)
        sha256 = await asyncio.to_thread(lambda: hashlib.sha256(body).hexdigest())
        return _Found(sha256, file.size, file.modified_ns, lambda: self._read(body, record))

    async def _read(self, body: bytes | Path, record: DocumentRecord, digest: str = "") -> Document:
        name, share = PurePosixPath(record.name).name, f"{KIND}:{record.collection}"
        return await self._documents.read(body, name=name, digest=digest, share=share)


async def all_of(
    things: Sequence[T], ingest: Callable[[T], Awaitable[DocumentRecord]], progress: Progress | None
) -> Outcome:
    """What `ingest` makes of all these things, a few at a time."""
    failed: list[DocumentRecord] = []
    waiting = iter(things)
    done = 0

    async def work() -> None:
        nonlocal done
        for thing in waiting:
            try:
                record = await ingest(thing)
            except MenagerieError as failure:
                if failure.code is not ErrorCode.DOCUMENT_UNKNOWN:
                    raise
            else:
                failed.extend([record] if record.state == "failed" else [])
            done += 1
            if progress is not None:
                progress(done, len(things))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(2 * AT_ONCE, len(things))):
                group.create_task(work())
    except ExceptionGroup as failures:
        raise next(
            (one for one in failures.exceptions if isinstance(one, MenagerieError)), failures
        ) from None
    return Outcome(read=done, failed=tuple(failed))


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Several as one, with the first problem."""
    skipped: Counter[str] = Counter()
    for outcome in outcomes:
        skipped.update(outcome.skipped)
    return Outcome(
        read=sum(one.read for one in outcomes),
        removed=sum(one.removed for one in outcomes),
        skipped=dict(skipped),
        failed=tuple(record for one in outcomes for record in one.failed),
        problem=next((one.problem for one in outcomes if one.problem), ""),
    )


def place_of(path: Path) -> Place:
    """The place of a file that was named by itself: its own folder. Raises `OSError`."""
    found = path.stat()
    return Place(path.parent, FolderFile(path.name, found.st_size, found.st_mtime_ns))


def _passages(document: Document) -> list[Passage]:
    passages = list(passages_of(document, KIND))
    if not passages:
        raise MenagerieError(ErrorCode.DOCUMENT_EMPTY)
    return passages


def _filled(record: DocumentRecord, found: _Found, document: Document) -> DocumentRecord:
    return msgspec.structs.replace(
        record,
        sha256=found.sha256,
        size=found.size,
        modified_ns=found.modified_ns,
        title=document.title or PurePosixPath(record.name).stem,
        language=document.language,
        pages=document.pages,
        address=document.address or record.address,
    )


def _hash_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
