"""`/embedding/document` and `/embedding/query`: a text in, its vector out, as a JSON array of numbers."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.embeddings.prefixes import Purpose
from menagerie.web.errors import InvalidRequestError, shown
from menagerie.web.fields import MULTIPART, URLENCODED, form_fields, one, query_fields
from menagerie.web.keys import caller_of
from menagerie.web.services import services_of
from menagerie.web.streaming import ClientGoneError, while_connected
from menagerie.web.strict_json import decode_object

MODEL_HEADER: Final = "X-Model"

_JSON: Final = "application/json"
_FIELD: Final = "text"
_CLIENT_GONE: Final = 499
_TEXT: Final[dict[str, Any]] = {"type": "string", "description": "The text that is to have a vector."}
_BODY: Final = {"schema": {"type": "object", "required": [_FIELD], "properties": {_FIELD: _TEXT}}}
_ANSWER: Final[dict[str, Any]] = {
    "responses": {
        "200": {
            "description": f"The vector, of length 1. Its model is named by the header `{MODEL_HEADER}`.",
            "content": {_JSON: {"schema": {"type": "array", "items": {"type": "number"}}}},
        }
    }
}
_BY_QUERY: Final[dict[str, Any]] = {
    **_ANSWER,
    "parameters": [{"name": _FIELD, "in": "query", "required": True, "schema": _TEXT}],
}
_BY_BODY: Final[dict[str, Any]] = {
    **_ANSWER,
    "requestBody": {"required": True, "content": {URLENCODED: _BODY, MULTIPART: _BODY, _JSON: _BODY}},
}

router = APIRouter(prefix="/embedding", tags=["embedding"])


@router.get("/document", summary="The vector of a text that is to be found", openapi_extra=_BY_QUERY)
async def document(request: Request) -> Response:
    """The text is in the address."""
    return await _answer("document", request, query_fields(request))


@router.post("/document", summary="The same, by form or JSON", openapi_extra=_BY_BODY)
async def document_by_body(request: Request) -> Response:
    """The text is in a form or in JSON."""
    return await _answer("document", request, await _all_fields(request))


@router.get("/query", summary="The vector of a text that finds others", openapi_extra=_BY_QUERY)
async def query(request: Request) -> Response:
    """The text is in the address."""
    return await _answer("query", request, query_fields(request))


@router.post("/query", summary="The same, by form or JSON", openapi_extra=_BY_BODY)
async def query_by_body(request: Request) -> Response:
    """The text is in a form or in JSON."""
    return await _answer("query", request, await _all_fields(request))


async def _answer(purpose: Purpose, request: Request, fields: list[tuple[str, str]]) -> Response:
    services = services_of(request)
    caller = await caller_of(request)
    headers = services.rates.enter(caller.key)
    text = one(fields, _FIELD)
    if text is None:
        raise InvalidRequestError("field_missing", field=_FIELD)
    if not text.strip():
        raise MenagerieError(ErrorCode.PROMPT_EMPTY)
    try:
        async with while_connected(request.receive):
            embedded = await services.embeddings.embed([text], purpose, caller.user)
    except ClientGoneError:
        return Response(status_code=_CLIENT_GONE)
    services.rates.charge(caller.key, embedded.tokens)
    name = embedded.model.name.encode("ascii", "replace").decode()
    return Response(
        msgspec.json.encode(embedded.vectors[0]), media_type=_JSON, headers=headers | {MODEL_HEADER: name}
    )


async def _all_fields(request: Request) -> list[tuple[str, str]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await _json_fields(request) if kind == _JSON else await form_fields(request)
    return query_fields(request) + body


async def _json_fields(request: Request) -> list[tuple[str, str]]:
    fields = await run_in_threadpool(decode_object, await request.body())
    for name, value in fields.items():
        if not isinstance(value, str):
            raise InvalidRequestError("field_not_text", field=shown(name))
    return [(name, str(value)) for name, value in fields.items()]
