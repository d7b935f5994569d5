"""A turn that rests on a page: what finding and reading it adds before the engine starts."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from bench import processes
from bench.figure import Figure
from menagerie.app import running
from menagerie.conversation.running import Sampling, TurnRequest
from menagerie.core.events import Done
from menagerie.core.identity import User
from menagerie.settings import Settings
from menagerie.web.services import Services

TURNS = 40
GOAL_MS = 30.0
PARAGRAPHS = 120
"""Of the page: some 30,000 characters, seven times what fits into a prompt."""
PARAGRAPH = (
    "<h2>Rule {number}</h2><p>Whoever keeps lantern number {number} cleans its glass every {days} days, and writes the"
    " day into the book of the tower. A lantern that went out is reported within {hours} hours to whoever is"
    " on duty.</p>"
)


async def grounded(model: Path) -> list[Figure]:
    """Milliseconds from the beginning of a turn to its engine, for a page that was read before and for a new one."""
    async with _site() as site, _service(model, site) as services:
        cached = [
            await _milliseconds(services, f"{site.make_url('/one')}", turn) for turn in range(TURNS + 1)
        ][1:]
        fresh = [await _milliseconds(services, f"{site.make_url(f'/{turn}')}", turn) for turn in range(10)]
    slow = sorted(cached)[int(len(cached) * 0.95)]
    median = statistics.median(cached)
    return [
        Figure(
            "grounded turn: ms before the engine starts, cached page",
            median,
            f"≤ {GOAL_MS:.0f}",
            median <= GOAL_MS,
            f"{TURNS} turns, 95th percentile {slow:.1f} ms",
        ),
        Figure("the same, page not read before", statistics.median(fresh), "", True, "10 pages, loopback"),
    ]


async def _milliseconds(services: Services, address: str, number: int) -> float:
    request = TurnRequest(
        persona="beaver",
        prompt=f"Within how many hours is it reported that lantern {number} went out?",
        user=User(("bench",)),
        language="en",
        channel="bench",
        address=address,
        sampling=Sampling(max_tokens=1),
    )
    async for event in services.turns.run(request):
        if isinstance(event, Done):
            return event.provenance.timings.grounding_ms
    raise RuntimeError("the turn failed")


@asynccontextmanager
async def _site() -> AsyncIterator[TestServer]:
    page = "<!doctype html><title>Lanterns</title><main>{}</main>".format(
        "".join(
            PARAGRAPH.format(number=number, days=number % 9 + 2, hours=number % 5 + 1)
            for number in range(PARAGRAPHS)
        )
    )

    async def answer(request: web.Request) -> web.StreamResponse:
        text = page.replace("Lanterns", f"Lanterns {request.path}", 1)
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "max-age=600"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    site = TestServer(app)
    await site.start_server()
    try:
        yield site
    finally:
        await site.close()


@asynccontextmanager
async def _service(model: Path, site: TestServer) -> AsyncIterator[Services]:
    with tempfile.TemporaryDirectory(dir=processes.ROOT / "var") as folder:
        settings = Settings(
            data=Path(folder),
            llm_model_file=model,
            whisper_embedding_model="none",
            log_level="error",
            fetch_allow=f"{site.host}/32",  # type: ignore[arg-type]
            fetch_ports=str(site.port),  # type: ignore[arg-type]
        )
        async with running(settings) as services:
            yield services
