"""Collections of documents on this server, as a source: `facts:NAME`, for those who may use them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.document import Document, Part, Passage
from menagerie.grounding.facts.access import Asker
from menagerie.grounding.facts.service import FactBases
from menagerie.grounding.source import Candidate, Kit, Lookup, Option
from menagerie.locales import Language, text

PREFIX: Final = "facts:"
_PLACE: Final = re.compile(r"facts:\s*[a-z][a-z0-9-]{0,63}", re.IGNORECASE | re.ASCII)
_SUMMARY: Final = 300


class FactSource:
    """Finds passages in collections. One that the user, and the persona that asks for them, may not use is unknown."""

    kind = "facts"

    def __init__(self, bases: FactBases) -> None:
        self._bases = bases

    def serves(self, where: str) -> bool:
        """`facts:NAME`."""
        return _PLACE.fullmatch(where.strip()) is not None

    def options(self, where: str, language: Language) -> Sequence[Option]:
        """The collection, by its name: its title is for those alone who may use it."""
        return (Option(where, text("facts.about", language, name=_name(where))),)

    def suggested(self, prompt: str, language: Language) -> Sequence[str]:
        """None: a collection is used where somebody names it."""
        return ()

    async def search(self, lookup: Lookup) -> Sequence[Candidate]:
        """The documents whose passages answer best, the best first, each with those. Raises `facts.unknown`."""
        asker = Asker(lookup.user, lookup.persona)
        names = [_name(where) for where in lookup.where]
        found = await self._bases.search(
            names, lookup.question, asker, language=lookup.language, most=lookup.most
        )
        documents: dict[str, list[Passage]] = {}
        for one in found:
            documents.setdefault(one.document, []).append(one.passage)
        return tuple(map(_candidate, documents.values()))

    async def read(self, candidate: Candidate, lookup: Lookup) -> Document:
        """What was found of it: candidates of this source have passages. Raises `document.unknown` for another one."""
        if not candidate.passages:
            raise MenagerieError(ErrorCode.DOCUMENT_UNKNOWN)
        return Document(
            title=candidate.title,
            address=candidate.address,
            parts=tuple(Part(one.text, (one.heading,), one.page) for one in candidate.passages),
            language=candidate.language,
            read=candidate.date,
        )


def source(kit: Kit) -> FactSource:
    """The source of a service: over its collections, or over its store where it keeps none."""
    bases = kit.facts or FactBases(kit.settings, kit.store, kit.reader, kit.embeddings)
    return FactSource(bases)


def _name(where: str) -> str:
    return where.strip()[len(PREFIX) :].strip().lower()


def _candidate(passages: Sequence[Passage]) -> Candidate:
    first = passages[0]
    return Candidate(
        kind=first.kind,
        title=first.title,
        address=first.address,
        summary=first.text[:_SUMMARY],
        language=first.language,
        date=first.read,
        passages=tuple(passages),
    )
