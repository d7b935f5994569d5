"""Whether what was found is about the question: by a reranker where one is loaded, else by words and, where these do
not tell, by the model, with a true or false under a schema."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from menagerie.core.errors import MenagerieError
from menagerie.core.identity import User
from menagerie.core.messages import Message
from menagerie.embeddings.service import Embeddings
from menagerie.grounding.deciding import Ask
from menagerie.grounding.document import Passage
from menagerie.grounding.selection import FOUND
from menagerie.locales import Language, text

log = structlog.get_logger("menagerie.grounding")

CERTAIN: Final = 0.5
"""The score from which on nobody is asked whether a passage answers."""
DOUBTED: Final = 0.6
"""The share of `FOUND` from which on a model is asked; below it, nothing of the question is there."""
_MOST_SHOWN: Final = 1_500
_MOST_JUDGED: Final = 3
_MOST_RANKED: Final = 24
_SCHEMA: Final = {
    "type": "object",
    "properties": {"relevant": {"type": "boolean"}},
    "required": ["relevant"],
    "additionalProperties": False,
}


async def judged(
    question: str,
    passages: Sequence[Passage],
    language: Language,
    ask: Ask,
    embeddings: Embeddings,
    user: User,
) -> tuple[Passage, ...]:
    """Those of `passages`, ranked by their scores, that are about the question, best first; none where the document
    they are from is about something else."""
    if not passages:
        return ()
    reranked = await _reranked(question, passages[:_MOST_RANKED], embeddings, user)
    if reranked is not None:
        return tuple(passage for passage in reranked if passage.score >= FOUND)
    found = tuple(passage for passage in passages if passage.score >= FOUND)
    if found:
        return found
    doubtful = [passage for passage in passages if passage.score >= FOUND * DOUBTED][:1]
    shown = [Message("user", _question(question, passage, language)) for passage in doubtful]
    answer = await ask(shown, _SCHEMA) if shown else None
    return tuple(doubtful) if answer and answer.get("relevant") is True else ()


async def answers(question: str, passages: Sequence[Passage], language: Language, ask: Ask) -> bool:
    """Whether the first of these passages, together, hold the answer, as a model says. Without its word they do: what
    was found is rather shown than withheld."""
    together = "\n\n".join(passage.text for passage in passages[:_MOST_JUDGED])
    shown = msgspec.structs.replace(passages[0], text=together, heading="")
    answer = await ask([Message("user", _question(question, shown, language))], _SCHEMA)
    return not answer or answer.get("relevant") is not False


async def _reranked(
    question: str, passages: Sequence[Passage], embeddings: Embeddings, user: User
) -> list[Passage] | None:
    """With the scores of a reranker, as numbers from 0 to 1; None where there is none, or it fails."""
    if not embeddings.reranker.choice:
        return None
    try:
        ranking = await embeddings.rerank(question, [passage.text for passage in passages], user)
    except MenagerieError as failure:
        log.warning("passages.not_reranked", failure=str(failure))
        return None
    pairs = sorted(zip(ranking.scores, passages, strict=True), key=lambda pair: -pair[0])
    return [msgspec.structs.replace(passage, score=_sigmoid(score)) for score, passage in pairs]


def _sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, score))))


def _question(question: str, passage: Passage, language: Language) -> str:
    shown = "\n".join(part for part in (passage.title, passage.heading, passage.text[:_MOST_SHOWN]) if part)
    return text("prompt.judge", language, question=question, text=shown)
