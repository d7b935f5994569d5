"""The real service on the tiny model, and OpenAI's own client before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import openai
from tests.service import Service, running_service


@pytest.fixture(scope="session")
def service(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("openai") / "data", tiny_model) as running:
        yield running


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0, timeout=60) as opened:
        yield opened
