"""A request of OpenAI's that comes as a value, not over HTTP: a row of a batch."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import Language
from menagerie.web.errors import status_of
from menagerie.web.keys import Caller
from menagerie.web.openai import chat, completions, embeddings, responses
from menagerie.web.openai.answer import TurnFailedError, gather
from menagerie.web.openai.errors import STATUS, error_object
from menagerie.web.openai.fields import refuse_field
from menagerie.web.services import Services

ENDPOINTS: Final = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings")
"""What a batch may ask."""


class Reply(msgspec.Struct, frozen=True):
    """What the request would have been answered over HTTP. `retry_after`, in seconds, is set only where the same
    request may work a little later; `request_id`, where the body names one."""

    status: int
    body: dict[str, Any]
    retry_after: float | None = None
    request_id: str = ""


async def answer(
    services: Services, caller: Caller, language: Language, endpoint: str, body: Mapping[str, object]
) -> Reply:
    """Answer `body`, sent to one of `ENDPOINTS`, behind whoever waits for an answer in person. Never raises for a
    failure; cancelled, it stops the work."""
    try:
        if body.get("stream"):
            raise refuse_field("stream", "field_unsupported")
        return Reply(200, await _answer(services, caller, language, endpoint, body))
    except TurnFailedError as ended:
        failure = ended.failure
        return _refusal(
            failure.code, failure.message, status_of(failure.code), retry_after=failure.retry_after
        )
    except MenagerieError as error:
        status = getattr(error, "status", None) or status_of(error.code)
        param = str(error.values.get("field", ""))
        return _refusal(error.code, error.message(language), status, param, error.retry_after)


async def _answer(
    services: Services, caller: Caller, language: Language, endpoint: str, body: Mapping[str, object]
) -> dict[str, Any]:
    match endpoint:
        case "/v1/chat/completions":
            talk = await chat.decode(services, caller, language, body, batch=True)
            return chat.whole(talk, await gather(services.turns, talk.turn))
        case "/v1/completions":
            asked = await completions.decode(services, caller, language, body, batch=True)
            return completions.whole(asked, await completions.gather_all(services.turns, asked))
        case "/v1/responses":
            work = await responses.decode(services, caller, language, body, batch=True)
            return responses.whole(work, await gather(services.turns, work.turn))
        case "/v1/embeddings":
            made = await embeddings.answer(services, caller.user, language, body)
            services.rates.charge(caller.key, made["usage"]["total_tokens"])
            return made
        case _:
            raise MenagerieError(ErrorCode.NOT_FOUND)


def _refusal(
    code: str, message: str, status: int, param: str = "", retry_after: float | None = None
) -> Reply:
    status = STATUS.get(code, status)
    request_id = secrets.token_hex(8)
    return Reply(status, error_object(code, message, status, param, request_id), retry_after, request_id)
