"""The personas that come with the service."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from menagerie.locales import LANGUAGES
from menagerie.personas.load import load_personas, shipped_folder
from menagerie.personas.persona import Persona, TextField
from menagerie.settings import Settings
from tests.personas.files import set_nothing

with pytest.MonkeyPatch.context() as patch:
    set_nothing(patch)
    PERSONAS = load_personas([shipped_folder()], Settings())
TEXTS: tuple[TextField, ...] = ("title", "description", "intro_dialogue", "imperative")
each_persona = pytest.mark.parametrize("persona", PERSONAS.values(), ids=PERSONAS.keys())


@each_persona
def test_every_text_is_there_in_both_languages(persona: Persona) -> None:
    for field in TEXTS:
        both = getattr(persona, field)
        assert both.en, field
        assert both.fr, field
        assert field == "title" or both.en != both.fr, field


@each_persona
def test_french_is_typeset_as_in_canada(persona: Persona) -> None:
    for field in TEXTS:
        french = persona.text(field, "fr")
        assert not re.search(r"[^\u00a0]:(?!//)(?=\s|$)", french), french
        assert not re.search(r"\s[;!?]|«[^\u00a0]|[^\u00a0]»|'", french), french


@each_persona
def test_prompts_are_short_and_leave_room_in_the_smallest_window(persona: Persona) -> None:
    for language in LANGUAGES:
        assert 100 < len(persona.text("imperative", language)) < 600
        assert len(persona.text("description", language)) < 140
        assert len(persona.text("intro_dialogue", language)) < 300


@each_persona
def test_a_persona_with_a_model_names_its_licence(persona: Persona) -> None:
    wish = persona.model_wish
    assert bool(wish) == bool(persona.licence)
    assert wish is None or wish.checked()


def test_the_roles_of_a_department_are_covered_by_models_of_several_makers() -> None:
    assert len(PERSONAS) >= 20
    makers = Counter(persona.hf_repo.partition("/")[2].split("-")[0] for persona in PERSONAS.values())
    licences = {persona.licence for persona in PERSONAS.values()} - {""}
    assert len(makers) >= 8
    assert len(licences) >= 3
    assert any(persona.languages == ("fr",) for persona in PERSONAS.values())
    assert any(persona.hidden for persona in PERSONAS.values())


def test_the_default_persona_answers_with_the_default_model() -> None:
    assert PERSONAS[Settings().default_persona].model_wish is None


def test_people_are_invented_and_live_at_a_reserved_domain() -> None:
    addresses = {name for name in PERSONAS if "@" in name}
    assert addresses
    assert all(name.endswith("@example.org") for name in addresses)


def test_stuffed_texts_are_there_in_both_languages_and_fit_a_prompt() -> None:
    stuffed = [persona for persona in PERSONAS.values() if persona.stuffing("en")]
    assert {persona.name for persona in stuffed} == {"atip", "squirrel"}
    for persona in stuffed:
        english, french = (persona.stuffing(language) for language in LANGUAGES)
        assert isinstance(english, Path)
        assert isinstance(french, Path)
        assert english != french
        for file in (english, french):
            assert 1000 < len(file.read_text(encoding="utf-8")) < persona.rag_length
