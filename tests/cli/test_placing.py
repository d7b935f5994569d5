"""What doctor says of models: what would be loaded where, what never fits, what is set aside."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from menagerie.cli.engine_findings import Finding
from menagerie.cli.placing import placing as placing_on
from menagerie.engines.devices import Findings, machine_of
from menagerie.engines.measurements import FILE_NAME, Measurements
from menagerie.locales import LANGUAGES, Language, text
from menagerie.personas.directory import PersonaDirectory
from menagerie.personas.load import persona_folders
from menagerie.settings import Settings
from tests.cli.test_doctor import ON_CPU, ON_GPU, told
from tests.tiny_model import write_tiny_model


def placing(found: Findings, settings: Settings, language: Language = "en") -> list[Finding]:
    personas = PersonaDirectory(persona_folders(settings), settings)
    return [*placing_on(machine_of(found, settings), settings, personas, language)]


def test_what_would_be_loaded_where_is_told_once_for_each_model(settings: Settings) -> None:
    (placed,) = told(placing(ON_GPU, settings), "placed")
    assert placed.startswith("tiny: whole; memory ")
    assert "gpu0" in placed
    assert "gpu0" not in told(placing(ON_CPU, settings), "placed")[0]


def test_a_model_for_which_there_is_little_room_is_told_in_its_smaller_form(settings: Settings) -> None:
    cramped = settings.model_copy(update={"engine_memory": 110})
    (placed,) = told(placing(ON_CPU, cramped), "placed")
    assert "without its prompt cache" in placed or "in its least form" in placed


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_that_can_never_fit_is_told_with_the_figures(settings: Settings, language: Language) -> None:
    tiny = settings.model_copy(update={"engine_memory": 20})
    ((state, _, seen),) = placing(ON_CPU, tiny, language)
    assert state == "note"
    assert " 20" in seen.replace("\u00a0", " ")
    assert "tiny" in seen


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_always_kept_leaves_less_to_others_and_a_broken_model_is_told(
    settings: Settings, tmp_path: Path, language: Language
) -> None:
    models, folder = settings.data / "models", tmp_path / "personas"
    models.mkdir(parents=True)
    folder.mkdir()
    whole = write_tiny_model(models / "kept.gguf").read_bytes()
    (models / "other.gguf").write_bytes(whole)
    (models / "broken.gguf").write_bytes(whole[:100_000])
    wanted = {
        name: {"local_file": f"{name}.gguf", "keep_loaded": name == "kept"}
        for name in ("kept", "other", "broken")
    }
    (folder / "own.json").write_text(json.dumps(wanted))
    own = {"llm_model_file": None, "personalities": [folder], "engine_slots": 1, "prompt_cache": 0}
    roomy = settings.model_copy(update=own)
    kept, other, broken = told(placing(ON_CPU, roomy, language), "placed")
    assert kept.startswith("kept")
    assert kept.endswith(text("cli.doctor.model_kept", language, placed=""))
    assert other.startswith("other")
    assert "broken.gguf" in broken
    for_one = int(re.findall(r"(\d+)\s(?:MiB|Mio)", other)[0])
    _, other, _ = told(
        placing(ON_CPU, roomy.model_copy(update={"engine_memory": 2 * for_one - 1}), language), "placed"
    )
    assert f"{for_one - 1}" in other


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_service_has_set_aside_is_told_with_its_reason(
    settings: Settings, language: Language
) -> None:
    kept = Measurements(settings.data / FILE_NAME)
    for name, code in (("heron", "model.broken"), ("owl", "engine.timeout"), ("gull", "of.later.versions")):
        kept.note_set_aside(name, code)
    kept.save()
    heron, owl, gull = told(placing(ON_CPU, settings, language), "set_aside")
    assert "heron" in heron
    assert "owl" in owl
    assert "of.later.versions" in gull
