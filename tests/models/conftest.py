"""What the tests of pulls share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from menagerie.models import download
from menagerie.models.catalogue import Catalogue
from menagerie.settings import Settings
from tests.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model of 1.2 MB, which is several pieces of a download."""
    path = write_tiny_model(tmp_path_factory.mktemp("tiny") / "t.gguf", pad_bytes=2**20)
    return path.read_bytes()


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "models")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


@pytest.fixture(autouse=True)
def quick_and_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses, and neither pip's configuration nor a proxy of the machine that runs the tests."""
    monkeypatch.setattr(download, "BACKOFF_SECONDS", 0.001)
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
