"""`/toil/<persona>`: work under a JSON Schema. JSON in, JSON out, streamed and verified."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from menagerie.conversation.running import TurnRequest
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import Accepted, AnyEvent, Done, Failed, Source, Token
from menagerie.grounding.given import Given
from menagerie.web.errors import InvalidRequestError, failed, request_id, shown
from menagerie.web.keys import caller_of
from menagerie.web.language import language_of
from menagerie.web.places import SOURCES, places_of
from menagerie.web.priority import PARAMETER, is_batch
from menagerie.web.routes.gpt import SESSION_HEADER
from menagerie.web.services import Services, services_of
from menagerie.web.streaming import ClientGoneError, while_connected
from menagerie.web.strict_json import decode_object

if TYPE_CHECKING:
    from menagerie.structured.schema import CompiledSchema

log = structlog.get_logger("menagerie.web")

CHANNEL: Final = "toil"
SOURCES_HEADER: Final = "X-Menagerie-Sources"
"""How many passages the answer may rest on, where something was looked up."""
FIELDS: Final = ("prompt", "schema", "session", "sources", "text")

_ADDRESS: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_JSON: Final = re.compile(r"application/(?:[\w.-]+\+)?json", re.IGNORECASE)

_OPENAPI: Final[dict[str, Any]] = {
    "parameters": [PARAMETER],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["prompt"],
                    "properties": {
                        "prompt": {"type": "string", "description": "What is to be done."},
                        "schema": {
                            "description": "A JSON Schema that the answer meets; without one, any JSON object."
                        },
                        "text": {
                            "type": "string",
                            "description": "Text to work on, or the http(s) address of a page.",
                        },
                        "sources": SOURCES,
                        "session": {
                            "type": "string",
                            "description": "A conversation to go on with; empty to begin one. "
                            f"Its id comes back in `{SESSION_HEADER}`.",
                        },
                    },
                }
            }
        },
    },
    "responses": {
        "200": {
            "description": "The answer, as it is generated. An answer that is cut off is not one.",
            "content": {"application/json": {"schema": {}}},
        }
    },
}

router = APIRouter(tags=["toil"])


@router.post("/toil/{persona}", summary="Work under a JSON Schema", openapi_extra=_OPENAPI)
async def toil(persona: str, request: Request) -> Response:
    """One turn whose answer is JSON and meets the schema."""
    services = services_of(request)
    caller = await caller_of(request)
    limits = services.rates.enter(caller.key)
    name = caller.persona(services.personas, persona).name
    work = await _body(request)
    prompt, text, session = (_text(work, field) for field in ("prompt", "text", "session"))
    if prompt is None:
        raise InvalidRequestError("field_missing", field="prompt")
    if not prompt.strip():
        raise MenagerieError(ErrorCode.PROMPT_EMPTY)
    address = text.strip() if text and _ADDRESS.fullmatch(text.strip()) else ""
    turn = TurnRequest(
        persona=name,
        prompt=prompt,
        user=caller.user,
        language=language_of(request, services.settings),
        session=session or None,
        given=(Given(kind="text", text=text),) if text and text.strip() and not address else (),
        address=address,
        sources=places_of(work.get("sources")),
        compiled=await _compiled(work.get("schema")),
        channel=CHANNEL,
        charge=partial(services.rates.charge, caller.key),
        batch=is_batch(request),
    )
    return StreamedWork(request, services, turn, limits, tell_session=session is not None)


class StreamedWork(Response):
    """The JSON of one turn, piece by piece. What fails before the first piece has its real status; what fails
    later ends the connection inside the body, so that no client takes a part for the whole."""

    media_type = "application/json"

    def __init__(
        self,
        request: Request,
        services: Services,
        turn: TurnRequest,
        limits: Mapping[str, str],
        *,
        tell_session: bool,
    ) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no", **limits})
        del self.headers["content-length"]
        self._request = request
        self._services = services
        self._turn = turn
        self._tell_session = tell_session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: Failed | None = None
        try:
            async with while_connected(receive), aclosing(self._services.turns.run(self._turn)) as events:
                refused = await self._stream(events, send)
        except ClientGoneError:
            return
        except TimeoutError:
            self._cut_off(ErrorCode.CLIENT_TOO_SLOW)
        if refused is not None:
            await failed(self._request, refused, self._turn.language)(scope, receive, send)

    async def _stream(self, events: AsyncGenerator[AnyEvent, None], send: Send) -> Failed | None:
        """Send the answer; returns the failure that came before anything was sent."""
        started = False
        found = 0
        async for event in events:
            match event:
                case Accepted(session=session) if self._tell_session:
                    self.headers[SESSION_HEADER] = session
                case Source():
                    found += 1
                case Token(text=piece) if piece:
                    if not started:
                        started = True
                        if self._turn.sources or self._turn.address:
                            self.headers[SOURCES_HEADER] = str(found)
                        await self._start(send)
                    await self._send(send, piece.encode(), more=True)
                case Done() if started:
                    await self._send(send, b"", more=False)
                    return None
                case Done():
                    raise MenagerieError(ErrorCode.SCHEMA_NOT_MET, keyword="type", path="#")
                case Failed() if started:
                    self._cut_off(event.code)
                    return None
                case Failed():
                    return event
                case _:
                    pass
        raise RuntimeError("a turn ended without Done or Failed")

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

    async def _send(self, send: Send, body: bytes, *, more: bool) -> None:
        async with asyncio.timeout(self._services.settings.send_timeout):
            await send({"type": "http.response.body", "body": body, "more_body": more})

    def _cut_off(self, code: str) -> None:
        log.warning("answer_cut_off", request=request_id(self._request), code=str(code))


async def _body(request: Request) -> dict[str, object]:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if not _JSON.fullmatch(kind):
        raise InvalidRequestError("json_expected", status=415)
    work = await run_in_threadpool(decode_object, await request.body())
    for field in work:
        if field not in FIELDS:
            raise InvalidRequestError("field_unknown", field=shown(field), known=", ".join(FIELDS))
    return work


def _text(work: dict[str, object], field: str) -> str | None:
    value = work.get(field)
    if value is not None and not isinstance(value, str):
        raise InvalidRequestError("field_not_text", field=field)
    return value


async def _compiled(schema: object) -> CompiledSchema:
    """The schema, compiled in a thread; so is the import, which takes a third of a second the first time."""
    structured = await asyncio.to_thread(importlib.import_module, "menagerie.structured.schema")
    compiled: CompiledSchema = await structured.compile_soon(schema)
    return compiled
