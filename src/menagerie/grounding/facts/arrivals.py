"""What people send to collections, and addresses that they name: read in the background, each to its end, also by the
service that comes after this one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.facts.ingest import GONE, Ingestion
from menagerie.store.facts.documents import DocumentRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from menagerie.grounding.facts.uploads import Uploads
    from menagerie.store.database import Store

log = structlog.get_logger("menagerie.facts")

MOST: Final = 1000
"""Documents that wait to be read."""
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

    def refuse_too_many(self) -> None:
        """Raise `queue.full` where no more may wait."""
        if len(self._tasks) >= MOST:
            raise MenagerieError(ErrorCode.QUEUE_FULL, retry_after=_BUSY_S)

    async def begin(self, record: DocumentRecord) -> DocumentRecord:
        """Read a document, after whatever is being done with it now. Should this service not live to do it, the next
        one will."""
        await self._records.change(record.key, state="waiting")
        task = asyncio.create_task(self._read(record, self._tasks.get(record.key)), name="facts-document")
        self._tasks[record.key] = task
        task.add_done_callback(lambda done: self._ended(record.key, done))
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

    async def take_up(self, left: AsyncIterable[DocumentRecord]) -> None:
        """Go on with those of these documents that are not read yet, and clear away what belongs to none."""
        async for record in left:
            if record.state == "waiting" and record.kind != "file":
                await self.begin(record)
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
            await asyncio.wait({earlier})
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

    def _ended(self, key: int, task: asyncio.Task[DocumentRecord]) -> None:
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
