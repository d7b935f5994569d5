"""What is measured, each as a ratio or a difference against the raw engine in the same run."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import aiohttp
import psutil

from bench import processes
from bench.clients import (
    NEW_SESSION,
    PROMPTS,
    Answer,
    CountingClient,
    ask,
    ask_engine,
    ask_socket,
    open_socket,
    same_system_prompt,
)
from bench.figure import Figure
from bench.processes import Engine, Service, cpu_seconds

TOKENS: Final = 128


async def throughput(model: Path, repeats: int) -> list[Figure]:
    """Tokens per second through the websocket ÷ straight at the engine, and the CPU time that the service takes."""
    figures = []
    async with (
        processes.engine(model, slots=8) as engine,
        _on_its_own_engine(model) as service,
        aiohttp.ClientSession(connector=_connector(engine)) as session,
        contextlib.AsyncExitStack() as stack,
    ):
        url = service.socket_url()
        sockets = [await stack.enter_async_context(open_socket(url)) for _ in PROMPTS]

        async def straight(index: int) -> Answer:
            return await ask_engine(session, engine, same_system_prompt(), PROMPTS[index], TOKENS)

        async def through(index: int) -> Answer:
            return await ask(sockets[index], NEW_SESSION + PROMPTS[index])

        for users in (1, 8):
            raw, ours, cpu = [], [], []
            await _rate(users, straight)
            await _rate(users, through)
            for _ in range(repeats):
                raw.append(await _rate(users, straight))
                before = cpu_seconds(service.process), cpu_seconds(service.engine)
                ours.append(await _rate(users, through))
                after = cpu_seconds(service.process), cpu_seconds(service.engine)
                cpu.append((after[0] - before[0]) / (after[1] - before[1]))
            ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, raw, strict=True))
            detail = f"{statistics.median(ours):.0f} ÷ {statistics.median(raw):.0f} tokens/s, {repeats} pairs"
            name = f"tokens/s through us ÷ engine, {users} user(s)"
            figures.append(Figure(name, ratio, "≥ 0.98", ratio >= 0.98, detail))
            if users == 8:
                share = sum(cpu) / len(cpu)
                detail = f"mean of {repeats}, {min(cpu):.4f} to {max(cpu):.4f}"
                name = "CPU of the service ÷ CPU of the engine, 8 users"
                figures.append(Figure(name, share, "≤ 0.01", share <= 0.01, detail))
    return figures


def _on_its_own_engine(model: Path) -> contextlib.AbstractAsyncContextManager[Service]:
    return processes.service(
        module="bench.fixed_service", LLM_MODEL_FILE=str(model), MENAGERIE_ANSWER_TOKENS=str(TOKENS)
    )


def _connector(engine: Engine) -> aiohttp.BaseConnector:
    if engine.url.endswith(".sock"):
        return aiohttp.UnixConnector(path=engine.url, limit=0, force_close=True)
    return aiohttp.TCPConnector(limit=0, force_close=True)


async def _rate(users: int, ask: Callable[[int], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(ask(index) for index in range(users)))
    return users * TOKENS / (time.perf_counter() - began)


async def streaming(sockets: int = 50) -> list[Figure]:
    """What one process can stream from an engine that costs nothing: as fast as it can, and at an easy pace."""
    figures = []
    for pause_s, tokens, name, goal in (
        (0.0005, 4000, f"tokens/s one process streams, {sockets} sockets", 20_000.0),
        (0.01, 300, "tokens per CPU second when each is a frame of its own", 0.0),
    ):
        async with (
            processes.stub(pause_s, tokens) as url,
            processes.service(url, slots=sockets + 8) as service,
        ):
            await stream(service, 2)
            cpu = cpu_seconds(service.process)
            began = time.perf_counter()
            clients = await stream(service, sockets)
            wall, cpu = time.perf_counter() - began, cpu_seconds(service.process) - cpu
            total = sockets * tokens
            if any(client.characters < tokens * len(" word") for client in clients):
                raise RuntimeError("an answer was not whole")
            value = total / wall if goal else total / cpu
            frames = (sum(client.characters for client in clients) - total * len(" word")) / 2
            figures.append(
                Figure(
                    name,
                    value,
                    f"≥ {goal:,.0f}" if goal else "",
                    value >= goal,
                    f"{total / wall:,.0f} tokens/s, {total / cpu:,.0f} tokens per CPU second, "
                    f"{cpu / total * 1e6:.1f} µs CPU a token, {cpu / wall:.2f} cores, "
                    f"{total / frames:.1f} tokens a frame",
                )
            )
    return figures


async def stream(service: Service, sockets: int) -> list[CountingClient]:
    """One turn on each of so many sockets at once, to its end."""
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(sockets):
        _, client = await loop.create_connection(
            lambda: CountingClient("Go on.", f"127.0.0.1:{service.port}", "/gpt-socket/beaver"),
            "127.0.0.1",
            service.port,
        )
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    return clients


async def first_frame(turns: int) -> list[Figure]:
    """How much later the first frame comes through us, with an engine that answers at once."""
    async with (
        processes.stub(0.0, 4) as url,
        processes.service(url, slots=8) as service,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
        open_socket(service.socket_url()) as socket,
    ):
        raw, ours = [], []
        stub = Engine(url, "", service.process)
        for number in range(turns + 5):
            answer = await ask_engine(session, stub, same_system_prompt(), PROMPTS[0], 4)
            first = (await ask(socket, NEW_SESSION + PROMPTS[0])).first_s
            if number >= 5:
                raw.append(answer.first_s)
                ours.append(first)
        added = (statistics.median(ours) - statistics.median(raw)) * 1000
        worst = sorted(ours)[int(len(ours) * 0.95)] * 1000
        detail = (
            f"{turns} turns; ours {statistics.median(ours) * 1000:.1f} ms, 95th percentile {worst:.1f} ms"
        )
        return [Figure("first frame later than the engine's, median, ms", added, "≤ 8", added <= 8, detail)]


async def second_turn(model: Path, repeats: int) -> list[Figure]:
    """A second turn's first frame while eight users talk at once ÷ the same alone."""
    async with _on_its_own_engine(model) as service:
        alone: list[float] = []
        crowded: list[float] = []
        url = service.socket_url()
        for number in range(repeats):
            prompts = [[PROMPTS[(i + number) % 8], PROMPTS[(i + number + 1) % 8]] for i in range(8)]
            alone += [(await ask_socket(url, prompts[0]))[1].first_s]
            users = [_after(index * 0.25, ask_socket, url, prompts[index]) for index in range(8)]
            crowded += [answers[1].first_s for answers in await asyncio.gather(*users)]
    ratio = statistics.median(crowded) / statistics.median(alone)
    detail = f"{statistics.median(crowded):.3f} s ÷ {statistics.median(alone):.3f} s"
    return [Figure("second turn's first frame, 8 users ÷ alone", ratio, "≤ 3", ratio <= 3, detail)]


