"""Collections on a real store, without a model of embeddings unless a test wants one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from menagerie.core.identity import User
from menagerie.embeddings.service import Embeddings
from menagerie.engines.residency import Engines
from menagerie.grounding.facts.access import Asker
from menagerie.grounding.facts.service import FactBases
from menagerie.grounding.reader import Reader
from menagerie.models.catalogue import Catalogue
from menagerie.settings import Settings
from menagerie.store.database import Store
from tests.conftest import LIMITS, machine

ANN = Asker(User(("ann",)))
BOB = Asker(User(("bob",)))
NOBODY = Asker(User(address="192.0.2.1"))


@asynccontextmanager
async def bases_in(data: Path, store: Store | None = None, **settings: Any) -> AsyncIterator[FactBases]:
    """Collections in this folder; nothing runs in the background."""
    made = Settings(**{"data": data, "whisper_embedding_model": "none", **settings})
    opened = store or await Store.open("", data)
    engines = Engines(machine(1024), LIMITS)
    embeddings = Embeddings(made, Catalogue(data / "models"), engines, machine(1024))
    reader = Reader(made)
    bases = FactBases(made, opened, reader, embeddings)
    try:
        yield bases
    finally:
        for part in (bases, reader, embeddings):
            await part.close()
        await engines.stop()
        if store is None:
            await opened.close()


async def texts(bases: FactBases, name: str, question: str, asker: Asker = ANN) -> list[str]:
    """What is found."""
    found = await bases.search([name], question, asker, language="en")
    return [one.passage.text for one in found]
