"""One batch of requests, from its file to its results; begun where an earlier service left it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import structlog

from menagerie.batches.failures import AnswerError, BatchError
from menagerie.batches.journal import SUFFIX, Journal
from menagerie.batches.pace import Progress
from menagerie.batches.requests import LineError, RefusedError, Reply, answered_line, failed_line, faults
from menagerie.batches.rows import Row, Table, open_table
from menagerie.batches.runner import Patience, Runner, Slots, StoppedError, in_thread
from menagerie.core.errors import MenagerieError
from menagerie.core.identity import ANONYMOUS, User
from menagerie.locales import Language, text
from menagerie.store.batches import ASKING, BEGINNING, ENDING, UNENDED, Batch, Batches
from menagerie.store.files import File
from menagerie.store.folder import FileFolder, new_file_id

log = structlog.get_logger("menagerie.batches")

PURPOSE: Final = "batch_output"
_TOLD_S: Final = 1.0
"""Seconds between two looks at the store: how far it is goes in, whether it was cancelled comes out."""
_QUIET: Final = 15
"""Looks that are left out while nothing moves."""
_SUCCESS: Final = range(200, 300)

Ending = Literal["completed", "cancelled", "expired"]


class BatchCaller(msgspec.Struct, frozen=True):
    """Who made a batch, and by which key; `key` is its id, empty where they showed none."""

    user: User
    key: str
    language: Language


Answer = Callable[[BatchCaller, str, dict[str, Any]], Awaitable[Reply]]
"""What an endpoint makes of the body of a request. Lets people go first."""


class Job:
    """Runs one batch. What it knows is in the store and in its journal; cancelled, it can be begun again."""

    def __init__(
        self,
        batch: Batch,
        store: Batches,
        folder: FileFolder,
        answer: Answer,
        *,
        journals: Path,
        slots: Slots,
        kept: timedelta,
        patience: Patience | None = None,
    ) -> None:
        self.cancelled = asyncio.Event()
        """To be set when the batch has been cancelled in the store."""
        self._batch = batch
        self._store = store
        self._folder = folder
        self._answer = answer
        self._journal = journals / f"{batch.id}{SUFFIX}"
        self._slots = slots
        self._kept = kept
        self._patience = patience
        self._language: Language = "fr" if batch.language == "fr" else "en"
        self._caller = caller_of(batch)
        self._progress = Progress(batch.completed, batch.failed, batch.total)

    async def run(self) -> None:
        """Bring the batch to an end. Raises only what the store raises."""
        try:
            table = await asyncio.to_thread(open_table, self._folder.path(self._batch.input_file), "jsonl")
        except BatchError as failure:
            await self._fail(self._unreadable(failure))
            return
        if self._batch.status == "validating" and not await self._validate(table):
            return
        try:
            journal = await self._opened_journal(table)
            try:
                await self._finish(journal, await self._work(table, journal))
            finally:
                journal.close()
        except StoppedError as stopped:
            await self._fail((LineError(stopped.failure.code, stopped.failure.message),))
        except (BatchError, OSError) as failure:
            log.exception("batch_broken", batch=self._batch.id, failure=repr(failure))
            await self._fail((LineError("internal", text("batch.ended.broken", self._language)),))

    async def _validate(self, table: Table) -> bool:
        """Look at every line before the first is asked; whether the batch has begun."""
        found = await asyncio.to_thread(faults, table, self._batch.endpoint, self._language)
        if found:
            await self._fail(found)
            return False
        values = {"status": "in_progress", "in_progress_at": _now(), "total": table.count}
        began = await self._store.change(self._batch.id, BEGINNING, values)
        self._batch = began or msgspec.structs.replace(self._batch, status="cancelling")
        return True

    async def _work(self, table: Table, journal: Journal) -> Ending:
        """Ask until all have ended, or the batch is cancelled, or its time is over: which of them."""
        self._progress = Progress(journal.done, journal.failed, table.count)
        if self._batch.status == "finalizing":
            return "completed"
        if self._batch.status == "cancelling":
            await self._give_up(table, journal, "cancelled")
            return "cancelled"
        runner = Runner(
            self._ask,
            failed_line,
            journal,
            total=table.count,
            language=self._language,
            slots=self._slots,
            progress=self._note,
            patience=self._patience,
        )
        asking = asyncio.create_task(runner.run(table.rows()))
        cancelled = asyncio.create_task(self._until_cancelled())
        left_s = (self._batch.expires_at - _now()).total_seconds()
        try:
            await asyncio.wait(
                {asking, cancelled}, timeout=max(0.0, left_s), return_when=asyncio.FIRST_COMPLETED
            )
            if asking.done():
                await asking
                return "completed"
            ending: Ending = "cancelled" if cancelled.done() else "expired"
        finally:
            for task in (asking, cancelled):
                task.cancel()
            await asyncio.gather(asking, cancelled, return_exceptions=True)
        await self._give_up(table, journal, ending)
        return ending

    async def _ask(self, row: Row) -> bytes:
        try:
            reply = await self._answer(self._caller, self._batch.endpoint, row.values["body"])
        except MenagerieError as failure:
            raise AnswerError.of(failure, self._language) from failure
        if reply.status not in _SUCCESS:
            raise RefusedError(reply)
        return answered_line(row, reply)

    async def _give_up(self, table: Table, journal: Journal, ending: Ending) -> None:
        """Tell of every request that was not answered why."""
        failure = AnswerError(f"batch_{ending}", text(f"batch.ended.{ending}", self._language))
        async for row in in_thread(table.rows()):
            if not journal.has(row.number):
                journal.add(row.number, failed_line(row, failure), ok=False)

    async def _finish(self, journal: Journal, ending: Ending) -> None:
        """Put the results in their places, then tell of the end, then forget the journal: whenever this is cut off, it
        can be done again."""
        values: dict[str, object] = {
            "output_file": self._batch.output_file or (new_file_id() if journal.done else ""),
            "error_file": self._batch.error_file or (new_file_id() if journal.failed else ""),
            "completed": journal.done,
            "failed": journal.failed,
        }
        if ending == "completed":
            values |= {"status": "finalizing", "finalizing_at": _now()}
        batch = await self._store.change(self._batch.id, ENDING, values)
        if batch is None:
            return
        made = await asyncio.to_thread(self._results, journal, batch)
        await self._store.change(batch.id, ENDING, {"status": ending, f"{ending}_at": _now()}, made)
        await asyncio.to_thread(journal.remove)
        log.info("batch_ended", batch=batch.id, status=ending, completed=journal.done, failed=journal.failed)

    def _results(self, journal: Journal, batch: Batch) -> list[File]:
        names = {"output": batch.output_file, "error": batch.error_file}
        spare = {kind: self._journal.with_suffix(f".{kind}") for kind in names}
        paths = {kind: self._folder.path(name) if name else spare[kind] for kind, name in names.items()}
        journal.deliver(paths["output"], paths["error"])
        for path in spare.values():
            path.unlink(missing_ok=True)
        return [
            self._described(paths[kind], name, f"{batch.id}_{kind}.jsonl")
            for kind, name in names.items()
            if name
        ]

    def _described(self, path: Path, file: str, filename: str) -> File:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        now = _now()
        return File(
            id=file,
            owner=self._batch.owner,
            filename=filename,
            purpose=PURPOSE,
            sha256=digest,
            bytes=path.stat().st_size,
            created_at=now,
            expires_at=now + self._kept,
        )

    async def _fail(self, errors: tuple[LineError, ...]) -> None:
        told = msgspec.json.encode(errors).decode()
        values = {"status": "failed", "failed_at": _now(), "errors": told}
        await self._store.change(self._batch.id, UNENDED, values)
        self._journal.unlink(missing_ok=True)
        log.info("batch_ended", batch=self._batch.id, status="failed")

    async def _until_cancelled(self) -> None:
        """Keep the store up to date until somebody cancels the batch, here or at another service."""
        told, quiet = Progress(0, 0, 0), 0
        while not self.cancelled.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TOLD_S):
                    await self.cancelled.wait()
            if (now := self._progress) == told and quiet < _QUIET:
                quiet += 1
                continue
            told, quiet = now, 0
            counts = {"completed": now.done, "failed": now.failed}
            try:
                if await self._store.change(self._batch.id, ASKING, counts) is None:
                    return
            except MenagerieError as failure:  # the store is away for a while; the journal is not
                log.warning("batch_progress_not_stored", batch=self._batch.id, failure=str(failure))

    def _note(self, progress: Progress) -> None:
        self._progress = Progress(progress.done, progress.failed, progress.total)

    async def _opened_journal(self, table: Table) -> Journal:
        """The journal; whoever is cancelled while it is opened does not leave it open, and locked."""
        opening = asyncio.ensure_future(asyncio.to_thread(self._open_journal, table))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            (opened,) = await asyncio.gather(opening, return_exceptions=True)
            if isinstance(opened, Journal):
                opened.close()
            raise

    def _open_journal(self, table: Table) -> Journal:
        self._journal.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        job = {"batch": self._batch.id, "rows": table.digest, "endpoint": self._batch.endpoint}
        return Journal.open(self._journal, msgspec.json.encode(job))

    def _unreadable(self, failure: BatchError) -> tuple[LineError, ...]:
        if failure.reason in {"input_empty", "input_no_row"}:
            return (LineError("empty_file", text("batch.line.empty_file", self._language)),)
        return (LineError("input_file_unreadable", text("batch.ended.input_gone", self._language)),)


def caller_of(batch: Batch) -> BatchCaller:
    """Who made a batch."""
    names = () if batch.owner == ANONYMOUS else (batch.owner,)
    return BatchCaller(User(names, batch.address), batch.api_key, "fr" if batch.language == "fr" else "en")


def _now() -> datetime:
    return datetime.now(UTC)
