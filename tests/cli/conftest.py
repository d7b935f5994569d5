"""Settings of a machine with nothing but the tiny model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from menagerie.settings import Settings
from tests.tiny_model import write_tiny_model


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    for name in os.environ:
        if name.startswith(("MENAGERIE_", "LLM_", "WHISPER_", "LC_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANG", "en_CA.UTF-8")
    monkeypatch.setenv("MENAGERIE_PORT", "0")
    monkeypatch.setenv("MENAGERIE_DATA", str(tmp_path / "data"))
    model = write_tiny_model(tmp_path / "tiny.gguf")
    monkeypatch.setenv("LLM_MODEL_FILE", str(model))
    monkeypatch.setenv("WHISPER_EMBEDDING_MODEL", "none")
    return Settings()
