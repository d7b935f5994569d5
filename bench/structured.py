"""Structured answers: what it takes to begin one, and what the watch over it costs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench import processes
from bench.clients import NEW_SESSION, PROMPTS, open_socket
from bench.figure import Figure
from menagerie.conversation.prompt import with_schema
from menagerie.core.errors import MenagerieError
from menagerie.structured import compiler, patterns, schema

SCHEMAS: Final = processes.ROOT / "bench/schemas.jsonl"
FOLDER: Final = "BENCH_SCHEMAS"
"""The variable that names a folder of other schemas, one a file."""
TOKENS: Final = 128
_STORY: Final = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 60},
        "text": {"type": "string", "minLength": 1000},
    },
    "required": ["title", "text"],
    "additionalProperties": False,
}


def schemas() -> list[Any]:
    """Those of the folder that the environment names, else our own."""
    folder = os.environ.get(FOLDER)
    if folder:
        return [json.loads(file.read_text("utf-8")) for file in sorted(Path(folder).rglob("*.json"))]
    return [json.loads(line)["schema"] for line in SCHEMAS.read_text("utf-8").splitlines()]


async def compiling(repeats: int) -> list[Figure]:
    """Milliseconds from a schema to the watch over its answer, nothing cached, and how long the event loop was held."""
    every = schemas()
    schema.compile_schema(None)
    taken = [_median_ms(one, repeats) for one in every]
    taken.sort()
    held = await _late_hold(every)
    middle, late = statistics.median(taken), taken[int(len(taken) * 0.95)]
    detail = f"{len(taken)} schemas, median of {repeats} each; the slowest {taken[-1]:.0f} ms"
    return [
        Figure("schema to the start of an answer, median, ms", middle, "≤ 5", middle <= 5, detail),
        Figure("the same, 95th percentile, ms", late, "≤ 100", late <= 100, detail),
        Figure("event loop held meanwhile, 95th percentile, ms", held, "≤ 20", held <= 20, "each alone"),
    ]


def _median_ms(one: Any, repeats: int) -> float:
    return statistics.median(_cold_ms(one) for _ in range(repeats))


def _cold_ms(one: Any) -> float:
    _forget()
    began = time.perf_counter()
    with contextlib.suppress(MenagerieError):
        schema.compile_schema(one).guard()
    return (time.perf_counter() - began) * 1000


def _forget() -> None:
    for cached in (
        schema.compiled_of,
        compiler.patterns_exclude,
        compiler.compiles_alone,
        patterns.compiled_pattern,
    ):
        cached.cache_clear()


async def _late_hold(every: list[Any]) -> float:
    """Milliseconds by which a sleep of one came too late at worst while one was compiled: 95th percentile of all."""
    _forget()
    held = sorted([await _hold_ms(one) for one in every])
    return held[int(len(held) * 0.95)]


async def _hold_ms(one: Any) -> float:
    worst = 0.0
    compiling = asyncio.create_task(schema.compile_soon(one))
    while not compiling.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - began - 0.001)
    await asyncio.gather(compiling, return_exceptions=True)
    return worst * 1000


async def constrained(model: Path, repeats: int) -> list[Figure]:
    """Tokens per second of an answer under a schema ÷ of a free one to the same prompt, which tells of the schema, in
    turn. Characters are no measure: one writes JSON, the other what it likes."""
    async with (
        processes.service(
            module="bench.fixed_service", LLM_MODEL_FILE=str(model), MENAGERIE_ANSWER_TOKENS=str(TOKENS)
        ) as service,
        aiohttp.ClientSession() as session,
    ):
        pairs = []
        for number, prompt in zip(range(repeats + 1), itertools.cycle(PROMPTS), strict=False):
            free = await _free_rate(service, prompt)
            bound = await _bound_rate(session, service, prompt)
            if number:
                pairs.append((bound, free))
    ratio = statistics.median(bound / free for bound, free in pairs)
    middle = [statistics.median(each) for each in zip(*pairs, strict=True)]
    detail = f"{middle[0]:.0f} ÷ {middle[1]:.0f} tokens/s after the first, {repeats} pairs"
    return [Figure("tokens/s under a schema ÷ free", ratio, "≥ 0.9", ratio >= 0.9, detail)]


async def _free_rate(service: processes.Service, prompt: str) -> float:
    first = last = 0.0
    async with open_socket(service.socket_url()) as socket:
        await socket.send(NEW_SESSION + with_schema(prompt, _STORY, 4096, "en"))
        async for frame in socket:
            if isinstance(frame, str) and frame.startswith("<END"):
                break
            last = time.perf_counter()
            first = first or last
    return TOKENS / (last - first)


async def _bound_rate(session: aiohttp.ClientSession, service: processes.Service, prompt: str) -> float:
    first = last = 0.0
    url = f"http://127.0.0.1:{service.port}/toil/beaver"
    async with session.post(url, json={"prompt": prompt, "schema": _STORY}) as response:
        response.raise_for_status()
        async for data in response.content.iter_any():
            if data.endswith(b"}"):
                break  # the end that we write ourselves costs the engine nothing
            last = time.perf_counter()
            first = first or last
    return TOKENS / (last - first)
