"""Folders and their collections: what is new in one is read, what has changed is read anew, what has gone is removed;
once, or as long as the service runs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from menagerie.core.errors import MenagerieError
from menagerie.grounding.facts.folders import FolderFile, Look, look
from menagerie.grounding.facts.ingest import GONE, Ingestion, Outcome, Place, Progress, all_of
from menagerie.store.facts.collections import Folder
from menagerie.store.facts.documents import DocumentRecord

if TYPE_CHECKING:
    from menagerie.store.database import Store

log = structlog.get_logger("menagerie.facts")

MISSING: Final = "missing"
"""What is wrong with a folder that cannot be looked at: it is not there, or may not be read …"""
OTHER: Final = "other"
"""… or that is empty all at once, and another one than before: something that was mounted there is no more."""
_PAGE: Final = 1000


class Following:
    """Brings collections up to what lies in their folders."""

    def __init__(self, store: Store, ingestion: Ingestion) -> None:
        self._folders = store.facts.collections
        self._records = store.facts.documents
        self._ingestion = ingestion
        self._one_at_a_time: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def follow(
        self, folder: Folder, *, again: bool = False, back: bool = False, progress: Progress | None = None
    ) -> Outcome:
        """Do it once; `again`: also with what is unchanged; `back`: also with what somebody has taken out by hand.

        A folder that is not there now changes nothing. Raises `facts.unknown` where its collection was removed, and
        `store.unavailable`.
        """
        async with self._one_at_a_time[folder.key]:
            try:
                seen = await asyncio.to_thread(look, Path(folder.path))
            except OSError as failure:
                log.warning("folder.missing", folder=folder.path, failure=type(failure).__name__)
                return await self._left(folder, MISSING)
            if folder.mark and seen.mark != folder.mark and not seen.files:
                log.warning("folder.other", folder=folder.path)
                return await self._left(folder, OTHER)
            outcome = await self._follow(folder, seen, again=again, back=back, progress=progress)
            await self._folders.change_folder(
                folder.key, mark=seen.mark, looked_at=datetime.now(UTC), problem=""
            )
            return outcome

    async def watch(self, every: float) -> None:
        """Follow all folders that are watched, for ever, with `every` seconds in between."""
        while True:
            try:
                for folder in await self._folders.folders(watched=True):
                    await self._follow_quietly(folder)
            except MenagerieError as failure:
                log.warning("folders.not_looked_at", failure=str(failure))
            await asyncio.sleep(every)

    async def _follow_quietly(self, folder: Folder) -> None:
        try:
            outcome = await self.follow(folder)
        except MenagerieError as failure:
            if failure.code not in GONE:
                raise
            return
        if outcome.read or outcome.removed:
            log.info("folder.followed", folder=folder.path, read=outcome.read, removed=outcome.removed)

    async def _left(self, folder: Folder, problem: str) -> Outcome:
        await self._folders.change_folder(folder.key, looked_at=datetime.now(UTC), problem=problem)
        return Outcome(problem=problem)

    async def _follow(
        self, folder: Folder, seen: Look, *, again: bool, back: bool, progress: Progress | None
    ) -> Outcome:
        known = await self._known(folder)
        gone = [record.key for name, record in known.items() if seen.is_gone(name)]
        if gone:
            await self._records.remove(gone)
        wanted = [
            file
            for name, file in seen.files.items()
            if (back if _taken_out(known.get(name)) else again or _has_changed(known.get(name), file))
        ]

        async def ingest(file: FolderFile) -> DocumentRecord:
            record = await self._record(folder, file, known.get(file.name))
            return await self._ingestion.ingest(record, Place(Path(folder.path), file), again=again)

        outcome = await all_of(wanted, ingest, progress)
        if not await self._is_there(folder):  # somebody has removed it meanwhile
            await self._records.remove([record.key for record in (await self._known(folder)).values()])
        return msgspec.structs.replace(outcome, removed=len(gone), skipped=dict(seen.skipped))

    async def _known(self, folder: Folder) -> dict[str, DocumentRecord]:
        known: dict[str, DocumentRecord] = {}
        after = 0
        while page := await self._records.list(
            folder.collection, limit=_PAGE, after=after, folder=folder.key
        ):
            known |= {record.name: record for record in page}
            after = page[-1].key
        return known

    async def _record(self, folder: Folder, file: FolderFile, known: DocumentRecord | None) -> DocumentRecord:
        if known is None:
            made = DocumentRecord(
                collection=folder.collection,
                kind="file",
                name=file.name,
                origin=str(Path(folder.path) / file.name),
                folder=folder.key,
                added_at=datetime.now(UTC),
            )
            return await self._records.put(made)
        if _taken_out(known):
            await self._records.change(known.key, state="waiting")
        return known

    async def _is_there(self, folder: Folder) -> bool:
        return any(one.key == folder.key for one in await self._folders.folders(folder.collection))


def _has_changed(known: DocumentRecord | None, file: FolderFile) -> bool:
    if known is None or known.state == "waiting":
        return True
    return (known.size, known.modified_ns) != (file.size, file.modified_ns)


def _taken_out(known: DocumentRecord | None) -> bool:
    return known is not None and known.state == "removed"
