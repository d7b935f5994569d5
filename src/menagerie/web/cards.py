"""A persona as the pages show it: its texts in a language, and which model really answers."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
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
    not installed (else empty): then the default model answers, or none (`can_answer`). `tint` is one of the
    `TINTS` colours of its monogram."""

    name: str
    title: Shown
    description: Shown
    intro: Shown
    languages: tuple[Language, ...]
    monogram: str
    tint: int
    model: str
    quantization: str
    wanted: str
    can_answer: bool
    context_open: bool

    def matches(self, words: Iterable[str]) -> bool:
        """Whether all `words`, folded by `folded`, occur in what its card says."""
        said = folded(f"{self.name} {self.title.text} {self.description.text} {self.model} {self.wanted}")
        return all(word in said for word in words)


async def card(services: Services, persona: Persona, language: Language) -> Card:
    """The card of `persona` for a page in `language`."""
    model = await services.resolver.describe(persona)
    title = persona_title(persona, language)
    return Card(
        name=persona.name,
        title=title,
        description=shown(persona, "description", language),
        intro=shown(persona, "intro_dialogue", language),
        languages=persona.languages,
        monogram=next((letter for letter in title.text if letter.isalnum()), "·").upper(),
        tint=zlib.crc32(persona.name.encode()) % TINTS,
        model=model.name,
        quantization=model.quantization,
        wanted=model.wanted,
        can_answer=model.state != "missing",
        context_open=persona.ui_features.rag_custom_default,
    )


async def directory(services: Services, language: Language, query: str = "") -> list[Card]:
    """The cards of the listed personas that match every word of `query`: the default one, then by title."""
    words = folded(query).split()
    cards = [await card(services, persona, language) for persona in services.personas.listed()]
    first = services.settings.default_persona
    found = (each for each in cards if each.matches(words))
    return sorted(found, key=lambda each: (each.name != first, folded(each.title.text), each.name))


def persona_title(persona: Persona, language: Language) -> Shown:
    """What `persona` is called on a page in `language`."""
    return shown(persona, "title", language)


def folded(words: str) -> str:
    """`words` for comparing: without case and accents."""
    return "".join(part for part in normalize("NFKD", words.casefold()) if not combining(part))


def shown(persona: Persona, field: TextField, language: Language) -> Shown:
    """A text of `persona` for a page in `language`, with the language that it is in."""
    value = getattr(persona, field)
    spoken = language if getattr(value, language) or not getattr(value, OTHER[language]) else OTHER[language]
    return Shown(persona.text(field, language), spoken)
