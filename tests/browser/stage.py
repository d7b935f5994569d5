"""The real application on a real server, with turns that follow what the prompt says: a stage for the pages."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import uvicorn
from fastapi import FastAPI

from menagerie.conversation.live import LiveTurns
from menagerie.conversation.running import TurnRequest
from menagerie.core.errors import ErrorCode
from menagerie.core.events import Accepted, AnyEvent, Done, Failed, Notice, Queued, Source, Token
from menagerie.core.provenance import ModelFacts, Provenance, SourceFacts, Timings
from menagerie.locales import text
from menagerie.personas.directory import PersonaDirectory
from menagerie.personas.persona import Persona
from menagerie.personas.resolve import Description
from menagerie.settings import Settings
from menagerie.web import errors
from menagerie.web.branding import read_branding
from menagerie.web.guard import Guard
from menagerie.web.routes import describe, docs, gpt, pages, platform, toil
from menagerie.web.routes import socket as socket_routes
from menagerie.web.services import Services
from tests.browser.recording import Recording
from tests.engines.overviews import SeenEngines, lively_figures
from tests.web.serving import NoCollections

PERSONAS: Final = {
    "beaver": {
        "title": {"en": "Beaver", "fr": "Castor"},
        "description": {
            "en": "A steady generalist for everyday writing, summaries and ideas.",
            "fr": "Un généraliste solide pour la rédaction, les résumés et les idées de tous les jours.",
        },
        "intro_dialogue": {
            "en": "Hello! What are we building today?",
            "fr": "Bonjour! Que construisons-nous aujourd’hui?",
        },
        "ui_features": ["rag_custom"],
    },
    "owl": {
        "title": {"en": "Owl", "fr": "Hibou"},
        "description": {
            "en": "Explains mathematics, step by step.",
            "fr": "Explique les mathématiques, pas à pas.",
        },
        "hf_repo": "makers/owl-7b",
    },
    "huard": {"title": "Huard", "description": {"fr": "Répond en français seulement."}, "languages": ["fr"]},
    "lynx": {"title": "Lynx", "description": "Hidden.", "hidden": True},
}
ANSWER: Final = (
    "A beaver dam slows the stream, raises the water and keeps the lodge's door below it.\n\n"
    "Two things matter:\n- the dam leaks on purpose,\n- it is mended every night.\n\n"
    "<script>document.title = 'broken in'</script> is only text here."
)

FOUND: Final = (
    SourceFacts(
        number=2,
        kind="page",
        title="Politique",
        heading="Politique › Congés",
        address="https://example.ca/politique?a=1&b=2",
        page=3,
        language="fr",
        read="2026-11-23T17:00:00+00:00",
        passage="Le congé est de vingt jours.\n<script>document.title = 'broken in'</script>",
        characters=74,
    ),
    SourceFacts(number=3, kind="document", title="Guide", heading="Guide", address="javascript:alert(1)"),
)
"""What answers rest on, behind a text that was pasted."""


class Actors:
    """Turns that do what the prompt asks for: `slow`, `fail`, `queue`, `notice`, `rest on sources`, `too long`, `drop`,
    or simply answer."""

    def __init__(self) -> None:
        self.requests: list[TurnRequest] = []
        self.stopped = 0
        self.stage: Stage | None = None

    async def run(self, request: TurnRequest) -> AsyncGenerator[AnyEvent, None]:
        """The events of one turn."""
        self.requests.append(request)
        turn = f"turn-{len(self.requests)}"
        session = request.session or f"conversation-{len(self.requests)}"
        if not request.prompt.strip():
            yield Failed(code="prompt.empty", message=text("error.prompt.empty", request.language))
            return
        yield Accepted(turn=turn, session=session, persona=request.persona)
        try:
            async for event in self._play(request):
                yield event
        except (GeneratorExit, asyncio.CancelledError):
            self.stopped += 1
            raise
        if "fail" in request.prompt:
            code = ErrorCode.ENGINE_LOST
            yield Failed(
                code=code.value, message=text(f"error.{code}", request.language), turn=turn, session=session
            )
            return
        yield Done(turn=turn, session=session, provenance=_account(request))

    async def ended(self, _turn: str) -> None:
        """Nothing is recorded here."""

    async def _play(self, request: TurnRequest) -> AsyncGenerator[AnyEvent, None]:
        if "queue" in request.prompt:
            for position in (3, 2, 1):
                yield Queued(position=position, expected_s=4.0 * position)
                await asyncio.sleep(0.4)
        if "notice" in request.prompt:
            yield Notice(code="history_dropped", text="Older messages were left out.")
        if "rest on sources" in request.prompt:
            for one in FOUND:
                facts = msgspec.structs.asdict(one)
                del facts["characters"]
                yield Source(**facts)
        if "drop" in request.prompt:
            yield Token("Half an ")
            await asyncio.sleep(0.3)
            assert self.stage is not None
            self.stage.restart_soon()
            await asyncio.sleep(30)
        count, pause = (2000, 0.03) if "slow" in request.prompt else (1, 0.0)
        for _ in range(count):
            for word in ANSWER.split(" "):
                await asyncio.sleep(pause or 0.005)
                yield Token(word + " ")
        if "too long" in request.prompt:
            yield Notice(code="answer_cut", text=text("notice.answer_cut", request.language))


class Records:
    """The store of a stage, on which nothing is recorded."""

    def __init__(self) -> None:
        self.turns = self

    async def find(self, _name: str, _user: object) -> None:
        """No turn."""


class Models:
    """What a resolver tells of the models."""

    async def describe(self, persona: Persona) -> Description:
        """The default model; the persona's own one is never installed."""
        wish = persona.model_wish
        return Description(
            name="Llama 3.2 3B Instruct",
            quantization="Q4_K_M",
            substituted=wish is not None,
            wanted=wish.label if wish else "",
            state="ready",
        )


