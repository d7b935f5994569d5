"""A site of one's own for every test, and an environment that sets nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.personas.files import Site, set_nothing


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    set_nothing(monkeypatch)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "personalities.d")
