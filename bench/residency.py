"""What sharing one machine costs: personas of one model, models that fit together, models that do not, an engine that
is killed; and whether the waits come true that people are told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import aiohttp
import msgspec
import psutil
from websockets.asyncio.client import connect

from bench import processes
from bench.clients import NEW_SESSION, PROMPTS, ask_engine, ask_socket
from bench.figure import Figure
from bench.processes import Service
from menagerie.conversation.prompt import system_prompt
from menagerie.engines.devices import detect
from menagerie.engines.need import ModelShape
from menagerie.engines.plan import Load, Wish, plan
from menagerie.models.gguf import read_header
from menagerie.settings import Settings

TOKENS: Final = 128
SUBJECTS: Final = (
    "dogs",
    "cats",
    "trees",
    "water",
    "bread",
    "music",
    "winter",
    "horses",
    "paper",
    "stones",
    "birds",
)
LIVES_WELL_S: Final = 31.0
"""An engine that is killed sooner than this after its load, and again, and again, is set aside."""
IMPERATIVES: Final = (
    "You are Ant. You answer briefly, in plain words, and you never guess.",
    "You are Bee. You answer kindly, in whole sentences, and you like examples.",
    "You are Cat. You answer with some wit, but you stay with what is known.",
    "You are Dog. You answer loyally, step by step, and you end with a tip.",
)
NAMES: Final = ("ant", "bee", "cat", "dog")


@contextlib.asynccontextmanager
async def house(
    model: Path, *, models: int, fit: int, tokens: int = TOKENS, slots: int = 8
) -> AsyncGenerator[Service, None]:
    """A service with four personas on copies of one model: on one, or two by two; as many copies fit as told."""
    with tempfile.TemporaryDirectory(prefix="menagerie-bench-") as name:
        folder = Path(name)
        copies = [folder / f"copy{number}.gguf" for number in range(models)]
        for copy in copies:
            await asyncio.to_thread(shutil.copyfile, model, copy)
        personas = {
            name: {"local_file": str(copies[number % models]), "imperative": imperative}
            for number, (name, imperative) in enumerate(zip(NAMES, IMPERATIVES, strict=True))
        }
        (folder / "personas").mkdir()
        (folder / "personas" / "10.json").write_text(json.dumps(personas), encoding="utf-8")
        budget = load_of(copies[0], slots).memory_mib * fit + 64
        async with processes.service(
            module="bench.fixed_service",
            MENAGERIE_PERSONALITIES=str(folder / "personas"),
            MENAGERIE_DEFAULT_PERSONA="ant",
            MENAGERIE_ANSWER_TOKENS=str(tokens),
            MENAGERIE_ENGINE_MEMORY=str(budget),
            MENAGERIE_ENGINE_SLOTS=str(slots),
            MENAGERIE_PROMPT_CACHE="0",
        ) as service:
            yield service


def load_of(model: Path, slots: int = 8) -> Load:
    """How the service loads it."""
    wish = Wish(window=4096, slots=slots, cache_mib=0)
    return plan(str(model), "bench", ModelShape.of(read_header(model)), wish, detect(Settings())).forms[0]


async def one_model(model: Path, repeats: int) -> list[Figure]:
    """Going from persona to persona of one model: the first frame, and what eight users get."""
    same, changed, subjects = [], [], itertools.cycle(SUBJECTS)
    async with house(model, models=1, fit=1, tokens=16) as service:
        urls = [service.socket_url(name) for name in NAMES]
        for number in range(8 + repeats * 16):
            url, other = urls[number % 4], urls[(number + 1) % 4]
            before, after, elsewhere = [
                f"{NEW_SESSION}Say something about {next(subjects)}." for _ in range(3)
            ]
            await ask_socket(url, [before])
            same.append((await ask_socket(url, [after]))[0].first_s)
            changed.append((await ask_socket(other, [elsewhere]))[0].first_s)
    same, changed = same[8:], changed[8:]
    one, four = [], []
    async with house(model, models=1, fit=1) as service:
        urls = [service.socket_url(name) for name in NAMES]
        await _tokens_per_s(urls * 2)
        for _ in range(repeats):
            one.append(await _tokens_per_s([urls[0]] * 8))
            four.append(await _tokens_per_s(urls * 2))
    ratio = statistics.median(changed) / statistics.median(same)
    share = statistics.median(mine / theirs for mine, theirs in zip(four, one, strict=True))
    return [
        Figure(
            "persona change, same model: first frame ÷ no change",
            ratio,
            "≤ 1.10",
            ratio <= 1.10,
            f"{statistics.median(changed) * 1000:.0f} ÷ {statistics.median(same) * 1000:.0f} ms",
        ),
        Figure(
            "8 users on 4 personas of one model ÷ on one persona, tokens/s",
            share,
            "≥ 0.97",
            share >= 0.97,
            f"{statistics.median(four):.0f} ÷ {statistics.median(one):.0f} tokens/s, {repeats} pairs",
        ),
    ]


async def _tokens_per_s(urls: Sequence[str]) -> float:
    began = time.perf_counter()
    await asyncio.gather(
        *(ask_socket(url, [NEW_SESSION + prompt]) for url, prompt in zip(urls, PROMPTS, strict=True))
    )
    return len(urls) * TOKENS / (time.perf_counter() - began)


async def swap(model: Path, repeats: int) -> list[Figure]:
    """From the question for a model that is not there, while another idles, to its first token ÷ the same with a bare
    process that is started for it. With one slot there is no smaller form in which both would fit."""
    async with house(model, models=2, fit=1, tokens=8, slots=1) as service:
        urls = [service.socket_url(name) for name in NAMES[:2]]
        for url in urls:
            await ask_socket(url, [NEW_SESSION + PROMPTS[0]])
        ours, bare = [], []
        for url in itertools.islice(itertools.cycle(urls), repeats * 2):
            await asyncio.sleep(2)
            ours.append((await ask_socket(url, [NEW_SESSION + PROMPTS[0]]))[0].first_s)
            bare.append(await _bare_load(model, slots=1))
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, bare, strict=True))
    detail = f"{statistics.median(ours):.2f} ÷ {statistics.median(bare):.2f} s, {repeats * 2} swaps"
    return [
        Figure(
            "hot swap between two models ÷ bare load of the second", ratio, "≤ 1.15", ratio <= 1.15, detail
        )
    ]


async def _bare_load(model: Path, slots: int = 8) -> float:
    system = system_prompt(IMPERATIVES[0], "", datetime.now(ZoneInfo("America/Toronto")), "en")
    began = time.perf_counter()
    async with (
        processes.engine(model, slots=slots, load=load_of(model, slots)) as engine,
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=engine.url, force_close=True)) as session,
    ):
        answer = await ask_engine(session, engine, system, PROMPTS[0], 8)
        return time.perf_counter() - began - answer.total_s + answer.first_s


async def two_models(model: Path, repeats: int) -> list[Figure]:
    """Sixteen users who begin together on two models that fit together, two new conversations each: how far the unlucky
    wait beyond the usual. A first round, in which every slot sees its first prompt, does not count."""
    firsts: list[float] = []
    async with house(model, models=2, fit=2, tokens=64) as service:
        urls = [service.socket_url(name) for name in NAMES]
        for number in range(repeats + 1):
            users = [ask_socket(urls[user % 4], _two_prompts(user)) for user in range(16)]
            answers = await asyncio.gather(*users)
            if number:
                firsts += [answer.first_s for user in answers for answer in user]
    firsts.sort()
    median, tail = statistics.median(firsts), firsts[int(len(firsts) * 0.95)]
    ratio = tail / median
    detail = f"{tail:.2f} ÷ {median:.2f} s, {len(firsts)} turns"
    return [Figure("16 users, two models: first frame, 95th ÷ median", ratio, "≤ 3", ratio <= 3, detail)]


def _two_prompts(user: int) -> list[str]:
    return [NEW_SESSION + PROMPTS[user % 8], NEW_SESSION + PROMPTS[(user + 1) % 8]]


async def killed(model: Path, repeats: int) -> list[Figure]:
    """An engine is killed under load: who else loses a turn, and when its next turn is served."""
    lost, served, loads = 0, [], []
    async with house(model, models=2, fit=2, tokens=64) as service:
        urls = [service.socket_url(name) for name in NAMES]
        await asyncio.gather(*(ask_socket(url, [NEW_SESSION + "Hello."]) for url in urls))
        for number in range(repeats):
            if number:
                await asyncio.sleep(LIVES_WELL_S)
            loads.append(await _bare_load(model))
            running = [asyncio.create_task(turn_of(urls[user % 4], "Go on.")) for user in range(8)]
            await asyncio.sleep(1.0)
            victim = next(one for one in service.process.children() if _serves(one, "copy0"))
            os.kill(victim.pid, signal.SIGKILL)
            next_turn = await turn_of(urls[0], "And now?")
            served.append(next_turn.waited_s)
            turns = await asyncio.gather(*running)
            lost += sum(turn.failed != "" for user, turn in enumerate(turns) if user % 2 == 1)
            lost += next_turn.failed != ""
    worst, load = max(served), statistics.median(loads)
    return [
        Figure("engine killed under load: turns lost by others", lost, "0", lost == 0, f"{repeats} kills"),
        Figure(
            "next turn of the killed engine gets its slot, later than a bare load, s",
            worst - load,
            "≤ 1",
            worst - load <= 1,
            f"worst of {repeats}: {worst:.2f} s; bare load {load:.2f} s",
        ),
    ]


def _serves(process: psutil.Process, name: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(name in file.path for file in process.memory_maps())
    return False


async def forecasts(model: Path, repeats: int) -> list[Figure]:
    """Whether the waits come true that people are told: when they join the queue, against what they waited."""
    errors: list[float] = []
    async with house(model, models=1, fit=1, slots=4) as service:
        urls = [service.socket_url(name) for name in NAMES]
        await asyncio.gather(*(turn_of(urls[0], prompt) for prompt in PROMPTS))
        for _ in range(repeats):
            turns = await asyncio.gather(
                *(
                    turn_of(urls[number % 4], PROMPTS[number % 8], after_s=number * 0.4)
                    for number in range(20)
                )
            )
            errors += [
                abs(turn.expected_s - turn.waited_s) / turn.waited_s
                for turn in turns
                if turn.expected_s is not None and turn.waited_s > 0.5
            ]
    error = statistics.median(errors)
    detail = f"{len(errors)} turns that waited for more than half a second"
    return [Figure("waits told ÷ waits that came: median error", error, "≤ 0.30", error <= 0.30, detail)]


class Told(msgspec.Struct):
    """One turn on the event socket: what was told, and what came."""

    first_s: float = 0.0
    expected_s: float | None = None
    waited_s: float = 0.0
    failed: str = ""


async def turn_of(url: str, prompt: str, after_s: float = 0.0) -> Told:
    """One turn as events."""
    await asyncio.sleep(after_s)
    told, began = Told(), time.perf_counter()
    async with connect(url, subprotocols=["menagerie.events.v1"], compression=None) as socket:  # type: ignore[list-item]
        await socket.send(json.dumps({"prompt": prompt}))
        async for frame in socket:
            event: dict[str, Any] = json.loads(frame)
            match event["type"]:
                case "queued" if told.expected_s is None:
                    told.expected_s = event["expected_s"]
                case "token":
                    told.first_s = told.first_s or time.perf_counter() - began
                case "failed":
                    told.failed = event["code"]
                    break
                case "done":
                    told.waited_s = event["provenance"]["timings"]["queued_ms"] / 1000
                    break
    return told
