"""The pages of conversations over a real store, for people with a name and without: no model is needed."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import msgspec
import uvicorn
from fastapi import FastAPI

from menagerie.conversation.live import LiveTurns
from menagerie.core.identity import User
from menagerie.personas.directory import PersonaDirectory
from menagerie.settings import Settings
from menagerie.store.conversations import Wanted
from menagerie.store.database import Store
from menagerie.web import errors
from menagerie.web.guard import Guard
from menagerie.web.rates import RateLimits
from menagerie.web.routes import conversations, pages
from menagerie.web.services import Services
from tests.browser.stage import PERSONAS, Models
from tests.store.examples import end, start

T = TypeVar("T")

ANN: Final = User(("ann",), "127.0.0.1")
NOBODY: Final = User()
SIGNED_IN: Final = {"X-Forwarded-User": "ann"}


class Archive:
    """An application at an address, and its store."""

    def __init__(self, folder: Path) -> None:
        files = folder / "personas"
        files.mkdir()
        (files / "10-stage.json").write_text(json.dumps(PERSONAS), encoding="utf-8")
        self.settings = Settings(
            data=folder / "data", personalities=(files,), trusted_proxies=(ip_network("127.0.0.0/8"),)
        )
        self._files = files
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.store = self._run(Store.open("", self.settings.data))
        config = uvicorn.Config(
            Guard(self._application(), self.settings),
            log_config=None,
            lifespan="off",
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._serving = asyncio.run_coroutine_threadsafe(
            self._server.serve(sockets=[self._listener]), self._loop
        )

    def say(
        self,
        prompt: str,
        *,
        answer: str = "Hoo.",
        user: User = ANN,
        persona: str = "beaver",
        language: str = "en",
        ago: timedelta = timedelta(),
        title: str = "",
    ) -> str:
        """A conversation of one turn, which ended `ago`; its id."""
        at = datetime.now(UTC) - ago
        beginning = msgspec.structs.replace(
            start(prompt, user=user, persona=persona, at=at), channel="socket", language=language
        )

        async def work() -> str:
            session = (await self.store.turns.accept(beginning)).session
            await self.store.turns.finish(beginning.turn, end(prompt, answer, at=at))
            if title:
                await self.store.conversations.rename(session, title, user)
            return session

        return self._run(work())

    def titles(self, user: User = ANN) -> list[str]:
        """What the store has of `user`'s conversations, the newest first."""
        page = self._run(self.store.conversations.list(user, Wanted(), limit=100))
        return [one.title for one in page.conversations]

    def title(self, conversation: str, user: User = NOBODY) -> str:
        """What one conversation is called; `MenagerieError` where it is gone."""
        return self._run(self.store.conversations.get(conversation, user)).about.title

    def close(self) -> None:
        """End the server and the store."""
        self._server.should_exit = self._server.force_exit = True
        self._serving.result(10)
        self._run(self.store.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._listener.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _application(self) -> FastAPI:
        app = FastAPI(title="menagerie", docs_url=None, redoc_url=None)
        nothing = cast("Any", None)
        app.state.services = Services(
            settings=self.settings,
            personas=PersonaDirectory((self._files,), self.settings),
            catalogue=nothing,
            store=self.store,
            engines=nothing,
            turns=nothing,
            live=LiveTurns(nothing, self.store, self.settings.away_s),
            resolver=cast("Any", Models()),
            embeddings=nothing,
            figures=nothing,
            batches=nothing,
            uploads=nothing,
            facts=nothing,
            rates=RateLimits(),
        )
        errors.install(app)
        for routes in (pages, conversations):
            app.include_router(routes.router)
        return app


@contextmanager
def archive(folder: Path) -> Iterator[Archive]:
    """An archive, closed at the end."""
    built = Archive(folder)
    try:
        yield built
    finally:
        built.close()
