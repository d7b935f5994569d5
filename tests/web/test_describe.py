"""`/describe/<persona>`: what a persona is, and which model really answers for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from menagerie.models.wish import ModelWish
from menagerie.personas.resolve import Description
from menagerie.web.routes.describe import public_label, public_source
from tests.web.serving import parts, serving


@pytest.mark.parametrize(
    ("language", "title", "words"), [("en", "Otter", "Answers."), ("fr", "Loutre", "Répond.")]
)
async def test_a_persona_is_described_in_the_callers_language(
    tmp_path: Path, language: str, title: str, words: str
) -> None:
    async with (
        serving(parts(tmp_path)) as client,
        client.get("/describe/otter", params={"lang": language}) as response,
    ):
        assert response.status == 200
        told = await response.json()
    assert (told["name"], told["title"], told["description"], told["language"]) == (
        "otter",
        title,
        words,
        language,
    )
    assert told["languages"] == ["en", "fr"]


async def test_the_model_that_answers_instead_of_the_personas_own_is_named(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.resolver.answer = Description(
        name="Small",
        sha256="ab" * 32,
        quantization="Q4_1",
        substituted=True,
        wanted="hub:makers/otter:*",
        state="ready",
    )
    async with serving(given) as client, client.get("/describe/otter") as response:
        model = (await response.json())["model"]
    assert model == {
        "wanted": "hub:makers/otter:*Q4_K_M.gguf",
        "substituted": True,
        "state": "ready",
        "name": "Small",
        "sha256": "ab" * 32,
        "quantization": "Q4_1",
    }


async def test_no_folder_and_no_private_address_is_told(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.resolver.answer = Description(
        name="b", file="/srv/secret-place/b.gguf", source="file:/srv/secret-place/b.gguf", state="ready"
    )
    async with serving(given) as client, client.get("/describe/badger") as response:
        body = await response.text()
        model = (await response.json())["model"]
    assert "secret-place" not in body
    assert str(tmp_path) not in body
    assert (model["wanted"], model["file"], model["source"]) == ("file:badger.gguf", "b.gguf", "file:b.gguf")


async def test_an_unknown_persona_is_not_found_and_nothing_is_listed(tmp_path: Path) -> None:
    async with serving(parts(tmp_path)) as client, client.get("/describe/nobody") as response:
        assert response.status == 404
        error = (await response.json())["error"]
    assert error["code"] == "persona.unknown"
    assert "otter" not in error["message"]


def test_a_label_keeps_no_credential_of_an_address() -> None:
    wish = ModelWish(
        kind="url", url="https://me:secret@models.example/a/b.gguf?token=secret", sha256="0" * 64
    )
    assert public_label(wish) == "url:https://models.example/a/b.gguf"
    assert public_source("package:llm==1:*.gguf") == "package:llm==1:*.gguf"
    assert public_source("file:C:\\models\\b.gguf") == "file:b.gguf"
