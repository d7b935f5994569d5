"""`/gpt/<persona>`: a prompt in, the whole answer out, as text."""

from __future__ import annotations

import io
from contextlib import aclosing
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_form, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from menagerie.conversation.running import TurnRequest
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import Accepted, Done, Failed, Token
from menagerie.web.errors import InvalidRequestError, failed, shown
from menagerie.web.keys import caller_of
from menagerie.web.language import language_of
from menagerie.web.services import services_of
from menagerie.web.streaming import ClientGoneError, while_connected

SESSION_HEADER: Final = "X-Session-Id"
CHANNEL: Final = "gpt"

_URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_MAX_FIELDS: Final = 32
_CLIENT_GONE: Final = 499

_FIELDS: Final[dict[str, Any]] = {
    "prompt": {"type": "string", "description": "What to ask."},
    "session": {
        "type": "string",
        "description": f"A conversation to go on with; empty to begin one. Its id comes back in `{SESSION_HEADER}`.",
    },
}
_FORM: Final = {"schema": {"type": "object", "required": ["prompt"], "properties": _FIELDS}}
_ANSWER: Final[dict[str, Any]] = {
    "responses": {
        "200": {"description": "The answer.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    }
}
_BY_QUERY: Final[dict[str, Any]] = {
    **_ANSWER,
    "parameters": [
        {"name": name, "in": "query", "required": name == "prompt", "schema": field}
        for name, field in _FIELDS.items()
    ],
}
_BY_FORM: Final[dict[str, Any]] = {
    **_ANSWER,
    "requestBody": {"required": True, "content": {_URLENCODED: _FORM, _MULTIPART: _FORM}},
}

router = APIRouter(tags=["gpt"])


@router.get("/gpt/{persona}", response_class=PlainTextResponse, summary="Ask", openapi_extra=_BY_QUERY)
async def ask(persona: str, request: Request) -> Response:
    """One turn; the prompt is in the address."""
    return await _answer(persona, request, _query(request))


@router.post(
    "/gpt/{persona}", response_class=PlainTextResponse, summary="Ask by form", openapi_extra=_BY_FORM
)
async def ask_by_form(persona: str, request: Request) -> Response:
    """One turn; the prompt is in a form."""
    return await _answer(persona, request, _query(request) + await _form(request))


async def _answer(persona: str, request: Request, fields: list[tuple[str, str]]) -> Response:
    services = services_of(request)
    language = language_of(request, services.settings)
    caller = await caller_of(request)
    headers = services.rates.enter(caller.key)
    name = caller.persona(services.personas, persona).name
    prompt, session = _one(fields, "prompt") or "", _one(fields, "session")
    if not prompt.strip():
        raise MenagerieError(ErrorCode.PROMPT_EMPTY)
    turn = TurnRequest(
        persona=name,
        prompt=prompt,
        user=caller.user,
        language=language,
        session=session or None,
        channel=CHANNEL,
        charge=partial(services.rates.charge, caller.key),
    )
    pieces: list[str] = []
    try:
        async with while_connected(request.receive), aclosing(services.turns.run(turn)) as events:
            async for event in events:
                match event:
                    case Accepted(session=began) if session is not None:
                        headers[SESSION_HEADER] = began
                    case Token(text=piece):
                        pieces.append(piece)
                    case Failed():
                        return failed(request, event, language)
                    case Done():
                        return PlainTextResponse("".join(pieces), headers=headers)
                    case _:
                        pass
    except ClientGoneError:
        return Response(status_code=_CLIENT_GONE)
    raise RuntimeError("a turn ended without Done or Failed")


def _one(fields: list[tuple[str, str]], name: str) -> str | None:
    """The value of a field that may be given once."""
    values = [value for key, value in fields if key == name]
    if len(values) > 1:
        raise InvalidRequestError("field_twice", field=shown(name))
    return values[0] if values else None


def _query(request: Request) -> list[tuple[str, str]]:
    return _urlencoded(request.scope["query_string"])


async def _form(request: Request) -> list[tuple[str, str]]:
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    body = await request.body()
    if not body:
        return []
    if kind == _URLENCODED.encode():
        return _urlencoded(body)
    if kind == _MULTIPART.encode() and b"boundary" in parameters:
        if b"--" + parameters[b"boundary"] + b"--" not in body:
            raise InvalidRequestError("body_broken")
        return await run_in_threadpool(_multipart, request.headers["content-type"], body)
    raise InvalidRequestError("form_expected", status=415)


def _urlencoded(text: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except UnicodeDecodeError as fault:
        raise InvalidRequestError("not_utf8") from fault
    except ValueError as fault:
        raise InvalidRequestError("body_broken") from fault


def _multipart(content_type: str, body: bytes) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []

    def on_field(field: Field) -> None:
        if len(fields) >= _MAX_FIELDS:
            raise InvalidRequestError("body_broken")
        fields.append(((field.field_name or b"").decode(), (field.value or b"").decode()))

    def on_file(file: File) -> None:
        raise InvalidRequestError(
            "field_not_text", field=shown((file.field_name or b"").decode(errors="replace"))
        )

    headers = {"Content-Type": content_type.encode("latin-1"), "Content-Length": str(len(body)).encode()}
    try:
        parse_form(headers, io.BytesIO(body), on_field, on_file)
    except UnicodeDecodeError as fault:
        raise InvalidRequestError("not_utf8") from fault
    except FormParserError as fault:
        raise InvalidRequestError("body_broken") from fault
    return fields
