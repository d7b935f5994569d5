"""A JSON object in the body of a request."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.web.errors import InvalidRequestError
from menagerie.web.services import services_of
from menagerie.web.strict_json import decode_object

JSON: Final = "application/json"


async def json_object(request: Request) -> dict[str, object]:
    """The JSON object in the body, of `settings.max_body` bytes at most, also where the guard lets a file come. Raises
    `request.invalid` and `request.too_large`."""
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind != JSON:
        raise InvalidRequestError("json_expected", status=415)
    most = services_of(request).settings.max_body
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise MenagerieError(ErrorCode.BODY_TOO_LARGE, limit=most)
    return await run_in_threadpool(decode_object, bytes(body))