class Stage:
    """One application at one address; it can be restarted there."""

    def __init__(self, folder: Path, **settings: object) -> None:
        files = folder / "personas"
        files.mkdir()
        (files / "10-stage.json").write_text(json.dumps(PERSONAS), encoding="utf-8")
        given: dict[str, Any] = {"data": folder / "data", "personalities": (files,), **settings}
        self.settings = Settings(**given)
        self.engines = SeenEngines()
        self.figures = lively_figures(time.time())
        self.actors = Actors()
        self.actors.stage = self
        self._recording = Recording(self.actors)
        self._directory = PersonaDirectory((files,), self.settings)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open()

    def restart(self, away: float = 0.0) -> None:
        """End the server, wait `away` seconds, and begin again at the same address."""
        self.close()
        time.sleep(away)
        port = int(self.origin.rsplit(":", 1)[1])
        self._listener = socket.create_server(("127.0.0.1", port))
        self._open()

    def restart_soon(self) -> None:
        """As `restart`, from within a turn."""
        threading.Thread(target=self.restart, kwargs={"away": 1.0}).start()

    def close(self) -> None:
        """End the server; connections are cut."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)
        self._listener.close()

    def _open(self) -> None:
        config = uvicorn.Config(
            Guard(self._application(), self.settings),
            log_config=None,
            lifespan="off",
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)

    def _application(self) -> FastAPI:
        app = FastAPI(title="menagerie", docs_url=None, redoc_url=None)
        app.state.services = Services(
            settings=self.settings,
            personas=self._directory,
            catalogue=cast("Any", None),
            store=cast("Any", None),
            engines=cast("Any", self.engines),
            turns=cast("Any", self.actors),
            live=LiveTurns(self._recording, cast("Any", Records()), self.settings.away_s),
            resolver=cast("Any", Models()),
            embeddings=cast("Any", None),
            figures=self.figures,
            batches=cast("Any", None),
            uploads=cast("Any", None),
            facts=cast("Any", NoCollections()),
            branding=read_branding(self.settings),
        )
        errors.install(app)
        for routes in (pages, docs, describe, gpt, toil, platform, socket_routes):
            app.include_router(routes.router)
        app.include_router(self._recording.router())
        return app


@contextmanager
def stage(folder: Path, **settings: object) -> Iterator[Stage]:
    """A stage with these settings, closed at the end."""
    built = Stage(folder, **settings)
    try:
        yield built
    finally:
        built.close()


def _account(request: TurnRequest) -> Provenance:
    return Provenance(
        service="menagerie 0.1.0",
        persona=request.persona,
        language=request.language,
        model=ModelFacts(
            name="Llama 3.2 3B Instruct",
            file="Llama-3.2-3B-Instruct-Q4_K_M.gguf",
            sha256="6c1a2b41161032677be168d354123594c0e6e67d2b9227c84f296ad037c728ff",
            quantization="Q4_K_M",
            parameters="3.2B",
            licence="Llama-3.2",
            source="hub:makers/llama",
        ),
        started="2026-11-23T12:00:00-05:00",
        prompt_tokens=1234,
        cached_tokens=1000,
        answer_tokens=57,
        finish="length" if "too long" in request.prompt else "stop",
        sources=(
            *(
                SourceFacts(number=number, kind=given.kind, characters=len(given.text))
                for number, given in enumerate(request.given, 1)
            ),
            *(FOUND if "rest on sources" in request.prompt else ()),
        ),
        timings=Timings(queued_ms=12, first_token_ms=240, total_ms=3100),
    )
