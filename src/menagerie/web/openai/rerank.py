"""`/v1/rerank`: which documents answer a query best, in the shape that Cohere and Jina gave to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from menagerie.core.identity import User
from menagerie.embeddings.service import Ranking
from menagerie.locales import Language
from menagerie.web.errors import InvalidRequestError
from menagerie.web.openai.embeddings import check_model
from menagerie.web.openai.fields import read

if TYPE_CHECKING:
    from menagerie.web.services import Services

MOST_DOCUMENTS: Final = 1000


class _Document(msgspec.Struct):
    text: str


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    query: str
    documents: Annotated[list[str | _Document], msgspec.Meta(min_length=1)]
    model: str = ""
    top_n: Annotated[int, msgspec.Meta(ge=1)] | None = None
    return_documents: bool = False
    user: str = ""


class RerankRequest(msgspec.Struct, frozen=True):
    """What is asked for. An empty `model` is the one there is; `top_n` None are all documents."""

    query: str
    documents: tuple[str, ...]
    model: str = ""
    top_n: int | None = None
    return_documents: bool = False


async def answer(
    services: Services, user: User, language: Language, body: Mapping[str, object]
) -> dict[str, Any]:
    """The ranking for a decoded body. Raises `request.invalid` with the field that is wrong, and what
    `Embeddings.rerank` raises; `model.unknown` for a model that is not the one of the settings."""
    del language
    request = parse(body)
    embeddings = services.embeddings
    chosen = embeddings.reranker if embeddings.reranker.choice else embeddings.embedder
    await check_model(chosen, request.model)
    return encode(request, await embeddings.rerank(request.query, request.documents, user))


def parse(body: Mapping[str, object]) -> RerankRequest:
    """The request in a decoded body. Raises `request.invalid` with the field that is wrong."""
    given = read(body, _Body)
    if not given.query.strip():
        raise InvalidRequestError("text_empty", field="query")
    documents = tuple(
        document if isinstance(document, str) else document.text for document in given.documents
    )
    if len(documents) > MOST_DOCUMENTS:
        raise InvalidRequestError("list_too_long", field="documents", limit=MOST_DOCUMENTS)
    for index, document in enumerate(documents):
        if not document.strip():
            raise InvalidRequestError("text_empty", field=f"documents[{index}]")
    return RerankRequest(given.query, documents, given.model, given.top_n, given.return_documents)


def encode(request: RerankRequest, ranking: Ranking) -> dict[str, Any]:
    """The answer: the best first, equal ones in the order in which they came. `scored_by` says what the scores are:
    those of a `reranker`, or the `cosine` of the vectors."""
    order = sorted(range(len(ranking.scores)), key=lambda index: (-ranking.scores[index], index))
    results: list[dict[str, Any]] = []
    for index in order[: request.top_n]:
        result: dict[str, Any] = {"index": index, "relevance_score": ranking.scores[index]}
        if request.return_documents:
            result["document"] = {"text": request.documents[index]}
        results.append(result)
    usage = {"prompt_tokens": ranking.tokens, "total_tokens": ranking.tokens}
    return {
        "object": "list",
        "model": ranking.model.name,
        "results": results,
        "usage": usage,
        "scored_by": ranking.by,
    }
