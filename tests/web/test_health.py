"""`/healthz` and `/readyz`, on a real store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from menagerie.personas.resolve import Description
from menagerie.store.database import Store
from tests.web.serving import Parts, parts, serving


class OtherEngines:
    """Engines of which others than the default one may be loaded."""

    def __init__(self, *states: str) -> None:
        self._states = states

    def overview(self) -> Any:
        engines = [type("Engine", (), {"state": state}) for state in self._states]
        return type("Overview", (), {"engines": engines})


async def test_a_living_service_says_so_whatever_else_is_wrong(tmp_path: Path) -> None:
    async with serving(parts(tmp_path)) as client, client.get("/healthz") as response:
        assert response.status == 200
        assert (await response.json())["status"] == "alive"
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("state", "source", "others", "ready"),
    [
        ("ready", "", (), True),
        ("loading", "", (), True),
        ("waiting", "", (), True),
        ("absent", "", (), True),
        ("set_aside", "", (), False),
        ("set_aside", "", ("absent",), False),
        ("set_aside", "", ("ready",), True),
        ("absent", "engine:remote", (), True),
        ("stopped", "", (), False),
        ("missing", "", ("ready",), False),
    ],
)
async def test_a_service_is_ready_when_an_engine_is_there_or_on_its_way(
    tmp_path: Path, state: str, source: str, others: tuple[str, ...], ready: bool
) -> None:
    given = parts(tmp_path, default_persona="otter")
    given.resolver.answer = Description(name="tiny", state=state, source=source)
    given.engines = OtherEngines(*others)
    status, told = await _asked(given)
    assert (status, told["status"]) == ((200, "ready") if ready else (503, "unready"))
    assert told["store"] == "ready"


async def test_a_service_without_its_store_is_not_ready(tmp_path: Path) -> None:
    given = parts(tmp_path, default_persona="otter")
    given.store = await Store.open("", given.settings.data)
    await given.store.close()
    for file in given.settings.data.iterdir():
        file.write_bytes(b"no database any more" * 1000)
    async with serving(given) as client, client.get("/readyz") as response:
        assert response.status == 503
        assert (await response.json())["store"] == "unavailable"


async def test_a_default_persona_that_does_not_exist_is_not_ready(tmp_path: Path) -> None:
    status, told = await _asked(parts(tmp_path, default_persona="nobody"))
    assert (status, told["engine"]) == (503, "missing")


async def test_persona_files_that_no_longer_load_are_told_but_do_not_take_the_service_down(
    tmp_path: Path,
) -> None:
    given = parts(tmp_path, default_persona="otter")
    (tmp_path / "personas" / "20-broken.json").write_text("{", encoding="utf-8")
    given.personas.reload()
    status, told = await _asked(given)
    assert (status, told["personas"]) == (200, "stale")


async def _asked(given: Parts) -> tuple[int, dict[str, str]]:
    given.settings.data.mkdir(exist_ok=True)
    given.store = await Store.open("", given.settings.data)
    try:
        async with serving(given) as client, client.get("/readyz") as response:
            return response.status, await response.json()
    finally:
        await given.store.close()
