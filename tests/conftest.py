"""What all tests share: the tiny model, and engines on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from menagerie.engines.engine import Limits, LocalEngine
from menagerie.engines.plan import Device, Load, Local, Machine
from tests.tiny_model import write_tiny_model

LIMITS = Limits(load_timeout=60, token_timeout=20, queue_length=4)


def local(*forms: Load) -> Local:
    """A model that can be loaded in these forms."""
    return Local(forms[0].model, forms[0].alias, forms[0].window, forms)


def machine(budget_mib: int) -> Machine:
    """A machine whose engines may use so much memory."""
    return Machine(2, (Device("ram", 2 * budget_mib, budget_mib),))


@pytest.fixture(autouse=True)
def _the_level_of_the_log_is_that_of_the_test() -> Iterator[None]:
    before = structlog.get_config() if structlog.is_configured() else None
    yield
    if before is None:
        structlog.reset_defaults()
    else:
        structlog.configure(**before)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model that the real engine serves in a tenth of a second."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture
def tiny_load(tiny_model: Path) -> Load:
    """How the tiny model is loaded in tests."""
    return Load(
        model=str(tiny_model),
        alias="tiny",
        context=2048,
        window=1024,
        slots=2,
        threads=1,
        gpu_layers=0,
        flash_attention="auto",
        cache_mib=16,
        memory=(200,),
    )


@pytest.fixture
async def engine(tiny_load: Load) -> AsyncIterator[LocalEngine]:
    """A child process that serves the tiny model."""
    engine = await LocalEngine.start(tiny_load, LIMITS)
    yield engine
    await engine.close()
