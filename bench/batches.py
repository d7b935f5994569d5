"""What a batch gets of an engine, and what a person feels of it."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp

from bench import processes
from bench.clients import NEW_SESSION, PROMPTS, ask, ask_engine, open_socket, same_system_prompt
from bench.figure import Figure
from bench.processes import Engine, Service
from menagerie.batches.journal import Journal
from menagerie.batches.pace import Progress
from menagerie.batches.remote import service_at
from menagerie.batches.rows import open_table
from menagerie.batches.runner import Runner
from menagerie.batches.work import Work, failure_line
from menagerie.settings import Settings

SLOTS: Final = 8
TOKENS: Final = 64
ROWS: Final = 56
"""As many rounds of all slots as of all but the one that a batch leaves to people: rows of one length end together."""
_ASKED: Final = 5
"""First frames of a person in each state, in each repeat."""
_PAUSE_S: Final = 0.5


async def batches(model: Path, repeats: int) -> list[Figure]:
    """Rows a second of a batch ÷ what the engine alone does with all slots full; first frame beside a batch ÷ idle."""
    async with processes.service(
        module="bench.fixed_service",
        LLM_MODEL_FILE=str(model),
        MENAGERIE_ANSWER_TOKENS=str(TOKENS),
        MENAGERIE_ENGINE_SLOTS=str(SLOTS),
    ) as service:
        with tempfile.TemporaryDirectory(prefix="menagerie-bench-") as folder:
            rate = await _rates(model, service, Path(folder), repeats)
            felt = await _first_frames(service, Path(folder), repeats)
    return [rate, felt]


async def _rates(model: Path, service: Service, folder: Path, repeats: int) -> Figure:
    ours, raw = [], []
    async with processes.engine(model, slots=SLOTS) as engine, _client(engine) as session:

        async def straight(index: int) -> object:
            return await ask_engine(session, engine, same_system_prompt(), _prompt(index), TOKENS)

        await _all(straight, SLOTS)
        await _batch(service, folder, SLOTS)
        for _ in range(repeats):
            raw.append(ROWS / await _all(straight, ROWS))
            ours.append(ROWS / await _batch(service, folder, ROWS))
    ratio = statistics.median(mine / limit for mine, limit in zip(ours, raw, strict=True))
    detail = (
        f"{statistics.median(ours):.2f} ÷ {statistics.median(raw):.2f} rows/s, {ROWS} rows of {TOKENS} tokens, "
        f"{SLOTS} slots, {repeats} pairs"
    )
    return Figure("rows/s of a batch ÷ engine with all slots full", ratio, "≥ 0.95", ratio >= 0.95, detail)


async def _first_frames(service: Service, folder: Path, repeats: int) -> Figure:
    idle, beside = [], []
    async with open_socket(service.socket_url()) as socket:

        async def first(number: int) -> float:
            await asyncio.sleep(_PAUSE_S)
            return (await ask(socket, NEW_SESSION + PROMPTS[number % len(PROMPTS)])).first_s

        await first(0)
        for _ in range(repeats):
            idle += [await first(number) for number in range(_ASKED)]
            answered = asyncio.Event()
            running = asyncio.create_task(_batch(service, folder, 100 * ROWS, answered))
            try:
                await answered.wait()
                beside += [await first(number) for number in range(_ASKED)]
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
    ratio = statistics.median(beside) / statistics.median(idle)
    detail = f"{statistics.median(beside):.3f} ÷ {statistics.median(idle):.3f} s, {len(idle)} turns each"
    return Figure("a person’s first frame beside a batch ÷ idle", ratio, "≤ 2", ratio <= 2, detail)


async def _batch(service: Service, folder: Path, rows: int, under_way: asyncio.Event | None = None) -> float:
    """The seconds that so many rows take, from the first to the last, asked as `menagerie batch` asks them; `under_way`
    is set once a row has been answered for each slot."""

    def look(progress: Progress) -> None:
        if under_way and progress.done >= SLOTS:
            under_way.set()

    path = folder / f"{rows}.jsonl"
    path.write_text("".join(json.dumps({"prompt": _prompt(index)}) + "\n" for index in range(rows)))
    table = open_table(path)
    work = Work(persona="beaver", language="en")
    journal = Journal.open(folder / "journal", b"{}", anew=True)
    try:
        async with service_at(f"http://127.0.0.1:{service.port}", "", work, Settings()) as ask_row:
            runner = Runner(
                ask_row, failure_line, journal, total=rows, language="en", slots=ask_row.slots, progress=look
            )
            began = time.perf_counter()
            await runner.run(table.rows())
            if journal.done < rows:
                raise RuntimeError("a row was not answered")
            return time.perf_counter() - began
    finally:
        journal.close()


async def _all(call: Callable[[int], Awaitable[object]], rows: int) -> float:
    """The seconds that so many rows take when a slot never waits for the next one."""
    left = iter(range(rows))

    async def one_after_another() -> None:
        for index in left:
            await call(index)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(SLOTS + 2):
            group.create_task(one_after_another())
    return time.perf_counter() - began


@asynccontextmanager
async def _client(engine: Engine) -> AsyncGenerator[aiohttp.ClientSession, None]:
    connector = aiohttp.UnixConnector(path=engine.url, limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


def _prompt(index: int) -> str:
    return f"{PROMPTS[index % len(PROMPTS)]} Begin with the number {index}."
