"""How a failure is told over HTTP: its status, and a body in the form and language that the caller wants."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, cast

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import Failed
from menagerie.locales import Language, text
from menagerie.web.language import language_of
from menagerie.web.openai import errors as openai_errors
from menagerie.web.pages import error_page
from menagerie.web.services import services_of

Form = Literal["json", "text", "html"]

STATUS: Final[Mapping[ErrorCode, int]] = {
    ErrorCode.ANSWER_EMPTY: 502,
    ErrorCode.BATCH_INVALID: 400,
    ErrorCode.BATCH_UNKNOWN: 404,
    ErrorCode.FILE_UNKNOWN: 404,
    ErrorCode.FILE_TOO_MANY: 429,
    ErrorCode.ROW_INVALID: 400,
    ErrorCode.SERVICE_REFUSED: 502,
    ErrorCode.SERVICE_UNREACHABLE: 503,
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.BODY_TOO_LARGE: 413,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.ADDRESS_REFUSED: 403,
    ErrorCode.HOST_REFUSED: 421,
    ErrorCode.ORIGIN_REFUSED: 403,
    ErrorCode.CONNECTIONS_FULL: 503,
    ErrorCode.IDLE: 408,
    ErrorCode.FRAME_BINARY: 400,
    ErrorCode.FRAME_TOO_LARGE: 413,
    ErrorCode.FRAME_INVALID: 400,
    ErrorCode.PREFIX_BROKEN: 400,
    ErrorCode.SOURCE_OFF: 501,
    ErrorCode.SOURCE_REFUSED: 403,
    ErrorCode.SOURCE_TOO_LARGE: 422,
    ErrorCode.SOURCE_UNREACHABLE: 502,
    ErrorCode.SOURCE_UNREADABLE: 422,
    ErrorCode.SOURCE_UNKNOWN: 404,
    ErrorCode.SOURCE_TOO_MANY: 400,
    ErrorCode.SOURCE_NOTHING: 422,
    ErrorCode.SEARCH_OFF: 501,
    ErrorCode.SEARCH_FAILED: 502,
    ErrorCode.DOCUMENT_BROKEN: 422,
    ErrorCode.DOCUMENT_ENCRYPTED: 422,
    ErrorCode.DOCUMENT_EMPTY: 422,
    ErrorCode.DOCUMENT_SCANNED: 422,
    ErrorCode.DOCUMENT_TOO_LARGE: 413,
    ErrorCode.DOCUMENT_UNSUPPORTED: 415,
    ErrorCode.DOCUMENT_UNKNOWN: 404,
    ErrorCode.DOCUMENT_UNREADABLE: 422,
    ErrorCode.FACTS_FORBIDDEN: 403,
    ErrorCode.FACTS_FULL: 409,
    ErrorCode.FACTS_INVALID: 400,
    ErrorCode.FACTS_NAME_TAKEN: 409,
    ErrorCode.FACTS_UNKNOWN: 404,
    ErrorCode.FEEDS_INVALID: 500,
    ErrorCode.CLIENT_TOO_SLOW: 408,
    ErrorCode.PERSONA_UNKNOWN: 404,
    ErrorCode.PROMPT_EMPTY: 400,
    ErrorCode.PROMPT_TOO_LONG: 413,
    ErrorCode.SESSION_UNKNOWN: 404,
    ErrorCode.SESSION_BUSY: 409,
    ErrorCode.SCHEMA_INVALID: 400,
    ErrorCode.SCHEMA_TOO_COMPLEX: 400,
    ErrorCode.SCHEMA_NOT_MET: 422,
    ErrorCode.KEY_INVALID: 401,
    ErrorCode.KEY_REQUIRED: 401,
    ErrorCode.KEY_RATE_LIMITED: 429,
    ErrorCode.KEY_NAME_TAKEN: 409,
    ErrorCode.KEY_UNKNOWN: 404,
    ErrorCode.IMAGE_UNSUPPORTED: 400,
    ErrorCode.PICTURE_TOO_MANY: 400,
    ErrorCode.PICTURE_UNSUPPORTED: 415,
    ErrorCode.MODEL_MISSING: 503,
    ErrorCode.MODEL_BROKEN: 503,
    ErrorCode.MODEL_UNKNOWN: 404,
    ErrorCode.MODEL_DOWNLOAD_FAILED: 502,
    ErrorCode.MODEL_HASH_MISMATCH: 502,
    ErrorCode.MODEL_SOURCE_INVALID: 400,
    ErrorCode.MODEL_UNSUITABLE: 503,
    ErrorCode.MODEL_SET_ASIDE: 503,
    ErrorCode.MODEL_TOO_LARGE: 507,
    ErrorCode.MODEL_OUT_OF_MEMORY: 503,
    ErrorCode.DISK_FULL: 507,
    ErrorCode.EMBEDDINGS_OFF: 501,
    ErrorCode.ENGINE_UNAVAILABLE: 503,
    ErrorCode.ENGINE_LOST: 503,
    ErrorCode.ENGINE_REFUSED: 502,
    ErrorCode.ENGINE_TIMEOUT: 504,
    ErrorCode.QUEUE_FULL: 503,
    ErrorCode.STORE_UNAVAILABLE: 503,
    ErrorCode.TURN_INTERRUPTED: 503,
    ErrorCode.TURN_CANCELLED: 409,
    ErrorCode.TURN_TIMEOUT: 504,
    ErrorCode.TURN_KNOWN: 409,
    ErrorCode.TURN_UNKNOWN: 404,
    ErrorCode.STOPPING: 503,
    ErrorCode.INTERNAL: 500,
}
"""The status of every code (RFC 9110, section 15; 421 and 429 by RFC 9110 and RFC 6585, 507 by RFC 4918)."""

RETRY_AFTER: Final[Mapping[ErrorCode, float]] = {
    ErrorCode.CONNECTIONS_FULL: 10,
    ErrorCode.ENGINE_LOST: 5,
    ErrorCode.ENGINE_UNAVAILABLE: 10,
    ErrorCode.MODEL_OUT_OF_MEMORY: 10,
    ErrorCode.MODEL_SET_ASIDE: 60,
    ErrorCode.QUEUE_FULL: 10,
    ErrorCode.SESSION_BUSY: 5,
    ErrorCode.STOPPING: 10,
    ErrorCode.STORE_UNAVAILABLE: 10,
}
"""Seconds after which trying again can help, where the failure itself does not tell."""

_OF_STATUS: Final = {
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.BODY_TOO_LARGE,
}
_OPENAI_PATHS: Final = "/v1/"
_JSON_PATHS: Final = ("/toil/", "/describe/", "/embedding/", "/facts", "/conversations", _OPENAI_PATHS)
_MEDIA: Final[dict[str, Form]] = {"text/html": "html", "application/json": "json", "text/plain": "text"}
_MOST_SHOWN: Final = 60
_UNAUTHORIZED: Final = 401


class InvalidRequestError(MenagerieError):
    """A `request.invalid` that says what is wrong: its text is `error.request.invalid.<reason>`."""

    def __init__(self, reason: str, /, *, status: int = 400, **values: str | float) -> None:
        super().__init__(ErrorCode.BAD_REQUEST)
        self.values = values
        self.reason = reason
        self.status = status

    def message(self, language: Language) -> str:
        """The sentence that names the fault."""
        return text(f"error.request.invalid.{self.reason}", language, **self.values)


def shown(name: str) -> str:
    """A name that a caller sent, as their error may repeat it: printable, and not long."""
    clean = "".join(character if character.isprintable() else "�" for character in name[:_MOST_SHOWN])
    return clean + "…" if len(name) > _MOST_SHOWN else clean


def status_of(code: str) -> int:
    """The HTTP status of an error code; 500 for one that is none of ours."""
    return STATUS.get(cast("ErrorCode", code), 500)


def refuse(connection: HTTPConnection, error: MenagerieError, language: Language) -> Response:
    """The response that tells of `error`."""
    return refusal(
        connection,
        error.code,
        error.message(language),
        language,
        status=getattr(error, "status", None),
        retry_after=error.retry_after,
        headers=getattr(error, "headers", None),
        param=str(error.values.get("field", "")),
    )


def failed(connection: HTTPConnection, failure: Failed, language: Language) -> Response:
    """The response that tells of a turn which ended in `failure`."""
    return refusal(connection, failure.code, failure.message, language, retry_after=failure.retry_after)


def refusal(
    connection: HTTPConnection,
    code: str,
    message: str,
    language: Language,
    *,
    status: int | None = None,
    retry_after: float | None = None,
    headers: Mapping[str, str] | None = None,
    param: str = "",
) -> Response:
    """A response for an error: JSON, text (`message [code]`) or a page, as the caller wants.

    JSON is `{"error": {"code", "message", "request", "retry_after"?}}`, `retry_after` in seconds, `request` the
    number that the log has. Under `/v1/` it is in OpenAI's shape, with `param` as the field that is wrong.
    """
    status = status or status_of(code)
    openai = connection.scope["path"].startswith(_OPENAI_PATHS)
    if openai:
        status = openai_errors.STATUS.get(code, status)
    if retry_after is None:
        retry_after = RETRY_AFTER.get(cast("ErrorCode", code))
    form = wanted_form(connection)
    if form == "html" and isinstance(connection, Request) and code != ErrorCode.HOST_REFUSED:
        response = error_page(connection, status, code, message, language)
    elif openai:
        told = openai_errors.error_object(code, message, status, param, request_id(connection))
        response = Response(msgspec.json.encode(told), status, media_type="application/json")
    elif form == "json":
        response = _json(connection, status, code, message, retry_after)
    else:
        response = Response(f"{message} [{code}]\n", status, media_type="text/plain")
    response.headers["Content-Language"] = language
    response.headers["Cache-Control"] = "no-store"
    if status == _UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="menagerie"'
    if retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    response.headers.update(headers or {})
    return response


def wanted_form(connection: HTTPConnection) -> Form:
    """The form in which a caller reads an error: by the path where an interface has its own, else by `Accept`."""
    path = connection.scope["path"]
    if path.startswith(_JSON_PATHS):
        return "json"
    form = _preferred(",".join(connection.headers.getlist("accept")))
    return "text" if form == "html" and path.startswith("/gpt/") else form


def request_id(connection: HTTPConnection) -> str:
    """The number that this request has in its response and in the log; empty outside the guard."""
    return str(connection.scope.get("state", {}).get("request_id", ""))


def install(app: FastAPI) -> None:
    """Have every failure of `app` told by this module."""
    app.add_exception_handler(MenagerieError, _on_own)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_any)


async def _on_own(request: Request, error: Exception) -> Response:
    return refuse(request, cast("MenagerieError", error), _language(request))


async def _on_validation(request: Request, error: Exception) -> Response:
    first: Mapping[str, Any] = next(iter(cast("RequestValidationError", error).errors()), {})
    field, limits = shown(str((first.get("loc") or ("",))[-1])), first.get("ctx") or {}
    match first.get("type"):
        case "missing":
            fault = InvalidRequestError("field_missing", field=field)
        case "greater_than_equal":
            fault = InvalidRequestError("field_least", field=field, limit=limits["ge"])
        case "less_than_equal":
            fault = InvalidRequestError("field_most", field=field, limit=limits["le"])
        case "string_too_long":
            fault = InvalidRequestError("field_longest", field=field, limit=limits["max_length"])
        case "int_parsing":
            fault = InvalidRequestError("field_kind", field=field, kind="integer")
        case _:
            fault = InvalidRequestError("field_wrong", field=field)
    return refuse(request, fault, _language(request))


async def _on_http(request: Request, error: Exception) -> Response:
    """What the framework raises: unknown addresses and methods, forms that it cannot read."""
    raised = cast("HTTPException", error)
    if isinstance(raised.__cause__, MenagerieError):
        return await _on_own(request, raised.__cause__)
    language = _language(request)
    other = ErrorCode.BAD_REQUEST if raised.status_code < 500 else ErrorCode.INTERNAL
    code = _OF_STATUS.get(raised.status_code, other)
    headers = dict(raised.headers or {})
    values = {"methods": headers.get("Allow", ""), "limit": services_of(request).settings.max_body}
    message = text(f"error.{code}", language, **values)
    return refusal(request, code, message, language, status=raised.status_code, headers=headers)


async def _on_any(request: Request, _error: Exception) -> Response:
    """The framework raises it again after this: the guard, around it all, logs it."""
    return refuse(request, MenagerieError(ErrorCode.INTERNAL), _language(request))


def _language(request: Request) -> Language:
    return language_of(request, services_of(request).settings)


def _json(
    connection: HTTPConnection, status: int, code: str, message: str, retry_after: float | None
) -> Response:
    error: dict[str, object] = {"code": code, "message": message, "request": request_id(connection)}
    if retry_after is not None:
        error["retry_after"] = retry_after
    return Response(msgspec.json.encode({"error": error}), status, media_type="application/json")


def _preferred(accept: str) -> Form:
    """The form that an `Accept` header weighs highest, the first of equals; text where it names none of ours."""
    best: Form = "text"
    highest = 0.0
    for item in accept[:1000].split(","):
        media, *parameters = item.split(";")
        form = _MEDIA.get(media.strip().lower())
        weight = _weight(parameters)
        if form and weight > highest:
            best, highest = form, weight
    return best


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
