"""What drafting gains: the same most likely answers with and without it, from a text that is given and from nothing.

CPU time is the main figure, since what else runs on the machine hardly shows in it. The engines have one thread each:
several wait for each other by spinning, which would count as work.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from bench import processes
from bench.clients import PROMPTS
from bench.figure import Figure
from bench.processes import Engine, cpu_seconds

TOKENS: Final = 64
DRAFTS: Final = (4, 8)
_PASSAGE_CHARACTERS: Final = 2400
"""Of English text, some 600 tokens."""

TASKS: Final = (
    "Quote the sentence above that says most about data.",
    "Summarize the text above.",
    "List the settings and commands in the text above.",
    "Which steps does the text above describe? Use its words.",
    "Repeat the second paragraph of the text above.",
    "Quote two sentences of the text above that are about safety.",
    "Write the text above as a list.",
    "What does the text above say first? Quote it.",
)


class Run(msgspec.Struct):
    """What one round of answers took, in seconds, and how many tokens were drafted and held."""

    wall_s: float
    cpu_s: float
    tokens: int
    drafted: int
    accepted: int


class Timings(msgspec.Struct):
    """What the engine says of one answer."""

    predicted_n: int
    draft_n: int = 0
    draft_n_accepted: int = 0


class Reply(msgspec.Struct):
    """The part of a completion that is read."""

    timings: Timings


async def drafting(model: Path, repeats: int) -> list[Figure]:
    """Time per token with drafting ÷ without, of the CPU and on the clock, for one user and for eight, who quote
    from a text or chat. The rounds of all engines alternate; each round's ratio is to the one without beside it."""
    passage = (processes.ROOT / "docs/running.en.md").read_text("utf-8")[:_PASSAGE_CHARACTERS]
    grounded = [f"{passage}\n\n{task}" for task in TASKS]
    figures: list[Figure] = []
    async with contextlib.AsyncExitStack() as stack:
        engines = [
            await stack.enter_async_context(processes.engine(model, slots=8, draft=draft, threads=1))
            for draft in (0, *DRAFTS)
        ]
        for kind, prompts in (("grounded", grounded), ("chat", PROMPTS)):
            for users in (1, 8):
                rounds = await _rounds(engines, prompts, users, repeats)
                for draft, runs in zip(DRAFTS, rounds[1:], strict=True):
                    figures.append(_figure(f"{kind}, {users} user(s), draft of {draft}", rounds[0], runs))
    return figures


async def _rounds(engines: list[Engine], prompts: Sequence[str], users: int, repeats: int) -> list[list[Run]]:
    """For each engine its rounds, each of one answer to each prompt."""
    for engine in engines:
        await _round(engine, prompts, users, 1)
    rounds: list[list[Run]] = [[] for _ in engines]
    for _ in range(repeats):
        for engine, runs in zip(engines, rounds, strict=True):
            runs.append(await _round(engine, prompts, users, TOKENS))
    return rounds


async def _round(engine: Engine, prompts: Sequence[str], users: int, tokens: int) -> Run:
    """One answer to each prompt, so many at once."""
    connector = aiohttp.UnixConnector(path=engine.url, limit=users, force_close=True)
    headers = {"Authorization": f"Bearer {engine.key}"}

    async def answer(prompt: str) -> Timings:
        body = {
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": tokens,
            "temperature": 0,
        }
        async with session.post("http://engine/v1/chat/completions", json=body) as response:
            response.raise_for_status()
            return msgspec.json.decode(await response.read(), type=Reply).timings

    async with aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=aiohttp.ClientTimeout(total=None)
    ) as session:
        began, cpu = time.perf_counter(), cpu_seconds(engine.process)
        answers = await asyncio.gather(*map(answer, prompts))
        return Run(
            time.perf_counter() - began,
            cpu_seconds(engine.process) - cpu,
            sum(one.predicted_n for one in answers),
            sum(one.draft_n for one in answers),
            sum(one.draft_n_accepted for one in answers),
        )


def _figure(name: str, plain: list[Run], drafted: list[Run]) -> Figure:
    pairs = list(zip(drafted, plain, strict=True))
    cpu = statistics.median((one.cpu_s / one.tokens) / (other.cpu_s / other.tokens) for one, other in pairs)
    wall = statistics.median(
        (one.wall_s / one.tokens) / (other.wall_s / other.tokens) for one, other in pairs
    )
    tried, held = sum(one.drafted for one in drafted), sum(one.accepted for one in drafted)
    milliseconds = statistics.median(one.cpu_s / one.tokens for one in plain) * 1000
    detail = (
        f"clock {wall:.2f}; {held / max(tried, 1):.0%} of {tried / len(drafted):.0f} drafted tokens held in "
        f"{drafted[0].tokens}; {milliseconds:.1f} ms CPU a token without; {len(pairs)} pairs"
    )
    return Figure(f"CPU a token with ÷ without drafting: {name}", cpu, "", False, detail)
