"""The facts of a service: documents indexed by their words and by their vectors, and searched by both."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final
from weakref import WeakKeyDictionary

import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.embeddings.service import Embeddings
from menagerie.grounding.analysis import language_of_text, words_of
from menagerie.grounding.document import Passage
from menagerie.grounding.facts.matrix import stored
from menagerie.grounding.facts.models import Maker, Makers
from menagerie.grounding.facts.search import Found, Search
from menagerie.grounding.facts.sentences import packed, sentences_of
from menagerie.grounding.facts.vectors import Matrices, VectorIndex
from menagerie.locales import Language
from menagerie.store.database import Store
from menagerie.store.facts.documents import DocumentRecord
from menagerie.store.facts.passages import SLICE, NewPassage
from menagerie.store.facts.vectors import NewVector, Unembedded
from menagerie.store.facts.words import mark

log = structlog.get_logger("menagerie.facts")

_FIELDS: Final = ("sha256", "title", "language", "pages", "size", "modified_ns", "etag", "address")
_SHORTEST: Final = 64
"""Characters, below which no text is cut that a model finds too long."""


class Facts:
    """Indexes and searches the collections of a store. Who may do so is for the caller to check."""

    _all: Final[WeakKeyDictionary[Store, Facts]] = WeakKeyDictionary()

    def __init__(self, store: Store, embeddings: Embeddings, vectors: VectorIndex | None = None) -> None:
        self._store = store.facts
        self._embeddings = embeddings
        self._makers = Makers()
        self._has_leftovers = True
        self._was_replaced = False
        self._search = Search(store.facts, embeddings, self._makers, vectors or Matrices(store.facts.vectors))
        self._whole: dict[tuple[str, int | None], dict[int, int]] = {}
        self._after: dict[tuple[str, int | None], int] = {}

    @classmethod
    def of(cls, store: Store, embeddings: Embeddings) -> Facts:
        """The one for this store: what is in memory is there once."""
        if store not in cls._all:
            cls._all[store] = cls(store, embeddings)
        return cls._all[store]

    async def search(
        self, collections: Sequence[int], question: str, *, language: Language, user: User, most: int = 8
    ) -> list[Found]:
        """The passages that answer `question` best, see `Search.search`."""
        return await self._search.search(collections, question, language=language, user=user, most=most)

    async def replace(self, record: DocumentRecord, passages: Iterable[Passage]) -> DocumentRecord:
        """Give a document these passages instead of those that it had, and the facts of `record`; it is `ready` then.

        Until the last of them is stored the old ones are searched. Vectors of passages that say the same are kept;
        others are missing, and for `embed_missing` to make. Raises `document.unknown` or `facts.unknown` where it has
        gone meanwhile, and `document.unknown` where somebody else began to write it later.
        """
        version = await self._store.passages.begin(record.key)
        drawn = iter(passages)
        position = 0
        while some := list(islice(drawn, SLICE)):
            made = await asyncio.to_thread(_indexed, record, some)
            await self._store.passages.add(record.key, version, position, made)
            position += len(some)
        values = {name: getattr(record, name) for name in _FIELDS}
        await self._store.passages.finish(record.key, version, values)
        self._has_leftovers = True
        self._was_replaced = self._was_replaced or record.passages > 0
        return await self._store.documents.get(record.id)

    async def tend(self) -> None:
        """Leave nothing of what was replaced, or was being removed when a process died. Costs nothing where there is
        nothing."""
        if self._has_leftovers:
            self._has_leftovers = False
            if await self._store.passages.sweep() or self._was_replaced:
                self._was_replaced = False
                await self._store.passages.tidy()

    async def model(self) -> str:
        """The id of the model that makes vectors now; empty where there is none."""
        try:
            return (await self._maker()).id
        except MenagerieError:
            return ""

    async def embed_missing(self, user: User, *, collection: int | None = None, most: int = 32) -> int:
        """Make at most `most` vectors that are missing, of one collection or of all; gives how many, 0 when there is
        nothing left to do. Raises what `Embeddings.embed` raises, `embeddings.off` first of all."""
        maker = await self._maker()
        key = (maker.id, collection)
        changes = await self._store.vectors.changes()
        if self._whole.get(key) == changes:
            return 0
        after = self._after.pop(key, 0)
        missing = await self._store.vectors.missing(maker.id, collection=collection, after=after, limit=most)
        if not missing and after:
            missing = await self._store.vectors.missing(maker.id, collection=collection, limit=most)
        if not missing:
            self._whole[key] = changes
            return 0
        texts = [embedded_texts(one, sentences=maker.knows(one.language)) for one in missing]
        vectors = iter(await self._embedded([text for some in texts for text in some], user))
        by_passage = {
            one.passage: list(islice(vectors, len(some))) for one, some in zip(missing, texts, strict=True)
        }
        await self._store.vectors.set(maker.id, await asyncio.to_thread(_packed, by_passage))
        self._after[key] = missing[-1].passage
        return len(missing)

    async def _maker(self) -> Maker:
        return await self._makers.of(await self._embeddings.embedder.find())

    async def _embedded(self, texts: Sequence[str], user: User) -> list[list[float]]:
        """The vectors of `texts`; of one that the model cannot read whole, that of its beginning."""
        try:
            return (await self._embeddings.embed(texts, "document", user)).vectors
        except MenagerieError as failure:
            if failure.code is not ErrorCode.PROMPT_TOO_LONG:
                raise
            if len(texts) > 1:
                half = len(texts) // 2
                first = await self._embedded(texts[:half], user)
                return [*first, *await self._embedded(texts[half:], user)]
            if len(texts[0]) <= _SHORTEST:
                raise
        return await self._embedded([texts[0][: len(texts[0]) // 2]], user)


def embedded_text(title: str, heading: str, text: str) -> str:
    """What is embedded of a passage: with its title and its headings, without which many say little."""
    return "\n".join(part for part in (title, heading, text) if part.strip()) or "-"


def embedded_texts(passage: Unembedded, *, sentences: bool) -> list[str]:
    """The same, and after it its sentences, each with the headings."""
    before = f"{passage.heading}: " if passage.heading else ""
    each = sentences_of(passage.text) if sentences else []
    return [
        embedded_text(passage.title, passage.heading, passage.text),
        *(before + sentence for sentence in each),
    ]


def _packed(vectors: Mapping[int, Sequence[Sequence[float]]]) -> dict[int, NewVector]:
    return {key: NewVector(stored(some[0]), packed(some[1:])) for key, some in vectors.items()}


def _indexed(record: DocumentRecord, passages: Sequence[Passage]) -> list[NewPassage]:
    return [_new_passage(record, passage) for passage in passages]


def _new_passage(record: DocumentRecord, passage: Passage) -> NewPassage:
    language = _language(passage.language) or _language(record.language)
    language = language or language_of_text(passage.text) or "en"
    before = mark(record.collection, language)
    title = record.title or record.name
    shown = embedded_text(title, passage.heading, passage.text)
    return NewPassage(
        text=passage.text,
        heading=passage.heading,
        page=passage.page,
        language=language,
        digest=hashlib.sha256(shown.encode("utf-8", "replace")).digest()[:16],
        head_words=tuple(before + word for word in words_of(f"{title} {passage.heading}", language)),
        words=tuple(before + word for word in words_of(passage.text, language)),
    )


def _language(name: str) -> Language | None:
    return "en" if name == "en" else "fr" if name == "fr" else None
