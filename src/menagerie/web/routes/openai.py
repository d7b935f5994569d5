"""`/v1/…`: OpenAI's requests over HTTP, whole or streamed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from menagerie.core.identity import User
from menagerie.locales import Language
from menagerie.web.errors import InvalidRequestError, failed
from menagerie.web.keys import Caller, caller_of
from menagerie.web.language import language_of
from menagerie.web.openai import chat, completions, embeddings, models, rerank, responses
from menagerie.web.openai.answer import TurnFailedError, gather
from menagerie.web.openai.response_stream import ResponseStream
from menagerie.web.openai.stream import EventStream
from menagerie.web.priority import is_batch
from menagerie.web.services import Services, services_of
from menagerie.web.streaming import ClientGoneError, while_connected
from menagerie.web.strict_json import decode_object

_Computation = Callable[[Services, User, Language, Mapping[str, object]], Awaitable[dict[str, Any]]]

router = APIRouter(prefix="/v1", tags=["openai"])

_CLIENT_GONE: Final = 499
_OPENAPI: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    "responses": {"200": {"description": "As OpenAI's.", "content": {"application/json": {"schema": {}}}}},
}


@router.get("/models", summary="Personas and models")
async def list_models(request: Request) -> Response:
    """All that the caller can name as `model`."""
    services, caller = services_of(request), await caller_of(request)
    return _json(await models.listing(services, caller, language_of(request, services.settings)))


@router.get("/models/{model:path}", summary="One persona or model")
async def retrieve_model(model: str, request: Request) -> Response:
    """One of them."""
    services, caller = services_of(request), await caller_of(request)
    return _json(await models.one(services, caller, model, language_of(request, services.settings)))


@router.post("/chat/completions", summary="Chat, as OpenAI's API", openapi_extra=_OPENAPI)
async def chat_completions(request: Request) -> Response:
    """One answer to a conversation that the caller keeps."""
    services, caller, headers, body = await _begun(request)
    language = language_of(request, services.settings)
    asked = await chat.decode(services, caller, language, body, batch=is_batch(request))
    if asked.stream:
        return EventStream(request, services, asked.turn, chat.ChatStream(asked), headers)

    async def answer() -> dict[str, Any]:
        return chat.whole(asked, await gather(services.turns, asked.turn))

    return await _whole(request, asked.turn.language, headers, answer)


@router.post("/completions", summary="Complete, as OpenAI's API", openapi_extra=_OPENAPI)
async def text_completions(request: Request) -> Response:
    """Text after a prompt, or after each of several."""
    services, caller, headers, body = await _begun(request)
    language = language_of(request, services.settings)
    asked = await completions.decode(services, caller, language, body, batch=is_batch(request))
    if asked.stream:
        return EventStream(request, services, asked.turns[0], completions.CompletionStream(asked), headers)

    async def answer() -> dict[str, Any]:
        return completions.whole(asked, await completions.gather_all(services.turns, asked))

    return await _whole(request, asked.turns[0].language, headers, answer)


@router.post("/responses", summary="Respond, as OpenAI's API", openapi_extra=_OPENAPI)
async def create_response(request: Request) -> Response:
    """One answer that a later request can go on from."""
    services, caller, headers, body = await _begun(request)
    language = language_of(request, services.settings)
    work = await responses.decode(services, caller, language, body, batch=is_batch(request))
    if work.stream:
        return EventStream(request, services, work.turn, ResponseStream(work), headers)

    async def answer() -> dict[str, Any]:
        return responses.whole(work, await gather(services.turns, work.turn))

    return await _whole(request, work.turn.language, headers, answer)


@router.get("/responses/{response}", summary="A response that was kept")
async def retrieve_response(response: str, request: Request) -> Response:
    """One that the caller has got before."""
    services, caller = services_of(request), await caller_of(request)
    return _json(await responses.stored(services, caller, response))


@router.delete("/responses/{response}", summary="Forget a response")
async def delete_response(response: str, request: Request) -> Response:
    """What was said in it is forgotten; the record that it took place stays."""
    services, caller = services_of(request), await caller_of(request)
    await services.store.sessions.forget(response.removeprefix(responses.PREFIX), caller.user)
    return _json({"id": response, "object": "response", "deleted": True})


@router.post("/embeddings", summary="The vectors of texts", openapi_extra=_OPENAPI)
async def embed(request: Request) -> Response:
    """The vector of each text, of the one model that the settings choose."""
    return await _computed(request, embeddings.answer)


@router.post("/rerank", summary="Which documents answer a query best", openapi_extra=_OPENAPI)
async def rank(request: Request) -> Response:
    """Scores, the best first, as the rerank APIs of Cohere and Jina give them."""
    return await _computed(request, rerank.answer)


async def _begun(request: Request) -> tuple[Services, Caller, dict[str, str], dict[str, object]]:
    """Who asks, what their limits have left, and what they send."""
    services = services_of(request)
    caller = await caller_of(request)
    headers = services.rates.enter(caller.key)
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InvalidRequestError("json_expected", status=415)
    return services, caller, headers, await run_in_threadpool(decode_object, await request.body())


async def _whole(
    request: Request,
    language: Language,
    headers: Mapping[str, str],
    answer: Callable[[], Awaitable[dict[str, Any]]],
) -> Response:
    try:
        async with while_connected(request.receive):
            return _json(await answer(), headers)
    except TurnFailedError as ended:
        return failed(request, ended.failure, language)
    except ClientGoneError:
        return Response(status_code=_CLIENT_GONE)


async def _computed(request: Request, answer: _Computation) -> Response:
    """What is computed of texts, without a turn."""
    services, caller, headers, body = await _begun(request)
    language = language_of(request, services.settings)
    try:
        async with while_connected(request.receive):
            made = await answer(services, caller.user, language, body)
    except ClientGoneError:
        return Response(status_code=_CLIENT_GONE)
    services.rates.charge(caller.key, made["usage"]["total_tokens"])
    encoded = await run_in_threadpool(msgspec.json.encode, made)  # many vectors are megabytes
    return Response(encoded, headers=headers, media_type="application/json")


def _json(body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), headers=dict(headers or {}), media_type="application/json")
