"""What texts are about, as vectors; and which documents answer a query best."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Literal, TypeVar

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.core.provenance import ModelFacts
from menagerie.embeddings.batches import Batch, split
from menagerie.embeddings.model import ChosenModel, TextModel
from menagerie.embeddings.prefixes import Purpose
from menagerie.engines.chat import Scores, Vectors
from menagerie.engines.engine import RunningEngine
from menagerie.engines.plan import Machine
from menagerie.engines.residency import Engines
from menagerie.engines.target import Target
from menagerie.engines.unit import Care
from menagerie.models.catalogue import Catalogue
from menagerie.models.defaults import embedding_choice, reranker_choice
from menagerie.settings import Settings

log = structlog.get_logger("menagerie.embeddings")

Computed = TypeVar("Computed")
_Work = Callable[[RunningEngine, Sequence[str]], Awaitable[Computed]]


class Embedded(msgspec.Struct, frozen=True):
    """The vector of each text, in their order, all of the same length; what computed them, and of how many tokens (0
    where an engine at an address does not tell)."""

    model: ModelFacts
    vectors: list[list[float]]
    tokens: int


class Ranking(msgspec.Struct, frozen=True):
    """How well each document answers the query, in their order, the higher the better.

    `by` tells how: `reranker`, a model that reads query and document together, whose scores have the range that it was
    trained for; `cosine`, that of the angle between their vectors, from -1 to 1.
    """

    model: ModelFacts
    scores: list[float]
    tokens: int
    by: Literal["reranker", "cosine"]


class Embeddings:
    """The models of texts behind the one door to engines. They are loaded when somebody first asks."""

    def __init__(self, settings: Settings, catalogue: Catalogue, engines: Engines, machine: Machine) -> None:
        self.embedder = ChosenModel("embedding", embedding_choice(settings), settings, catalogue, machine)
        self.reranker = ChosenModel("rerank", reranker_choice(settings), settings, catalogue, machine)
        self._settings = settings
        self._engines = engines

    async def embed(self, texts: Sequence[str], purpose: Purpose | None, user: User) -> Embedded:
        """The vectors of `texts`, for `user`, with the prefix that the model wants for `purpose`; None: as they are.

        Raises what `ChosenModel.find` and `Engines.enter` raise, `prompt.empty` where a text is, `prompt.too_long` with
        tokens and window where one is longer than the model can read, what an engine fails with, and `turn.timeout`.
        """
        _refuse_empty(texts)
        model = await self.embedder.find()
        before = model.prefixes.before(purpose)
        return await self._embed(model, [before + text for text in texts], user)

    async def rerank(self, query: str, documents: Sequence[str], user: User) -> Ranking:
        """How well each of `documents` answers `query`: by the reranker of the settings, else by their vectors. Raises
        as `embed` does."""
        _refuse_empty([query, *documents])
        if not self.reranker.choice:
            return await self._by_cosine(query, documents, user)
        model = await self.reranker.find()
        scores: list[float] = []
        tokens = 0
        async with self._in_time():
            beside = len(query.encode("utf-8", "replace"))
            pieces = tuple(split(documents, model.window, keeps_cache=model.keeps_cache, beside=beside))

            async def work(engine: RunningEngine, some: Sequence[str]) -> Scores:
                return await engine.rerank(query, some)

            async with aclosing(self._computed(model, user, pieces, work)) as answers:
                async for ranked in answers:
                    scores += ranked.scores
                    tokens += ranked.tokens
        return Ranking(model.facts, scores, tokens, "reranker")

    def cared_for(self) -> Mapping[Target, Care]:
        """The engines that may be asked for, and how each is kept."""
        known = (chosen.known for chosen in (self.embedder, self.reranker))
        return {model.target: Care(idle_after_s=self._settings.engine_idle) for model in known if model}

    async def close(self) -> None:
        """Stop what goes on in the background."""
        await self.embedder.close()
        await self.reranker.close()

    async def _by_cosine(self, query: str, documents: Sequence[str], user: User) -> Ranking:
        model = await self.embedder.find()
        prefixes = model.prefixes
        texts = [prefixes.query + query, *(prefixes.document + document for document in documents)]
        embedded = await self._embed(model, texts, user)
        scores = await asyncio.to_thread(_cosines, *embedded.vectors)
        return Ranking(embedded.model, scores, embedded.tokens, "cosine")

    async def _embed(self, model: TextModel, texts: Sequence[str], user: User) -> Embedded:
        vectors: list[list[float]] = []
        tokens = 0
        async with self._in_time():
            pieces = tuple(split(texts, model.window, keeps_cache=model.keeps_cache))
            async with aclosing(self._computed(model, user, pieces, _embed)) as answers:
                async for computed in answers:
                    vectors += computed.vectors
                    tokens += computed.tokens
        return Embedded(model.facts, vectors, tokens)

    async def _computed(
        self, model: TextModel, user: User, pieces: Sequence[Batch], work: _Work[Computed]
    ) -> AsyncGenerator[Computed, None]:
        """Every piece, one after the other. More than one are a batch: people's turns go before."""
        for piece in pieces:
            try:
                yield await self._compute(model, user, piece, work, batch=len(pieces) > 1)
            except MenagerieError as failure:
                if failure.code is not ErrorCode.ENGINE_LOST:
                    raise
                log.warning("embeddings.again", engine=model.facts.name)  # it is started again, once
                yield await self._compute(model, user, piece, work, batch=len(pieces) > 1)

    async def _compute(
        self, model: TextModel, user: User, piece: Batch, work: _Work[Computed], *, batch: bool
    ) -> Computed:
        async with self._engines.use(model.target, user.share, piece.tokens, batch=batch) as engine:
            return await work(engine, piece.texts)

    @asynccontextmanager
    async def _in_time(self) -> AsyncGenerator[None, None]:
        """What takes as long as no turn may is over."""
        try:
            async with asyncio.timeout(self._settings.turn_timeout):
                yield
        except TimeoutError as late:
            raise MenagerieError(ErrorCode.TURN_TIMEOUT) from late


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between two vectors of any length; 0 where one of them is null."""
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(map(float.__mul__, one, other)) / lengths if lengths else 0.0


async def _embed(engine: RunningEngine, texts: Sequence[str]) -> Vectors:
    return await engine.embed(texts)


def _cosines(query: Sequence[float], *documents: Sequence[float]) -> list[float]:
    return [cosine(query, document) for document in documents]


def _refuse_empty(texts: Sequence[str]) -> None:
    if not all(text.strip() for text in texts):
        raise MenagerieError(ErrorCode.PROMPT_EMPTY)
