"""Runs the rows of a batch: as many at once as fill the engine, each until it has ended, its end in the journal.

Whoever cancels it, or a failure that every row would share, leaves a journal that the next run takes up.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import islice
from typing import Final, TypeVar

import msgspec
import structlog

from menagerie.batches.failures import AnswerError
from menagerie.batches.journal import Journal
from menagerie.batches.pace import Pace, Progress, Window
from menagerie.batches.rows import Row
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import Language

T = TypeVar("T")
log = structlog.get_logger("menagerie.batches")

Ask = Callable[[Row], Awaitable[bytes]]
"""The line of a row's answer, as JSON. Raises `AnswerError` or `MenagerieError` where there is none."""
FailureLine = Callable[[Row, AnswerError], bytes]
"""The line of a row that has failed for good, as JSON."""
Slots = Callable[[], Awaitable[int | None]]
"""The slots of the engine that answers; None where nobody knows."""

_READ_AHEAD: Final = 64
_SYNC_S: Final = 1.0
_SLOTS_S: Final = 5.0
_CROWDED: Final = frozenset({ErrorCode.QUEUE_FULL, ErrorCode.KEY_RATE_LIMITED, ErrorCode.CONNECTIONS_FULL})
_DEADLY: Final = frozenset({ErrorCode.ENGINE_LOST, ErrorCode.ENGINE_TIMEOUT})


class Patience(msgspec.Struct, frozen=True):
    """How often a row is asked whose failure may pass, and the waits between, in seconds: twice as long each time, and
    never less than the service asks for. A full queue is not the row's fault: there, only time counts. A row that an
    engine dies of takes it from everybody: it is asked less often."""

    attempts: int = 7
    deadly_attempts: int = 3
    first_s: float = 1.0
    most_s: float = 60.0
    crowded_s: float = 3600.0

    def is_over(self, attempt: int, failure: AnswerError) -> bool:
        """Whether a row that has failed so often is asked no more."""
        return attempt >= (self.deadly_attempts if failure.code in _DEADLY else self.attempts)

    def wait_s(self, attempt: int, retry_after: float | None) -> float:
        """The wait after so many attempts, with some chance in it so that rows do not all come back at once."""
        wait = min(self.first_s * 2.0 ** (attempt - 1), self.most_s)
        return max(wait, min(retry_after or 0.0, 10 * self.most_s)) * random.uniform(1.0, 1.25)  # noqa: S311


class StoppedError(Exception):
    """The batch was given up, and can be taken up again: every row would fail by `failure`."""

    def __init__(self, failure: AnswerError) -> None:
        super().__init__(str(failure))
        self.failure = failure


class Runner:
    """One run of a batch."""

    def __init__(
        self,
        ask: Ask,
        failure_line: FailureLine,
        journal: Journal,
        *,
        total: int,
        language: Language,
        slots: Slots | None = None,
        progress: Callable[[Progress], None] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._ask = ask
        self._failure_line = failure_line
        self._journal = journal
        self._language: Language = language
        self._slots = slots
        self._progress = progress
        self._patience = patience or Patience()
        self._window = Window()
        self._pace = Pace(total)
        self._running: set[asyncio.Task[None]] = set()
        self._stopped: BaseException | None = None

    async def run(self, rows: Iterator[Row]) -> None:
        """Ask every row that is not in the journal; returns when all have ended. Raises `StoppedError`, and what the
        disk or the file of rows raise. Cancelled, it lets go of the rows that are being asked."""
        if self._slots:
            await self._look_at_slots(self._slots)
        helpers = [asyncio.create_task(self._sync_for_ever())]
        if self._slots:
            helpers.append(asyncio.create_task(self._watch_slots(self._slots)))
        try:
            self._tell()
            async for row in in_thread(rows):
                if not self._journal.has(row.number):
                    await self._begin(row)
                if self._stopped:
                    break
            while self._running and not self._stopped:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*self._running, *helpers):
                task.cancel()
            await asyncio.gather(*self._running, *helpers, return_exceptions=True)
            await asyncio.to_thread(self._journal.sync)
        if self._stopped:
            raise self._stopped

    async def _begin(self, row: Row) -> None:
        if row.problem is not None:
            self._fail(row, AnswerError.of(row.problem, self._language))
            return
        await self._window.enter()
        if self._stopped:
            self._window.leave()
            return
        task = asyncio.create_task(self._one(row))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._window.leave()
        if not task.cancelled() and (failure := task.exception()) and self._stopped is None:
            self._stopped = failure

    async def _one(self, row: Row) -> None:
        """Ask one row until it has ended."""
        attempt = 0
        waits_until = asyncio.get_running_loop().time() + self._patience.crowded_s
        while True:
            try:
                line = await self._asked(row)
                break
            except AnswerError as failure:
                crowded = failure.code in _CROWDED
                attempt += 0 if crowded and attempt else 1
                late = asyncio.get_running_loop().time() > waits_until
                if not failure.passing or (late if crowded else self._patience.is_over(attempt, failure)):
                    if failure.fatal:
                        raise StoppedError(failure) from failure
                    self._fail(row, failure)
                    self._pace.row_ended()
                    return
                if crowded:
                    self._window.shrink()
                log.debug("batch_row_again", row=row.number, code=failure.code, attempt=attempt)
                await asyncio.sleep(self._patience.wait_s(attempt, failure.retry_after))
        self._journal.add(row.number, line, ok=True)
        self._window.grow()
        self._pace.row_ended()
        self._tell()

    async def _asked(self, row: Row) -> bytes:
        try:
            return await self._ask(row)
        except MenagerieError as failure:
            raise AnswerError.of(failure, self._language) from failure

    def _fail(self, row: Row, failure: AnswerError) -> None:
        self._journal.add(row.number, self._failure_line(row, failure), ok=False)
        self._tell()

    def _tell(self) -> None:
        if self._progress:
            self._progress(self._pace.progress(self._journal.done, self._journal.failed))

    async def _sync_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_SYNC_S)
            await asyncio.to_thread(self._journal.sync)
            self._tell()

    async def _watch_slots(self, slots: Slots) -> None:
        while True:
            await asyncio.sleep(_SLOTS_S)
            await self._look_at_slots(slots)

    async def _look_at_slots(self, slots: Slots) -> None:
        if found := await slots():
            self._window.fill(found)


async def in_thread(items: Iterator[T]) -> AsyncIterator[T]:
    """`items`, read some at a time in a thread."""
    while block := await asyncio.to_thread(lambda: list(islice(items, _READ_AHEAD))):
        for item in block:
            yield item
