"""The real application on a real uvicorn at 127.0.0.1, with turns that follow a script."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp
import uvicorn
from fastapi import APIRouter, FastAPI, WebSocket

from menagerie.conversation.running import TurnRequest
from menagerie.core.events import Accepted, AnyEvent, Done, Failed, Token
from menagerie.core.provenance import ModelFacts, Provenance
from menagerie.engines.figures import Figures
from menagerie.personas.directory import PersonaDirectory
from menagerie.personas.resolve import Description
from menagerie.settings import Settings
from menagerie.web import errors
from menagerie.web.branding import read_branding
from menagerie.web.guard import Guard
from menagerie.web.listener import BoundedHttpProtocol, BoundedWebSocketProtocol
from menagerie.web.routes import describe, gpt, health, toil
from menagerie.web.services import Services

PERSONAS = {
    "otter": {
        "title": {"en": "Otter", "fr": "Loutre"},
        "description": {"en": "Answers.", "fr": "Répond."},
        "hf_repo": "makers/otter",
        "hf_filename": "*Q4_K_M.gguf",
    },
    "badger": {"title": "Badger", "local_file": "vault/secret-place/badger.gguf"},
}
PROVENANCE = Provenance(
    service="menagerie",
    persona="otter",
    language="en",
    model=ModelFacts(name="tiny"),
    started="2026-11-23T12:00:00-05:00",
)


def a_turn(*pieces: str, session: str = "s1") -> list[AnyEvent]:
    """The events of a turn that goes well."""
    return [
        Accepted(turn="t1", session=session, persona="otter"),
        *(Token(piece) for piece in pieces),
        Done(turn="t1", session=session, provenance=PROVENANCE),
    ]


def a_failure(code: str, *pieces: str, retry_after: float | None = None) -> list[AnyEvent]:
    """The events of a turn that fails after `pieces`."""
    return [
        Accepted(turn="t1", session="s1", persona="otter"),
        *(Token(piece) for piece in pieces),
        Failed(code=code, message="It failed.", turn="t1", session="s1", retry_after=retry_after),
    ]


@dataclass
class ScriptedTurns:
    """Turns whose events are written beforehand. With `hangs`, one waits for ever before its last event."""

    script: list[AnyEvent] = field(default_factory=lambda: a_turn("Hello", " there"))
    hangs: bool = False
    requests: list[TurnRequest] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def ended(self, _turn: str) -> None:
        """Nothing is recorded here."""

    async def run(self, request: TurnRequest) -> AsyncGenerator[AnyEvent, None]:
        self.requests.append(request)
        self.begun.set()
        ended = False
        try:
            for event in self.script:
                if isinstance(event, Done | Failed):
                    if self.hangs:
                        await asyncio.Event().wait()
                    ended = True
                yield event
        finally:
            if not ended:
                self.cancelled.set()


@dataclass
class DescribedModels:
    """What a resolver tells of the model behind a persona."""

    answer: Description = field(default_factory=lambda: Description(name="tiny", state="ready"))

    async def describe(self, _persona: object) -> Description:
        return self.answer


class NoCollections:
    """A service without collections of facts."""

    async def list(self, _asker: object) -> tuple[()]:
        return ()


@dataclass
class Parts:
    """What a test may change before it serves, and look at afterwards."""

    settings: Settings
    personas: PersonaDirectory
    turns: ScriptedTurns = field(default_factory=ScriptedTurns)
    resolver: DescribedModels = field(default_factory=DescribedModels)
    live: Any = None
    store: Any = None
    engines: Any = None
    embeddings: Any = None
    batches: Any = None
    uploads: Any = None
    facts: Any = field(default_factory=NoCollections)
    figures: Figures = field(default_factory=Figures)
    body_patience: float = 20.0
    routers: tuple[APIRouter, ...] = ()


def parts(folder: Path, **settings: object) -> Parts:
    """Parts around two personas, with the settings' own names (`max_body=…`)."""
    files = folder / "personas"
    files.mkdir(exist_ok=True)
    (files / "10-test.json").write_text(json.dumps(PERSONAS), encoding="utf-8")
    made = Settings(**{"data": folder / "data", "personalities": (files,), **settings})  # type: ignore[arg-type]
    return Parts(made, PersonaDirectory((files,), made))


def application(given: Parts) -> FastAPI:
    """The application that these parts make."""
    app = FastAPI()
    app.state.services = Services(
        settings=given.settings,
        personas=given.personas,
        catalogue=cast("Any", None),
        store=given.store,
        engines=given.engines,
        turns=cast("Any", given.turns),
        live=cast("Any", given.live),
        resolver=cast("Any", given.resolver),
        embeddings=given.embeddings,
        figures=given.figures,
        batches=given.batches,
        uploads=given.uploads,
        facts=given.facts,
        branding=read_branding(given.settings),
    )
    errors.install(app)
    for router in (gpt.router, toil.router, describe.router, health.router, *given.routers):
        app.include_router(router)

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    app.add_api_websocket_route("/echo", echo)
    return app


class StartedServer(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def serving(given: Parts) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the running application; its addresses begin with `/`."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    guarded = Guard(application(given), given.settings, body_patience=given.body_patience)
    server = StartedServer(
        uvicorn.Config(
            guarded,
            http=BoundedHttpProtocol,
            ws=BoundedWebSocketProtocol,
            log_config=None,
            lifespan="off",
            proxy_headers=False,
            timeout_graceful_shutdown=2,
        )
    )
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.up.wait()
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=timeout) as client:
            yield client
    finally:
        server.should_exit = True
        await running
        listener.close()


@asynccontextmanager
async def raw(
    client: aiohttp.ClientSession,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to the server of `client`, for what no HTTP library would send."""
    base = client._base_url
    assert base is not None
    reader, writer = await asyncio.open_connection(base.host, base.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def raw_answer(client: aiohttp.ClientSession, request: bytes, *, seconds: float = 10) -> bytes:
    """All that the server says to `request` until it closes or `seconds` have passed."""
    async with raw(client) as (reader, writer):
        writer.write(request)
        said = b""
        try:
            async with asyncio.timeout(seconds):
                while chunk := await reader.read(65536):
                    said += chunk
                    if b"\r\n\r\n" in said and b"content-length: 0" in said.lower():
                        break
        except (TimeoutError, ConnectionResetError):
            pass
        return said
