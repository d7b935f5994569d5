"""Models of texts and the engines for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from menagerie.embeddings.service import Embeddings
from menagerie.engines.residency import Engines
from menagerie.models.catalogue import Catalogue
from menagerie.settings import RemoteEngine, Settings
from tests.conftest import LIMITS, machine
from tests.tiny_bert import write_embedder, write_reranker


@pytest.fixture(scope="session")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_embedder(tmp_path_factory.mktemp("embedder"))


@pytest.fixture(scope="session")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reranker(tmp_path_factory.mktemp("reranker"))


@pytest.fixture
async def engines() -> AsyncIterator[Engines]:
    made = Engines(machine(1000), LIMITS)
    yield made
    await made.stop()


def texts_service(
    folder: Path, engines: Engines, far: RemoteEngine | None = None, **settings: object
) -> Embeddings:
    """The service under these settings (`whisper_embedding_model=…`), an engine `far` away."""
    given = {"data": folder, "llm_cpu_threads": 1, "engine_slots": 2, **settings}
    made = Settings(engines={"far": far} if far else {}, **given)  # type: ignore[arg-type]
    return Embeddings(made, Catalogue(folder / "models"), engines, machine(1000))