async def _after(
    delay_s: float, call: Callable[[str, list[str]], Awaitable[list[Answer]]], url: str, prompts: list[str]
) -> list[Answer]:
    await asyncio.sleep(delay_s)
    return await call(url, prompts)


async def idle_sockets(count: int = 1000) -> list[Figure]:
    """What a thousand people who say nothing cost, and whether the next one feels them."""
    async with processes.stub(0.0, 4) as url, processes.service(url, slots=8) as service:
        alone = await _median_first(service)
        before = service.process.memory_info().rss
        idle = [await open_socket(service.socket_url()) for _ in range(count)]
        await asyncio.sleep(1)
        grown = (service.process.memory_info().rss - before) / 1_048_576
        among = await _median_first(service)
        await asyncio.gather(*(socket.close() for socket in idle))
    later = among / alone
    return [
        Figure(
            f"MB more for {count} idle sockets",
            grown,
            "≤ 60",
            grown <= 60,
            f"{grown * 1024 / count:.1f} KiB each",
        ),
        Figure(
            "first frame among idle sockets ÷ alone",
            later,
            "≤ 1.10",
            later <= 1.1,
            f"{among * 1000:.2f} ÷ {alone * 1000:.2f} ms",
        ),
    ]


async def _median_first(service: Service) -> float:
    firsts = []
    for _ in range(60):
        firsts += [answer.first_s for answer in await ask_socket(service.socket_url(), [PROMPTS[0]])]
    return statistics.median(firsts[10:])


async def start_up(model: Path, repeats: int) -> list[Figure]:
    """From `script/server` with everything cached to the first page, and to the first token of a real answer."""
    pages, tokens = [], []
    for _ in range(repeats):
        port = processes.free_port()
        environment = {
            "LLM_MODEL_FILE": str(model),
            "WHISPER_EMBEDDING_MODEL": "none",
            "MENAGERIE_PORT": str(port),
            "MENAGERIE_LOG_LEVEL": "error",
        }
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            "sh",
            str(processes.ROOT / "script/server"),
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", **environment},
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await processes.until_ready(port, "/en/chat")
            pages.append(time.perf_counter() - began)
            answer = (await ask_socket(f"ws://127.0.0.1:{port}/gpt-socket/beaver", ["Hi"]))[0]
            tokens.append(time.perf_counter() - began - answer.total_s + answer.first_s)
        finally:
            process.terminate()
            await process.wait()
    page, token = statistics.median(pages), statistics.median(tokens)
    return [
        Figure("start to the first page, s", page, "≤ 2", page <= 2, f"{repeats} starts"),
        Figure("start to the first token, s", token, "≤ 5", token <= 5, f"{repeats} starts"),
    ]


def machine() -> str:
    """The machine in a line."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count(logical=False)} cores, {memory:.0f} GiB, load {psutil.getloadavg()[0]:.2f} at the start"
