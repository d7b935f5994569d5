"""Which model answers for a persona, as models come, change and go while the service runs."""

from __future__ import annotations

import asyncio
import hashlib
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.engine import Limits
from menagerie.engines.plan import Device, Local, Machine
from menagerie.engines.residency import Engines
from menagerie.engines.target import Remote, Target
from menagerie.models.catalogue import Catalogue
from menagerie.models.wish import DEFAULT_MODEL
from menagerie.personas import resolve as resolve_module
from menagerie.personas.directory import PersonaDirectory
from menagerie.personas.resolve import Resolver
from menagerie.settings import Settings
from tests.conftest import machine
from tests.personas.files import Site
from tests.tiny_model import write_tiny_model

FOX = {"fox": {"local_file": "fox.gguf"}}


class House:
    """A resolver over one folder of personas and one of models, which looks again each time it is asked."""

    def __init__(self, site: Site, folder: Path, **settings: Any) -> None:
        catalogue = Catalogue(folder / "models")
        self.models = catalogue.folder
        self.settings = Settings(**settings)
        place = catalogue.place(DEFAULT_MODEL)
        place.mkdir(parents=True)
        self.default = write_tiny_model(place / (DEFAULT_MODEL.filename or "default.gguf").replace("*", "x"))
        self.personas = PersonaDirectory([site.folder], self.settings)
        self.engines = Engines(machine(10_000), Limits(60, 20, 4))
        self.resolver = Resolver(
            self.settings, self.personas, catalogue, self.engines, Machine(2, (Device("ram", 8192, 6144),))
        )

    async def target(self, name: str = "fox") -> Target:
        return (await self.resolver.resolve(self.personas.get(name))).target

    async def sha256(self, name: str = "fox") -> str:
        return (await self.resolver.describe(self.personas.get(name))).sha256

    async def comes_true(self, condition: Callable[[], Any]) -> None:
        for _ in range(200):
            if await condition():
                return
            await asyncio.sleep(0.02)
        pytest.fail("waited in vain")


@pytest.fixture(autouse=True)
def _always_look_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve_module, "_FRESH_SECONDS", 0.0)


async def test_a_model_that_is_pulled_while_running_takes_over_from_the_default_one(
    site: Site, tmp_path: Path
) -> None:
    site.write("10.json", FOX)
    house = House(site, tmp_path)
    substituted = await house.resolver.resolve(house.personas.get("fox"))
    assert substituted.wanted == "file:fox.gguf"
    assert isinstance(substituted.target, Local)
    assert substituted.target.model == str(house.default)
    own = write_tiny_model(house.models / "fox.gguf", seed=1)

    async def answers_itself() -> bool:
        resolution = await house.resolver.resolve(house.personas.get("fox"))
        return (
            isinstance(resolution.target, Local)
            and resolution.target.model == str(own)
            and not resolution.wanted
        )

    await house.comes_true(answers_itself)
    await house.resolver.close()


async def test_the_hash_is_that_of_the_file_as_it_is_now_wherever_it_lies(site: Site, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.gguf"
    site.write("10.json", {"fox": {"local_file": str(elsewhere)}})
    house = House(site, tmp_path)
    for seed in (0, 1):
        write_tiny_model(elsewhere, seed=seed)
        expected = hashlib.sha256(elsewhere.read_bytes()).hexdigest()

        async def is_told(expected: str = expected) -> bool:
            return await house.sha256() == expected

        await house.comes_true(is_told)
    await house.resolver.close()


async def test_without_substitution_a_missing_model_is_refused_with_the_command_that_fetches_it(
    site: Site, tmp_path: Path
) -> None:
    site.write("10.json", FOX)
    house = House(site, tmp_path, model_fallback="off")
    depths = set()
    for _ in range(3):
        with pytest.raises(MenagerieError) as refused:
            await house.target()
        assert refused.value.code is ErrorCode.MODEL_MISSING
        assert refused.value.values["command"] == "menagerie models pull fox"
        depths.add(len(traceback.extract_tb(refused.value.__traceback__)))
    assert len(depths) == 1, "the failure of one caller holds on to what others had in hand"
    assert (await house.resolver.describe(house.personas.get("fox"))).state == "missing"
    await house.resolver.close()


async def test_a_persona_that_changes_moves_to_its_new_engine_at_once(site: Site, tmp_path: Path) -> None:
    site.write("10.json", {"fox": {}})
    house = House(site, tmp_path)
    assert isinstance(await house.target(), Local)
    site.write("10.json", {"fox": {"engine_url": "http://127.0.0.1:9/v1", "context_window": 512}})
    assert house.personas.reload()
    target = await house.target()
    assert isinstance(target, Remote)
    assert (target.urls[0], target.window) == ("http://127.0.0.1:9/v1", 512)
    await house.resolver.close()


async def test_personas_of_the_same_weights_share_one_engine_wide_enough_for_all(
    site: Site, tmp_path: Path
) -> None:
    site.write("10.json", {"fox": {"context_window": 512}, "owl": {"context_window": 1024}})
    house = House(site, tmp_path)
    narrow, wide = [await house.resolver.resolve(house.personas.get(name)) for name in ("fox", "owl")]
    assert narrow.target == wide.target
    assert (narrow.window, wide.window) == (512, 1024)
    await house.resolver.close()


async def test_while_a_model_is_set_aside_the_default_one_answers_and_it_is_said(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("10.json", FOX)
    house = House(site, tmp_path)
    own = write_tiny_model(house.models / "fox.gguf", seed=1)
    before = await house.resolver.resolve(house.personas.get("fox"))
    assert isinstance(before.target, Local)
    assert before.target.model == str(own)
    aside = before.target
    monkeypatch.setattr(house.engines, "state", lambda target: "set_aside" if target == aside else "absent")
    instead = await house.resolver.resolve(house.personas.get("fox"))
    assert isinstance(instead.target, Local)
    assert instead.target.model == str(house.default)
    assert instead.wanted == "fox"
    monkeypatch.undo()
    assert (await house.resolver.resolve(house.personas.get("fox"))).target == aside
    await house.resolver.close()


async def test_a_default_model_that_can_never_fit_answers_for_nobody(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("10.json", FOX)
    house = House(site, tmp_path)
    write_tiny_model(house.models / "fox.gguf", seed=1)
    aside = (await house.resolver.resolve(house.personas.get("fox"))).target
    monkeypatch.setattr(house.engines, "state", lambda target: "set_aside" if target == aside else "absent")
    monkeypatch.setattr(house.engines, "could_hold", lambda target: target == aside)
    assert (await house.resolver.resolve(house.personas.get("fox"))).target == aside
    await house.resolver.close()


async def test_a_file_that_takes_the_place_of_another_is_another_model(site: Site, tmp_path: Path) -> None:
    site.write("10.json", FOX)
    house = House(site, tmp_path)
    write_tiny_model(house.models / "fox.gguf", seed=1)
    before = await house.target()
    write_tiny_model(house.models / "fox.gguf", seed=2)

    async def is_another() -> bool:
        return await house.target() != before

    await house.comes_true(is_another)
    await house.resolver.close()
