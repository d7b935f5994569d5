"""`/v1/…`: OpenAI's requests over HTTP, whole or streamed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from menagerie.conversation.running import TurnRequest
from menagerie.web.errors import InvalidRequestError, failed
from menagerie.web.keys import Caller, caller_of
from menagerie.web.language import language_of
from menagerie.web.openai import chat, models
from menagerie.web.openai.answer import Answer, TurnFailedError, gather
from menagerie.web.openai.stream import EventStream
from menagerie.web.services import Services, services_of
from menagerie.web.streaming import ClientGoneError, while_connected
from menagerie.web.strict_json import decode_object

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
    asked = await chat.decode(services, caller, language_of(request, services.settings), body)
    if asked.stream:
        return EventStream(request, services, asked.turn, chat.ChatStream(asked), headers)
    return await _whole(request, services, asked.turn, headers, lambda answer: chat.whole(asked, answer))


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
    services: Services,
    turn: TurnRequest,
    headers: Mapping[str, str],
    encode: Callable[[Answer], dict[str, Any]],
) -> Response:
    try:
        async with while_connected(request.receive):
            answer = await gather(services.turns, turn)
    except TurnFailedError as ended:
        return failed(request, ended.failure, turn.language)
    except ClientGoneError:
        return Response(status_code=_CLIENT_GONE)
    return _json(encode(answer), headers)


def _json(body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), headers=dict(headers or {}), media_type="application/json")
