"""What a persona's page offers beside the prompt: texts, files, pictures, and places to look in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from menagerie.core.identity import User
from menagerie.grounding.facts.access import Asker
from menagerie.grounding.feeds.current import may_be_read
from menagerie.grounding.grounder import MOST_DOCUMENTS, MOST_PLACES
from menagerie.grounding.mediawiki.places import Places
from menagerie.grounding.pictures import LARGEST, MOST_PICTURES
from menagerie.grounding.search.choice import chosen
from menagerie.personas.persona import Persona
from menagerie.settings import Settings
from menagerie.web.services import Services

KINDS: Final = (
    *("pdf", "docx", "pptx", "xlsx", "odt", "odp", "ods"),
    *("eml", "html", "htm", "md", "csv", "tsv", "txt"),
)
"""Endings of the documents that are read; other plain text is read too."""
WIKIPEDIA: Final = "wikipedia.org"
GOVERNMENT: Final = "canada.ca"
"""Where a persona looks that may look at the government's sites, and names none."""
_ROOM_FOR_REST: Final = 2
"""Of a frame, the share that texts which go along may fill: their JSON is longer than they are."""


class Limits(msgspec.Struct, frozen=True):
    """How much goes along with one message: bytes, and numbers of files and places; `days` that a file is kept."""

    document: int
    picture: int
    text: int
    documents: int
    pictures: int
    places: int
    days: int


class Collection(msgspec.Struct, frozen=True):
    """A collection of facts that the person may read."""

    name: str
    title: str


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What is offered; `chosen` is what is on when the page opens: `custom`, `clipboard`, and places."""

    custom: bool
    clipboard: bool
    files: bool
    pictures: bool
    wikipedia: bool
    sites: tuple[str, ...]
    facts: tuple[Collection, ...]
    feeds: bool
    chosen: tuple[str, ...]
    model: str
    kinds: tuple[str, ...]
    limits: Limits
    dictation: str


async def material(services: Services, persona: Persona, user: User) -> Material:
    """What the page of `persona` offers to `user`."""
    settings, features = services.settings, persona.ui_features
    model = await services.resolver.describe(persona)
    has_room = persona.rag_length > 0
    goes_out = has_room and may_be_read(settings)
    sites = tuple(_sites(persona, settings)) if goes_out and chosen(settings) != "off" else ()
    wikipedia = features.rag_wikipedia and goes_out
    asker = Asker(user, persona.name)
    facts = await services.facts.list(asker) if has_room else ()
    defaults = (
        *(("custom",) if features.rag_custom_default and features.rag_custom else ()),
        *(("clipboard",) if features.rag_clipboard_default and features.rag_clipboard else ()),
        *((WIKIPEDIA,) if features.rag_wikipedia_default and wikipedia else ()),
        *(sites if features.rag_goc_default else ()),
    )
    return Material(
        custom=features.rag_custom,
        clipboard=features.rag_clipboard,
        files=has_room,
        pictures=model.sees,
        wikipedia=wikipedia,
        sites=sites,
        facts=tuple(Collection(one.collection.name, one.collection.title) for one in facts),
        feeds=goes_out,
        chosen=defaults[: MOST_PLACES + 2],
        model=model.name or model.wanted,
        kinds=KINDS,
        limits=Limits(
            document=settings.max_document,
            picture=LARGEST,
            text=settings.max_frame // _ROOM_FOR_REST,
            documents=MOST_DOCUMENTS,
            pictures=MOST_PICTURES,
            places=MOST_PLACES,
            days=settings.file_days,
        ),
        dictation=settings.dictation,
    )


def _sites(persona: Persona, settings: Settings) -> Iterator[str]:
    """The sites that the persona names, where it may look at any; of those that name none, the government's."""
    if not persona.ui_features.rag_goc:
        return
    wikis = Places(settings)
    named = [where for where in persona.sources if ":" not in where and "." in where]
    yield from [where for where in named if not wikis.serves(where)] or [GOVERNMENT]
