"""The runner: every row ends once, in spite of everything, and as many are asked at once as fill the engine."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psutil
import pytest

from menagerie.batches.failures import AnswerError, RowError
from menagerie.batches.journal import Journal
from menagerie.batches.pace import SPARE, Pace, Progress
from menagerie.batches.rows import Row
from menagerie.batches.runner import Ask, Patience, Runner, StoppedError
from menagerie.batches.work import failure_line
from menagerie.core.errors import ErrorCode, MenagerieError

QUICK = Patience(first_s=0.001, most_s=0.01)


def _rows(number: int) -> Iterator[Row]:
    return (Row(row, {"n": row}) for row in range(1, number + 1))


def _answer(row: Row) -> bytes:
    return json.dumps({"row": row.number}).encode()


async def _run(
    journal: Journal,
    ask: Ask,
    rows: int | Iterator[Row],
    *,
    slots: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    patience: Patience = QUICK,
) -> None:
    async def known() -> int | None:
        return slots

    runner = Runner(
        ask,
        failure_line,
        journal,
        total=rows if isinstance(rows, int) else 10,
        language="en",
        slots=known if slots else None,
        progress=progress,
        patience=patience,
    )
    await runner.run(_rows(rows) if isinstance(rows, int) else rows)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal.open(tmp_path / "journal", b"{}")
    yield journal
    journal.close()


async def test_as_many_rows_are_asked_at_once_as_fill_the_slots_and_a_little_more(journal: Journal) -> None:
    inside, most = 0, 0

    async def ask(row: Row) -> bytes:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.002 * (1 + row.number % 3))
        inside -= 1
        return _answer(row)

    await _run(journal, ask, 100, slots=5)
    assert most == 5 + SPARE
    assert journal.done == 100


async def test_a_batch_that_is_cut_off_again_and_again_asks_no_answered_row_twice(tmp_path: Path) -> None:
    answered: list[int] = []
    for attempt in count():
        journal = Journal.open(tmp_path / "journal", b"{}")
        left, stuck = 17, asyncio.Event()

        async def ask(row: Row, stuck: asyncio.Event = stuck) -> bytes:
            nonlocal left
            await asyncio.sleep(0.001 * (row.number % 4))
            left -= 1
            if left < 0:
                stuck.set()
                await asyncio.Event().wait()
            answered.append(row.number)
            return _answer(row)

        running = asyncio.create_task(_run(journal, ask, 100, slots=4))
        waiting = asyncio.create_task(stuck.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        done = journal.done
        if done < 100:
            journal.close()
            continue
        assert attempt >= 5
        break
    assert sorted(answered) == list(range(1, 101))
    journal.deliver(tmp_path / "out", tmp_path / "failed")
    assert [json.loads(line)["row"] for line in (tmp_path / "out").read_text().splitlines()] == [
        *range(1, 101)
    ]
    journal.close()


async def test_a_failure_that_passes_is_tried_again_and_one_that_stays_is_told_with_its_reason(
    journal: Journal, tmp_path: Path
) -> None:
    asked: dict[int, int] = {}

    async def ask(row: Row) -> bytes:
        asked[row.number] = asked.get(row.number, 0) + 1
        if row.number == 2 and asked[2] < 3:
            raise MenagerieError(ErrorCode.STORE_UNAVAILABLE, reason="busy")
        if row.number == 3:
            raise AnswerError("engine.lost", "Gone.")
        if row.number == 4:
            raise AnswerError("schema.not_met", "Not met.")
        return _answer(row)

    broken = Row(5, problem=RowError("json"), source="{")
    await _run(journal, ask, iter([*_rows(4), broken]))
    assert asked == {1: 1, 2: 3, 3: QUICK.deadly_attempts, 4: 1}
    journal.deliver(tmp_path / "out", tmp_path / "failed")
    failures = [json.loads(line) for line in (tmp_path / "failed").read_text().splitlines()]
    assert failures == [
        {"row": 3, "input": {"n": 3}, "error": {"code": "engine.lost", "message": "Gone."}},
        {"row": 4, "input": {"n": 4}, "error": {"code": "schema.not_met", "message": "Not met."}},
        {
            "row": 5,
            "input": "{",
            "error": {"code": "row.invalid", "message": "The line is not valid JSON."},
        },
    ]


async def test_a_full_queue_is_waited_for_as_long_as_it_asks_and_costs_no_row(journal: Journal) -> None:
    loop = asyncio.get_running_loop()
    refused_at: dict[int, float] = {}
    waited: list[float] = []
    tries = 0

    async def ask(row: Row) -> bytes:
        nonlocal tries
        tries += 1
        if tries <= 40:
            if row.number in refused_at:
                waited.append(loop.time() - refused_at[row.number])
            refused_at[row.number] = loop.time()
            raise AnswerError("queue.full", "Full.", retry_after=0.05)
        return _answer(row)

    await _run(journal, ask, 10, slots=8)
    assert (journal.done, journal.failed) == (10, 0)
    assert waited
    assert min(waited) >= 0.05


async def test_a_failure_that_every_row_would_share_stops_the_batch_and_keeps_what_there_is(
    journal: Journal,
) -> None:
    async def ask(row: Row) -> bytes:
        if row.number > 20:
            raise AnswerError("key.invalid", "No such key.", fatal=True)
        return _answer(row)

    with pytest.raises(StoppedError, match="No such key"):
        await _run(journal, ask, 100, slots=2)
    assert (journal.done, journal.failed) == (20, 0)


async def test_a_disk_that_takes_no_more_stops_the_batch(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(row: Row) -> bytes:
        if row.number == 30:
            monkeypatch.setattr(journal, "_write", _full)
        return _answer(row)

    with pytest.raises(OSError, match="full"):
        await _run(journal, ask, 100)
    assert 29 <= journal.done < 100


def _full(_line: bytes) -> None:
    raise OSError("full")


async def test_ten_thousand_rows_take_no_more_memory_than_a_thousand(journal: Journal) -> None:
    process = psutil.Process()
    text = "x" * 20_000  # all answers together are 200 MB
    sizes: list[int] = []

    async def ask(row: Row) -> bytes:
        await asyncio.sleep(0)
        if row.number in {1_000, 10_000}:
            gc.collect()
            sizes.append(process.memory_info().rss)
        return json.dumps({"row": row.number, "answer": text}).encode()

    rows = (Row(number, {"text": "y" * 2_000}) for number in range(1, 10_001))
    await _run(journal, ask, rows, slots=8)
    assert journal.done == 10_000
    assert (sizes[1] - sizes[0]) / 2**20 < 8


async def test_progress_tells_how_many_how_fast_and_for_how_long(journal: Journal) -> None:
    told: list[Progress] = []

    async def ask(row: Row) -> bytes:
        await asyncio.sleep(0.005)
        if row.number == 7:
            raise AnswerError("prompt.empty", "Empty.")
        return _answer(row)

    await _run(journal, ask, 50, slots=3, progress=told.append)
    assert told[0] == Progress(0, 0, 50)
    assert (told[-1].done, told[-1].failed, told[-1].remaining_s) == (49, 1, 0)
    middle = next(one for one in told if one.done + one.failed == 25)
    assert middle.rate is not None
    assert middle.remaining_s == pytest.approx(25 / middle.rate)


def test_the_rate_is_that_of_late() -> None:
    now = 0.0
    pace = Pace(1000, clock=lambda: now)
    for _ in range(100):
        now += 10
        pace.row_ended()
    for _ in range(200):
        now += 0.5
        pace.row_ended()
    progress = pace.progress(300, 0)
    assert progress.rate == pytest.approx(2, rel=0.05)
    assert progress.remaining_s == pytest.approx(350, rel=0.05)
