"""The published JSON Schema of persona files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from menagerie.locales import LANGUAGES, Language, catalogue
from menagerie.models.wish import ModelWish
from menagerie.personas.load import load_personas, persona_files, shipped_folder
from menagerie.personas.persona import FILE_KEYS
from menagerie.personas.schema import key_table, persona_file_schema, published
from menagerie.settings import Settings
from tests.personas.files import Site

DOCS = Path(__file__).resolve().parents[2] / "docs"
OURS = re.compile(r"persona\.(?:key|file|expects|schema)\.")
PLACEHOLDER = re.compile(r"\{\w+\}")
VALIDATOR = Draft202012Validator(persona_file_schema())


def test_the_published_schema_is_the_generated_one() -> None:
    assert (DOCS / "persona.schema.json").read_text(encoding="utf-8") == published(), (
        "python -m menagerie.personas.schema > docs/persona.schema.json"
    )


def test_it_is_a_schema_and_describes_every_key() -> None:
    Draft202012Validator.check_schema(persona_file_schema())
    keys = persona_file_schema()["$defs"]["persona"]["properties"]
    assert set(keys) == set(FILE_KEYS)
    assert all(key["description"] for key in keys.values())


@pytest.mark.parametrize("file", [*persona_files([shipped_folder()])], ids=lambda file: file.name)
def test_it_accepts_every_file_that_comes_with_the_service(file: Path) -> None:
    VALIDATOR.validate(json.loads(file.read_text(encoding="utf-8")))


ACCEPTED: list[Any] = [
    {},
    {"$schema": "x", "fox": None},
    {"fox": {"title": "x", "description": {"fr": "y", "en": None}, "context_window": None}},
    {"héron@example.org": {"ui_features": ["rag_goc"], "flash_attention": True, "persona_cfg": 5}},
    {"fox": {"ui_features": "rag_goc;rag_custom", "flash_attention": "false", "hf_repo": ""}},
    {"fox": {"ui_features": {"rag_goc": True}, "languages": ["fr"], "hf_repo": "a/b", "temperature": 0}},
]
REFUSED: list[Any] = [
    [],
    {"fox": "x"},
    {"a/b": {}},
    {".fox": {}},
    {"fox": {"tilte": "x"}},
    {"fox": {"title": {"de": "x"}}},
    {"fox": {"context_window": "4096"}},
    {"fox": {"context_window": 1}},
    {"fox": {"languages": ["fr", "fr"]}},
    {"fox": {"languages": []}},
    {"fox": {"ui_features": ["rag_god"]}},
    {"fox": {"hf_repo": "no-owner"}},
    {"fox": {"engine_url": "ftp://x"}},
    {"fox": {"model_sha256": "x"}},
    {"fox": {"flash_attention": "yes"}},
]


@pytest.mark.parametrize("content", ACCEPTED, ids=json.dumps)
def test_schema_and_reader_accept_the_same_files(content: Any, site: Site) -> None:
    VALIDATOR.validate(content)
    site.write("10.json", content)
    site.load()


@pytest.mark.parametrize("content", REFUSED, ids=json.dumps)
def test_schema_and_reader_refuse_the_same_files(content: Any, site: Site) -> None:
    assert not VALIDATOR.is_valid(content)
    site.write("10.json", content)
    site.refused()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guide_has_the_generated_table_of_keys(language: Language) -> None:
    assert key_table(language) in (DOCS / f"personas.{language}.md").read_text(encoding="utf-8"), (
        f"python -m menagerie.personas.schema {language}"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_examples_of_the_guide_can_be_loaded_over_what_is_shipped(language: Language, site: Site) -> None:
    guide = (DOCS / f"personas.{language}.md").read_text(encoding="utf-8")
    examples = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    (site.folder / "texts").mkdir()
    for text in ("library.en.md", "library.fr.md"):
        site.write(f"texts/{text}", "facts")
    for number, example in enumerate(examples):
        VALIDATOR.validate(json.loads(example))
        site.write(f"{number}.json", example)
    personas = load_personas([shipped_folder(), site.folder], Settings())
    assert len(examples) == 2
    assert "moose" not in personas
    assert personas["heron"].text("title", "fr") == "Grand héron"
    assert personas["heron"].text("title", "en") == "Heron"
    assert personas["owl"].model_wish == ModelWish("file", file="our-model.gguf")
    assert personas["library"].stuffing("fr") == site.folder / "texts" / "library.fr.md"


def test_every_text_about_persona_files_is_in_both_languages() -> None:
    english, french = (
        {
            key: set(PLACEHOLDER.findall(value))
            for key, value in catalogue(language).items()
            if OURS.match(key)
        }
        for language in LANGUAGES
    )
    assert english == french
    assert {f"persona.key.{key}" for key in FILE_KEYS} <= english.keys()
