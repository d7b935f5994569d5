"""A persona as the pages show it: its texts in a language, and which model really answers."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from unicodedata import combining, normalize

from menagerie.core.languages import OTHER
from menagerie.locales import Language
from menagerie.personas.persona import Persona, TextField
from menagerie.web.services import Services

TINTS: Final = 8


@dataclass(frozen=True)
class Shown:
    """A text, and the language it is in: the other one, where a persona has it only in that."""

    text: str
    language: Language


@dataclass(frozen=True)
class Card:
    """What a page tells of a persona. `model` is what answers, `wanted` the persona's own model where that is
    not installed (else empty), `tint` one of the `TINTS` colours of its monogram."""

    name: str
    title: Shown
    description: Shown
    intro: Shown
    languages: tuple[Language, ...]
    monogram: str
    tint: int
    model: str
    quantization: str
    file: str
    sha256: str
    source: str
    licence: str
    wanted: str
    state: str
    context_open: bool

    def matches(self, words: Iterable[str]) -> bool:
        """Whether all `words`, folded by `folded`, occur in what its card says."""
        said = folded(f"{self.name} {self.title.text} {self.description.text} {self.model} {self.wanted}")
        return all(word in said for word in words)


def card(services: Services, persona: Persona, language: Language) -> Card:
    """The card of `persona` for a page in `language`."""
    facts = _model_facts(services, persona)
    title = _shown(persona, "title", language)
    return Card(
        name=persona.name,
        title=title,
        description=_shown(persona, "description", language),
        intro=_shown(persona, "intro_dialogue", language),
        languages=persona.languages,
        monogram=next((letter for letter in title.text if letter.isalnum()), "·").upper(),
        tint=zlib.crc32(persona.name.encode()) % TINTS,
        model=facts.get("name", ""),
        quantization=facts.get("quantization", ""),
        file=facts.get("file", ""),
        sha256=facts.get("sha256", ""),
        source=facts.get("source", ""),
        licence=persona.licence,
        wanted=facts.get("wanted", "") if facts.get("substituted") else "",
        state=facts.get("state", ""),
        context_open=persona.ui_features.rag_custom_default,
    )


def directory(services: Services, language: Language, query: str = "") -> list[Card]:
    """The cards of all personas that are not hidden, by title; those that match every word of `query`."""
    words = folded(query).split()
    cards = (card(services, persona, language) for persona in services.personas.all() if not persona.hidden)
    return sorted(
        (each for each in cards if each.matches(words)), key=lambda each: (folded(each.title.text), each.name)
    )


def folded(words: str) -> str:
    """`words` for comparing: without case and accents."""
    return "".join(part for part in normalize("NFKD", words.casefold()) if not combining(part))


def _shown(persona: Persona, field: TextField, language: Language) -> Shown:
    value = getattr(persona, field)
    spoken = language if getattr(value, language) or not getattr(value, OTHER[language]) else OTHER[language]
    return Shown(persona.text(field, language), spoken)


def _model_facts(services: Services, persona: Persona) -> Mapping[str, Any]:
    describe = getattr(services.engines, "describe", None)
    return describe(persona) if describe is not None else {}
