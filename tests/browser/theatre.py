"""The whole application as a process of its own, with a real store and real sessions, on a scripted engine."""

from __future__ import annotations

import contextlib
import http.client
import json
import sqlite3
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from tests.browser.door import Door, door
from tests.browser.scripted_engine import ScriptedEngine, scripted_engine
from tests.service import Service, free_port, running_service

PERSONAS: Final[dict[str, dict[str, Any]]] = {
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
    "marmot": {
        "title": {"en": "Marmot", "fr": "Marmotte"},
        "description": {"en": "One guest at a time.", "fr": "Une seule personne à la fois."},
        "engine": "narrow",
    },
    "otter": {
        "title": {"en": "Otter", "fr": "Loutre"},
        "description": {
            "en": "Takes all that can be handed over.",
            "fr": "Prend tout ce qui peut lui être remis.",
        },
        "ui_features": ["rag_custom", "rag_clipboard", "rag_wikipedia", "rag_goc"],
    },
    "lynx": {"title": "Lynx", "description": "Hidden.", "hidden": True},
}

DEFAULT: Final = {
    "MENAGERIE_ENGINES__DEFAULT__MODEL": "Scripted 1B",
    "MENAGERIE_ENGINES__DEFAULT__SLOTS": "16",
}


class Theatre:
    """One service at one address. It can be killed, stopped and started there, and people come in by doors."""

    def __init__(
        self, folder: Path, engine: ScriptedEngine, settings: dict[str, str], model: Path | None = None
    ) -> None:
        files = folder / "personas"
        files.mkdir(parents=True)
        (files / "10-theatre.json").write_text(json.dumps(PERSONAS), encoding="utf-8")
        self.engine = engine
        self.data = folder / "data"
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.service: Service | None = None
        self._doors: dict[str, Door] = {}
        self._open = ExitStack()
        self._running = ExitStack()
        self._model = model
        self._settings = {
            "MENAGERIE_PORT": str(self.port),
            "MENAGERIE_PERSONALITIES": str(files),
            **({} if model else DEFAULT | {"MENAGERIE_ENGINES__DEFAULT__URL": engine.url}),
            "MENAGERIE_ENGINES__NARROW__URL": f"{engine.url}/narrow",
            "MENAGERIE_ENGINES__NARROW__SLOTS": "1",
            "MENAGERIE_ANSWER_TOKENS": "4000",
            "LLM_CONTEXT_WINDOW": "8192",
            "MENAGERIE_TRUSTED_PROXIES": "127.0.0.1/32",
            "MENAGERIE_FETCH_ALLOW": "127.0.0.0/8",
            "MENAGERIE_FETCH_PORTS": engine.url.rpartition(":")[2],
            **settings,
        }

    def start(self) -> None:
        """Start the service where it was, with what it had stored; a no-op where it runs."""
        if self.service is None or self.service.process.poll() is not None:
            self._running.close()
            self.service = self._running.enter_context(
                running_service(self.data, self._model, **self._settings)
            )

    def stop(self) -> None:
        """Stop it as an administrator does: turns that run may end first."""
        self._running.close()

    def kill(self) -> None:
        """`kill -9`, in the middle of whatever it does."""
        assert self.service
        self.service.kill_everything()

    def restart(self) -> None:
        """`kill -9`, and start again."""
        self.kill()
        self.start()

    def door(self, person: str = "") -> Door:
        """The way in of a person (signed in by a proxy; empty: nobody in particular), which can be cut."""
        if person not in self._doors:
            self._doors[person] = self._open.enter_context(door(self.port, person))
        return self._doors[person]

    def takes_the_only_place(self, persona: str) -> None:
        """Somebody else asks, and is answered until the engine lets go."""

        def ask() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                urllib.request.urlopen(f"{self.origin}/gpt/{persona}?prompt=hold", timeout=60).read()

        threading.Thread(target=ask, daemon=True).start()
        self.engine.wait_held()

    def close(self) -> None:
        """End everything."""
        self._open.close()
        self._running.close()

    def stored(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """What the store says, read past the service."""
        (database,) = self.data.glob("*.sqlite3")
        with sqlite3.connect(database) as connection:
            return connection.execute(query, parameters).fetchall()

    def answers(self) -> dict[str, str]:
        """Every stored answer, by the prompt that it answers."""
        return dict(
            self.stored(
                "SELECT turns.prompt, messages.content FROM messages JOIN turns ON messages.turn = turns.key"
                " WHERE messages.role = 'assistant' ORDER BY turns.key"
            )
        )

    def outcomes(self) -> dict[str, str]:
        """How the newest turn of every prompt ended: `accepted` while it runs."""
        return dict(self.stored("SELECT prompt, outcome FROM turns ORDER BY key"))


@contextmanager
def theatre(folder: Path, model: Path | None = None, **settings: str) -> Iterator[Theatre]:
    """A theatre that plays, closed in the end. With a `model`, that one answers instead of the script."""
    with scripted_engine() as engine:
        built = Theatre(folder, engine, settings, model)
        try:
            built.start()
            yield built
        finally:
            built.close()
