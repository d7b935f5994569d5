"""What a persona's page offers beside the prompt: as its features say, and as this service can."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from menagerie.core.identity import User
from menagerie.grounding.feeds.current import may_be_read
from menagerie.personas.directory import PersonaDirectory
from menagerie.personas.resolve import Description
from menagerie.settings import Settings
from menagerie.web.material import Material, material
from menagerie.web.routes import pages
from tests.web.serving import DescribedModels, Parts, parts, serving

ALL = "rag_custom;rag_clipboard;rag_wikipedia;rag_goc"


class Collections:
    """Collections of which everybody sees one, and Ann another."""

    async def list(self, asker: Any) -> tuple[Any, ...]:
        names = ["leave", *(["budget"] if "ann" in asker.user.names else [])]
        return tuple(
            SimpleNamespace(collection=SimpleNamespace(name=name, title=name.title())) for name in names
        )


def with_persona(folder: Path, keys: dict[str, Any], **settings: Any) -> Parts:
    given = parts(folder, **settings)
    (folder / "personas" / "20-more.json").write_text(json.dumps({"vole": keys}), encoding="utf-8")
    given.personas = PersonaDirectory((folder / "personas",), given.settings)
    given.facts = Collections()
    return given


async def offered(given: Parts, user: User = User()) -> Material:  # noqa: B008
    services: Any = given
    return await material(services, given.personas.get("vole"), user)


async def test_what_is_not_among_a_personas_features_is_not_offered(tmp_path: Path) -> None:
    told = await offered(with_persona(tmp_path, {}))

    assert (told.custom, told.clipboard, told.wikipedia, told.sites, told.chosen) == (False,) * 3 + ((), ())
    assert told.files
    assert told.feeds
    assert [one.name for one in told.facts] == ["leave"]


async def test_defaults_are_on_from_the_start(tmp_path: Path) -> None:
    features = ["rag_custom", "rag_custom_default", "rag_wikipedia", "rag_wikipedia_default", "rag_goc"]
    told = await offered(with_persona(tmp_path, {"ui_features": [*features, "rag_goc_default"]}))

    assert told.chosen == ("custom", "wikipedia.org", "canada.ca")
    told = await offered(with_persona(tmp_path, {"ui_features": ["rag_custom_default"]}))
    assert (told.custom, told.chosen) == (False, ())


async def test_the_sites_are_those_that_the_persona_names(tmp_path: Path) -> None:
    sources = ["tbs-sct.canada.ca", "facts:leave", "feeds", "wikipedia.org", "example.gc.ca"]
    told = await offered(with_persona(tmp_path, {"ui_features": ALL, "sources": sources}))

    assert told.sites == ("tbs-sct.canada.ca", "example.gc.ca")


@pytest.mark.parametrize("settings", [{"outside": "off"}, {"fetch": "off"}])
async def test_nothing_outside_is_offered_where_nothing_outside_is_read(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    given = with_persona(tmp_path, {"ui_features": ALL}, **settings)
    told = await offered(given)

    assert not may_be_read(given.settings)
    assert (told.wikipedia, told.sites, told.feeds) == (False, (), False)
    assert told.custom
    assert told.files


async def test_no_sites_are_offered_where_nobody_searches(tmp_path: Path) -> None:
    told = await offered(with_persona(tmp_path, {"ui_features": ALL}, search="off"))

    assert (told.wikipedia, told.sites) == (True, ())


async def test_a_persona_without_room_for_material_reads_none(tmp_path: Path) -> None:
    told = await offered(with_persona(tmp_path, {"ui_features": ALL, "rag_length": 0}))

    assert (told.files, told.wikipedia, told.sites, told.facts, told.feeds) == (False, False, (), (), False)


async def test_pictures_are_offered_where_the_model_sees_and_else_it_is_named(tmp_path: Path) -> None:
    given = with_persona(tmp_path, {})
    told = await offered(given)
    assert (told.pictures, told.model) == (False, "tiny")

    given.resolver = DescribedModels(Description(name="Eagle", state="ready", sees=True))
    assert (await offered(given)).pictures


async def test_the_limits_are_those_of_the_settings(tmp_path: Path) -> None:
    told = await offered(with_persona(tmp_path, {}, max_document=5000, max_frame=4096, file_days=3))

    assert (told.limits.document, told.limits.text, told.limits.days) == (5000, 2048, 3)


async def test_each_person_is_offered_the_collections_that_they_may_read(tmp_path: Path) -> None:
    given = with_persona(tmp_path, {}, trusted_proxies=("127.0.0.0/8",))
    given.routers = (pages.router,)

    async with serving(given) as client:
        for user, names in (("", ["leave"]), ("ann", ["leave", "budget"])):
            async with client.get("/en/chat/vole", headers={"X-Forwarded-User": user}) as response:
                found = re.search(r'data-page="([^"]*)"', await response.text())
            assert found
            features = json.loads(html.unescape(found[1]))["features"]
            assert [one["name"] for one in features["facts"]] == names


@pytest.mark.parametrize(
    ("dictation", "allowed"), [("browser", "microphone=(self)"), ("off", "microphone=()")]
)
async def test_the_microphone_is_for_the_page_on_which_people_dictate_alone(
    tmp_path: Path, dictation: str, allowed: str
) -> None:
    given = with_persona(tmp_path, {}, dictation=dictation)
    given.routers = (pages.router,)

    async with serving(given) as client:
        async with client.get("/en/chat/vole") as response:
            assert allowed in response.headers["Permissions-Policy"]
        async with client.get("/en/chat") as response:
            assert "microphone=()" in response.headers["Permissions-Policy"]


def test_dictation_is_on_or_off() -> None:
    with pytest.raises(ValueError, match="dictation"):
        Settings(dictation="always")  # type: ignore[arg-type]
