"""What people send to collections, and addresses that they name: read in the background, each to its end, also by the
service that comes after this one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.facts.ingest import GONE, Ingestion
from menagerie.store.facts.documents import DocumentRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from menagerie.grounding.facts.uploads import Uploads
    from menagerie.store.database import Store

log = structlog.get_logger("menagerie.facts")

MOST: Final = 1000
"""Documents that wait to be read, …"""
MOST_EACH: Final = 200
"""… and of one owner's."""
PAUSES_S: Final = (5.0, 30.0, 120.0)
_PASSING: Final = frozenset({ErrorCode.QUEUE_FULL, ErrorCode.STORE_UNAVAILABLE})
_BUSY_S: Final = 10.0
_HOUR_S: Final = 3600.0


class Arrivals:
    """The documents that are being read; `read` is called after each."""

    def __init__(
        self, store: Store, ingestion: Ingestion, uploads: Uploads, read: Callable[[], None]
    ) -> None:
        self._records = store.facts.documents
        self._ingestion = ingestion
        self._uploads = uploads
        self._tell = read
        self._tasks: dict[int, asyncio.Task[DocumentRecord]] = {}
        """The last one of each document; it waits for the one before it."""
        self._waiting: Counter[str] = Counter()

    @contextmanager
    def place(self, owner: str) -> Iterator[None]:
        """Room for one more document of that owner's, which is to `begin` inside. Raises `queue.full` where there is
        none."""
        if self._waiting.total() >= MOST or self._waiting[owner] >= MOST_EACH:
            raise MenagerieError(ErrorCode.QUEUE_FULL, retry_after=_BUSY_S)
        self._enter(owner)
        try:
            yield
        finally:
            self._leave(owner)

    async def begin(self, record: DocumentRecord, owner: str) -> DocumentRecord:
        """Read a document of that owner's, after whatever is being done with it now. Should this service not live to
        do it, the next one will."""
        await self._records.change(record.key, state="waiting")
        task = asyncio.create_task(self._read(record, self._tasks.get(record.key)), name="facts-document")
        self._tasks[record.key] = task
        self._enter(owner)
        task.add_done_callback(lambda done: self._ended(record.key, owner, done))
        return msgspec.structs.replace(record, state="waiting")

    async def settled(self, record: DocumentRecord, seconds: float | None = None) -> DocumentRecord:
        """The document once it is read, or as it is after `seconds`. Raises `document.unknown`."""
        if task := self._tasks.get(record.key):
            await asyncio.wait({task}, timeout=seconds)
        return await self._records.get(record.id)

    async def forget(self, record: DocumentRecord) -> None:
        """It is removed: do not read it."""
        if task := self._tasks.pop(record.key, None):
            task.cancel()
            await asyncio.wait({task})

    async def take_up(self, left: AsyncIterable[tuple[DocumentRecord, str]]) -> None:
        """Go on with those of these documents, which are told with their owners, that are not read yet, and clear away
        what belongs to none."""
        async for record, owner in left:
            if record.state == "waiting" and record.kind != "file":
                await self.begin(record, owner)
        await self._uploads.clear(self._is_known, time.time() - _HOUR_S)

    async def close(self) -> None:
        """Stop reading."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(
        self, record: DocumentRecord, earlier: asyncio.Task[DocumentRecord] | None
    ) -> DocumentRecord:
        if earlier is not None:
            try:
                await asyncio.wait({earlier})
            except asyncio.CancelledError:
                earlier.cancel()
                await asyncio.wait({earlier})
                raise
        try:
            read = await self._ingest(record)
        except MenagerieError as failure:
            if failure.code in GONE and record.kind == "upload":
                await self._uploads.delete(record.id)
            raise
        self._tell()
        return read

    async def _ingest(self, record: DocumentRecord) -> DocumentRecord:
        """Again after a while, where it was not the document's fault that it was not read."""
        for pause in PAUSES_S:
            try:
                return await self._ingestion.ingest(record)
            except MenagerieError as failure:
                if failure.code not in _PASSING:
                    raise
            await asyncio.sleep(pause)
        return await self._ingestion.ingest(record)

    def _enter(self, owner: str) -> None:
        self._waiting[owner] += 1

    def _leave(self, owner: str) -> None:
        self._waiting[owner] -= 1
        if not self._waiting[owner]:
            del self._waiting[owner]

    def _ended(self, key: int, owner: str, task: asyncio.Task[DocumentRecord]) -> None:
        self._leave(owner)
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if task.cancelled() or (failure := task.exception()) is None:
            return
        if not isinstance(failure, MenagerieError) or failure.code not in GONE:
            log.warning("document.put_off", failure=str(failure))

    async def _is_known(self, document: str) -> bool:
        try:
            await self._records.get(document)
        except MenagerieError as failure:
            if failure.code is ErrorCode.DOCUMENT_UNKNOWN:
                return False
            raise
        return True
