"""The best passages in the order of a model that reads each together with the question, where one is set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec
import structlog

from menagerie.core.errors import MenagerieError
from menagerie.core.identity import User
from menagerie.embeddings.service import Embeddings
from menagerie.grounding.facts.fusion import Ranked

log = structlog.get_logger("menagerie.facts")

MOST: Final = 20
"""Passages that are ranked anew: more would keep people waiting."""
_LONGEST: Final = 1600
"""Characters of a passage that the model reads."""

One = TypeVar("One", bound=Ranked)


async def reranked(
    embeddings: Embeddings, question: str, passages: Sequence[One], texts: Sequence[str], user: User
) -> list[One]:
    """The first `MOST` of `passages`, whose texts these are, with the model's scores, best first; all as they were
    where it fails."""
    some = list(passages[:MOST])
    if not some:
        return []
    try:
        ranking = await embeddings.rerank(question, [text[:_LONGEST] for text in texts[:MOST]], user)
    except MenagerieError as failure:
        log.info("facts.not_reranked", reason=str(failure))
        return list(passages)
    if ranking.by != "reranker":
        return list(passages)
    scores = probabilities(ranking.scores)
    scored = [msgspec.structs.replace(one, score=score) for one, score in zip(some, scores, strict=True)]
    return sorted(scored, key=lambda one: -one.score)


def probabilities(scores: Sequence[float]) -> list[float]:
    """A reranker's scores from 0 to 1. Some models give such; others what has to go through the logistic function."""
    if all(0 <= score <= 1 for score in scores):
        return list(scores)
    return [1 / (1 + math.exp(-max(-60.0, min(60.0, score)))) for score in scores]
