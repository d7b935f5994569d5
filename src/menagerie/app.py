"""The composition root: settings in, a served application out. It alone sees every layer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import signal
import socket
from collections.abc import AsyncGenerator, Coroutine, Generator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn
from fastapi import FastAPI

from menagerie import __version__
from menagerie.batches.job import BatchCaller
from menagerie.batches.requests import Reply
from menagerie.batches.service import Batches
from menagerie.batches.turns import slots_of
from menagerie.conversation.live import LiveTurns
from menagerie.conversation.turn import Turns
from menagerie.core.errors import MenagerieError
from menagerie.embeddings.service import Embeddings
from menagerie.engines.devices import detect
from menagerie.engines.engine import Limits
from menagerie.engines.figures import Figures
from menagerie.engines.measurements import FILE_NAME, Measurements
from menagerie.engines.orphans import end_orphans
from menagerie.engines.plan import MIB
from menagerie.engines.residency import Engines
from menagerie.grounding.document import Document
from menagerie.grounding.facts.service import FactBases
from menagerie.grounding.grounder import Grounder
from menagerie.grounding.reader import Reader
from menagerie.grounding.registry import Sources
from menagerie.grounding.source import Kit
from menagerie.grounding.stuffing import LONGEST, Stuffings
from menagerie.grounding.uploads import Uploads
from menagerie.logs import configure_logging
from menagerie.models.catalogue import Catalogue
from menagerie.net.outbound import Departure, facts, observed_by
from menagerie.net.page import PageCache
from menagerie.personas.directory import PersonaDirectory
from menagerie.personas.load import persona_folders
from menagerie.personas.resolve import Resolver
from menagerie.settings import Settings
from menagerie.store.database import Store
from menagerie.store.folder import FileFolder
from menagerie.web import errors
from menagerie.web.assets import assets
from menagerie.web.branding import read_branding
from menagerie.web.guard import Guard
from menagerie.web.listener import BoundedHttpProtocol, BoundedWebSocketProtocol
from menagerie.web.openai.batches import answer_row
from menagerie.web.routes import (
    conversations,
    describe,
    docs,
    embedding,
    gpt,
    health,
    metrics,
    openai,
    openai_batches,
    pages,
    platform,
    toil,
)
from menagerie.web.routes import facts as facts_routes
from menagerie.web.routes import socket as socket_routes
from menagerie.web.services import Services

try:
    import resource

    import uvloop
except ImportError:  # Windows has neither
    resource = None  # type: ignore[assignment]
    uvloop = None  # type: ignore[assignment]

log = structlog.get_logger("menagerie")

_STOP_SIGNALS: Final = [
    signal.SIGINT,
    signal.SIGTERM,
    *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []),
]
_GC_THRESHOLDS: Final = (20_000, 20, 50)
_SAMPLED_EVERY_S: Final = 5.0
_LOOKS_AGAIN: Final = 0.1
"""Seconds between two looks for a second signal, as in uvicorn."""
_LARGEST_FRAME: Final = 16 * MIB
"""Frames beyond `settings.max_frame` are told why they are refused up to here; larger ones end the socket."""


def create_app(services: Services) -> FastAPI:
    """The application that serves a running service's parts."""
    app = FastAPI(
        title="menagerie",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    app.state.services = services
    errors.install(app)
    programs = (describe, gpt, toil, embedding, openai, openai_batches, facts_routes)
    interfaces = (*programs, conversations, socket_routes)
    for routes in (pages, docs, *interfaces, platform, metrics, health):
        app.include_router(routes.router)
    app.add_middleware(Guard, settings=services.settings)
    return app


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[Services, None]:
    """The parts of a running service, opened in order and closed in reverse."""
    detecting = asyncio.create_task(asyncio.to_thread(detect, settings))
    store = await Store.open(settings.database, settings.data)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        stack.enter_context(observed_by(partial(_note_departure, store)))
        await store.turns.close_interrupted()
        personas = PersonaDirectory(persona_folders(settings), settings)
        catalogue = Catalogue(settings.data / "models")
        machine = await detecting
        limits = Limits(settings.load_timeout, settings.token_timeout, settings.queue_length)
        records = settings.data / "engines"
        await asyncio.to_thread(end_orphans, records)
        measurements = await asyncio.to_thread(Measurements, settings.data / FILE_NAME)
        measurements.clear_set_aside()
        figures = Figures()
        engines = Engines(machine, limits, measurements=measurements, observer=figures, records=records)
        stack.push_async_callback(engines.stop)
        embeddings = Embeddings(settings, catalogue, engines, machine)
        stack.push_async_callback(embeddings.close)
        resolver = Resolver(settings, personas, catalogue, engines, machine, embeddings.cared_for)
        stack.push_async_callback(resolver.close)
        reader = Reader(settings, cache=PageCache.of(settings))
        stack.push_async_callback(reader.close)
        facts = FactBases(settings, store, reader, embeddings)
        stack.push_async_callback(facts.close)
        sources = Sources.installed(Kit(settings, reader, store, embeddings, facts))
        uploads = Uploads(store.files, FileFolder(settings.data / "files"), reader.documents)
        grounder = Grounder(sources, reader, uploads, embeddings)
        stack.callback(grounder.close)
        stuffings = Stuffings(reader, partial(_read_stuffing, reader))
        stack.push_async_callback(stuffings.close)
        turns = Turns(settings, resolver, engines, store, grounder, stuffings)
        stack.push_async_callback(turns.close)
        live = LiveTurns(turns, store, settings.away_s)
        stack.push_async_callback(live.close)

        async def answer(caller: BatchCaller, endpoint: str, body: dict[str, Any]) -> Reply:
            return await answer_row(services, caller, endpoint, body)

        async def slots() -> int | None:
            return slots_of(engines)

        kept = timedelta(days=settings.file_days)
        batches = Batches(store, settings.data, answer, slots, kept=kept, folder=uploads.folder)
        branding = await asyncio.to_thread(read_branding, settings)
        services = Services(
            settings,
            personas,
            catalogue,
            store,
            engines,
            turns,
            live,
            resolver,
            embeddings,
            figures,
            batches,
            uploads,
            facts,
            branding=branding,
        )
        for work in (personas.watch(), engines.watch(), _sample(services), _preload(services)):
            stack.push_async_callback(_cancel, asyncio.create_task(work))
        _settle_garbage_collection()
        yield services


def listen(settings: Settings) -> list[socket.socket]:
    """Sockets on the configured address. Raises `OSError` where it is taken or not ours."""
    found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            sockets.append(socket.create_server(address[:2], family=family, backlog=2048))
        except OSError:
            for opened in sockets:
                opened.close()
            raise
    return sockets


def serve(settings: Settings, sockets: Sequence[socket.socket] | None = None) -> int:
    """Serve until told to stop. Returns the exit status; raises `MenagerieError` for what stops the start."""
    configure_logging(settings)
    _raise_file_limit()
    run = uvloop.run if uvloop else asyncio.run
    return run(_serve(settings, list(sockets if sockets is not None else listen(settings))))


async def _serve(settings: Settings, sockets: list[socket.socket]) -> int:
    async with (
        running(settings) as services,
        _working(services.batches.run()),
        _working(services.facts.run()),
    ):
        config = uvicorn.Config(
            create_app(services),
            http=BoundedHttpProtocol,
            ws=BoundedWebSocketProtocol,
            ws_max_size=_LARGEST_FRAME,
            ws_per_message_deflate=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
        )
        server = _DrainingServer(config, services)
        await server.serve(sockets)
        return 0 if server.started else 1


class _DrainingServer(uvicorn.Server):
    """Lets running turns end before it closes their connections, and everything be closed before it exits."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop on SIGINT, SIGTERM and SIGHUP; unlike uvicorn, do not raise them again before our parts are closed.
        One that is ignored stays so: `nohup` ignores SIGHUP for us."""
        heard = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self.handle_exit) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections, drain, then close as uvicorn does. Whoever interrupts again waits for no turn, but
        their ends are stored."""
        for server in self.servers:
            server.close()
        draining = asyncio.create_task(self._services.turns.drain(self._services.settings.shutdown_grace))
        while not draining.done() and not self.force_exit:
            await asyncio.wait({draining}, timeout=_LOOKS_AGAIN)
        await _cancel(draining)
        await self._services.live.close()
        await super().shutdown(sockets)
        await asyncio.gather(*map(_cancel, self.server_state.tasks))


async def _read_stuffing(reader: Reader, path: Path) -> Document:
    return await reader.documents.read(path, name=path.name, most=LONGEST)


def _note_departure(store: Store, departure: Departure) -> None:
    store.log.write("outbound", subject=departure.host, data=facts(departure))


async def _sample(services: Services) -> None:
    """Note what the engines take, for the page of figures, for ever."""
    while True:
        services.figures.sample(services.engines.overview())
        await asyncio.sleep(_SAMPLED_EVERY_S)


async def _preload(services: Services) -> None:
    """Read the files of the pages, load the default persona's engine, and what is slow to import, so that nobody waits
    for any of them."""
    await asyncio.to_thread(assets)
    try:
        persona = services.personas.get(services.settings.default_persona)
        resolution = await services.resolver.resolve(persona)
        services.resolver.with_hash(resolution)
        async with services.engines.use(resolution.target, batch=True):  # nobody is about yet
            pass
    except MenagerieError as failure:
        log.warning("preload.failed", failure=str(failure))
    await asyncio.to_thread(importlib.import_module, "menagerie.structured.answer")


def _raise_file_limit() -> None:
    """As many open files as the system lets us have: every connection is one, and the usual limit is 1,024."""
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _settle_garbage_collection() -> None:
    """Leave what start-up made out of every later collection, and collect less often: streaming makes much that
    counting references frees at once, and a full collection in the middle of it is a pause that everybody feels."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


@contextlib.asynccontextmanager
async def _working(work: Coroutine[None, None, None]) -> AsyncGenerator[None, None]:
    """Do `work` meanwhile."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await _cancel(task)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
