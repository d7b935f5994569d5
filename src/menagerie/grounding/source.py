"""What a source is. One that comes with the service and one that a site adds enter by the same door: the entry point
group `menagerie.sources`, each a function that takes a `Kit` and gives a `Source`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

from menagerie.core.identity import User
from menagerie.grounding.document import Document, Passage
from menagerie.locales import Language

if TYPE_CHECKING:
    from menagerie.embeddings.service import Embeddings
    from menagerie.grounding.facts.service import FactBases
    from menagerie.grounding.reader import Reader
    from menagerie.settings import Settings
    from menagerie.store.database import Store


class Kit(msgspec.Struct, frozen=True):
    """What sources are made of: the one way to read addresses, the store, the models of texts, the collections."""

    settings: Settings
    reader: Reader
    store: Store
    embeddings: Embeddings
    facts: FactBases | None = None
    """The collections of the service, where it keeps any."""


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. `question` stands alone; `terms` are those that a search engine wants."""

    question: str
    terms: str
    language: Language
    user: User
    where: tuple[str, ...] = ()
    """The places of this source that are wanted, as `Source.serves` knows them; several are searched together."""
    persona: str = ""
    """Which persona asks."""
    most: int = 8
    """Candidates, or passages."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a search has found. Its `passages` are the text, where the search gives it at once; else `read`
    does."""

    kind: str
    title: str
    address: str = ""
    summary: str = ""
    language: str = ""
    date: datetime | None = None
    passages: tuple[Passage, ...] = ()


class Option(msgspec.Struct, frozen=True):
    """A place that a model may choose to look at, and what can be found there in a few words."""

    where: str
    about: str


class Source(Protocol):
    """A kind of place where answers are found. It raises `MenagerieError` only."""

    kind: str

    def serves(self, where: str) -> bool:
        """Whether a place, as `|RAG|…|/RAG|` or a persona's `sources` name it, is one of this source."""
        ...

    def options(self, where: str, language: Language) -> Sequence[Option]:
        """What a model may choose from at this place; most sources have one option, the place itself."""
        ...

    def suggested(self, prompt: str, language: Language) -> Sequence[str]:
        """Places that the words of a prompt ask for, though nobody named them."""
        ...

    async def search(self, lookup: Lookup) -> Sequence[Candidate]:
        """What may answer, best first."""
        ...

    async def read(self, candidate: Candidate, lookup: Lookup) -> Document:
        """The document of a candidate without passages."""
        ...
