"""The batches of a service: made, run side by side for their owners, taken up again after a crash, cancelled, and their
files deleted when their time is over."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from menagerie.batches.job import Answer, BatchCaller, Job, caller_of
from menagerie.batches.runner import Patience, Slots
from menagerie.core.errors import MenagerieError
from menagerie.core.identity import User
from menagerie.store.batches import MAY_BE_CANCELLED, Batch
from menagerie.store.database import Store
from menagerie.store.files import File
from menagerie.store.folder import FileFolder

log = structlog.get_logger("menagerie.batches")

PURPOSES: Final = frozenset({"batch"})
MOST_AT_ONCE: Final = 8
"""Batches that are run side by side, one for each owner at most; their rows share the engine fairly anyway."""
_LOOKS_S: Final = 15.0
_CLEANS_S: Final = 3600.0
_WINDOW: Final = re.compile(r"([1-9][0-9]{0,2})(h|d)")
_HOURS: Final = {"h": 1, "d": 24}


class Batches:
    """The batches and files of one service. `answer` is what its endpoints make of a request; `slots` tells how many
    requests its engine takes at once. Nothing runs before `run` does."""

    def __init__(
        self,
        store: Store,
        data: Path,
        answer: Answer,
        slots: Slots,
        *,
        kept: timedelta,
        patience: Patience | None = None,
        folder: FileFolder | None = None,
    ) -> None:
        self.folder = folder or FileFolder(data / "files")
        self.kept = kept
        """For how long files are kept."""
        self._store = store
        self._journals = data / "batches"
        self._answer = answer
        self._slots = slots
        self._patience = patience
        self._jobs: dict[str, Job] = {}
        self._owners: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()

    # For its interfaces

    async def create(
        self, caller: BatchCaller, *, endpoint: str, input_file: str, window: str, metadata: dict[str, str]
    ) -> Batch:
        """A batch of the requests in a file of the caller's, to be answered within `window` (see `window_of`). Raises
        `file.unknown`."""
        await self._store.files.get(input_file, caller.user)
        now = datetime.now(UTC)
        length = window_of(window, self.kept)
        assert length is not None
        batch = Batch(
            id=f"batch_{secrets.token_hex(16)}",
            owner=caller.user.id,
            address=caller.user.address,
            api_key=caller.key,
            language=caller.language,
            endpoint=endpoint,
            window=window,
            input_file=input_file,
            metadata=msgspec.json.encode(metadata).decode(),
            created_at=now,
            expires_at=now + length,
        )
        await self._store.batches.add(batch)
        self._news.set()
        return batch

    async def get(self, batch: str, user: User) -> Batch:
        """A batch as it is now. Raises `batch.unknown`."""
        return await self._store.batches.get(batch, user)

    async def list(self, user: User, *, limit: int, after: str = "") -> tuple[Batch, ...]:
        """The newest batches of a user. Raises `batch.unknown` for an `after` that is not theirs."""
        return await self._store.batches.list(user, limit=limit, after=after)

    async def cancel(self, batch: str, user: User) -> Batch | None:
        """Ask no more of its requests; None where it is over already. Raises `batch.unknown`."""
        found = await self._store.batches.get(batch, user)
        if found.status == "cancelling":
            return found
        values = {"status": "cancelling", "cancelling_at": datetime.now(UTC)}
        changed = await self._store.batches.change(batch, MAY_BE_CANCELLED, values)
        if job := self._jobs.get(batch):
            job.cancelled.set()
        self._news.set()
        return changed

    async def delete_file(self, file: str, user: User) -> None:
        """Forget a file and what is in it. Raises `file.unknown`."""
        await self._store.files.delete(file, user)
        await self.folder.delete(file)

    async def add_file(self, file: File) -> None:
        """Remember a file whose content lies in the folder."""
        await self._store.files.add(file)

    # Its life

    async def run(self) -> None:
        """Run batches, for ever. Cancelled, it leaves them as they are for the next service."""
        await asyncio.to_thread(self.folder.clear)
        cleaned = -_CLEANS_S
        clock = asyncio.get_running_loop().time
        try:
            while True:
                self._news.clear()
                try:
                    await self._begin_what_may()
                    if clock() - cleaned >= _CLEANS_S:
                        cleaned = clock()
                        await self._clean()
                except MenagerieError as failure:
                    log.warning("batches_not_looked_at", failure=str(failure))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOKS_S):
                        await self._news.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin_what_may(self) -> None:
        for batch in await self._store.batches.to_do():
            if len(self._jobs) >= MOST_AT_ONCE:
                return
            share = caller_of(batch).user.share
            if batch.id in self._jobs or share in self._owners.values():
                continue
            elsewhere = not self.folder.has(batch.input_file) and not await self._is_forgotten(batch)
            if elsewhere or not await self._store.batches.adopt(batch):
                continue
            job = self._job(batch)
            self._jobs[batch.id], self._owners[batch.id] = job, share
            task = asyncio.create_task(self._run(batch, job), name="batch")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, batch: Batch, job: Job) -> None:
        try:
            await job.run()
        except MenagerieError as failure:  # the store is away: it is begun again at the next look
            log.warning("batch_put_off", batch=batch.id, failure=str(failure))
            await asyncio.sleep(_LOOKS_S)
        except Exception:
            log.exception("batch_broken", batch=batch.id)
            await asyncio.sleep(_LOOKS_S)
        finally:
            del self._jobs[batch.id], self._owners[batch.id]
            self._news.set()

    def _job(self, batch: Batch) -> Job:
        return Job(
            batch,
            self._store.batches,
            self.folder,
            self._answer,
            journals=self._journals,
            slots=self._slots,
            kept=self.kept,
            patience=self._patience,
        )

    async def _is_forgotten(self, batch: Batch) -> bool:
        """Whether its input was deleted; otherwise it lies in the folder of a service that is dead."""
        try:
            await self._store.files.get(batch.input_file, User((batch.owner,), batch.address))
        except MenagerieError:
            return True
        return False

    async def _clean(self) -> None:
        for file in await self._store.files.forget_expired(datetime.now(UTC)):
            await self.folder.delete(file)


def window_of(window: str, most: timedelta) -> timedelta | None:
    """The length of `24h`, or of `7d`; None for what is neither, or longer than `most`."""
    found = _WINDOW.fullmatch(window)
    if found is None:
        return None
    length = timedelta(hours=int(found[1]) * _HOURS[found[2]])
    return length if length <= most else None


def metadata_of(batch: Batch) -> dict[str, Any] | None:
    """What its owner has noted of a batch."""
    noted: dict[str, Any] = msgspec.json.decode(batch.metadata or "{}")
    return noted or None
