"""`/gpt/<persona>`: a prompt in, the whole answer out, as text."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from menagerie.conversation.frames import looking_at
from menagerie.conversation.running import TurnRequest
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import Accepted, Done, Failed, Token
from menagerie.web.codecs import cited_sources
from menagerie.web.errors import failed
from menagerie.web.fields import MULTIPART, URLENCODED, form_fields, one, query_fields
from menagerie.web.keys import caller_of
from menagerie.web.language import language_of
from menagerie.web.places import BY_BAR, places_in
from menagerie.web.priority import PARAMETER, is_batch
from menagerie.web.services import services_of
from menagerie.web.streaming import ClientGoneError, while_connected

SESSION_HEADER: Final = "X-Session-Id"
FINISH_HEADER: Final = "X-Menagerie-Finish"
"""How the answer has ended: `stop`, or `length` where it was cut off at the longest length allowed."""
CHANNEL: Final = "gpt"

_CLIENT_GONE: Final = 499

_FIELDS: Final[dict[str, Any]] = {
    "prompt": {"type": "string", "description": "What to ask."},
    "sources": BY_BAR,
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
        *(
            {"name": name, "in": "query", "required": name == "prompt", "schema": field}
            for name, field in _FIELDS.items()
        ),
        PARAMETER,
    ],
}
_BY_FORM: Final[dict[str, Any]] = {
    **_ANSWER,
    "parameters": [PARAMETER],
    "requestBody": {"required": True, "content": {URLENCODED: _FORM, MULTIPART: _FORM}},
}

router = APIRouter(tags=["gpt"])


@router.get("/gpt/{persona}", response_class=PlainTextResponse, summary="Ask", openapi_extra=_BY_QUERY)
async def ask(persona: str, request: Request) -> Response:
    """One turn; the prompt is in the address."""
    return await _answer(persona, request, query_fields(request))


@router.post(
    "/gpt/{persona}", response_class=PlainTextResponse, summary="Ask by form", openapi_extra=_BY_FORM
)
async def ask_by_form(persona: str, request: Request) -> Response:
    """One turn; the prompt is in a form."""
    return await _answer(persona, request, query_fields(request) + await form_fields(request))


async def _answer(persona: str, request: Request, fields: list[tuple[str, str]]) -> Response:
    services = services_of(request)
    language = language_of(request, services.settings)
    caller = await caller_of(request)
    headers = services.rates.enter(caller.key)
    name = caller.persona(services.personas, persona).name
    prompt, session = one(fields, "prompt") or "", one(fields, "session")
    if not prompt.strip():
        raise MenagerieError(ErrorCode.PROMPT_EMPTY)
    written = looking_at(prompt)
    turn = TurnRequest(
        persona=name,
        prompt=written.prompt,
        address=written.address,
        sources=places_in(one(fields, "sources")) or written.sources,
        user=caller.user,
        language=language,
        session=session or None,
        channel=CHANNEL,
        charge=partial(services.rates.charge, caller.key),
        batch=is_batch(request),
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
                    case Done(provenance=provenance):
                        headers[FINISH_HEADER] = provenance.finish
                        if cited := cited_sources(provenance):
                            pieces.append(f"\n\n{cited}\n")
                        return PlainTextResponse("".join(pieces), headers=headers)
                    case _:
                        pass
    except ClientGoneError:
        return Response(status_code=_CLIENT_GONE)
    raise RuntimeError("a turn ended without Done or Failed")
