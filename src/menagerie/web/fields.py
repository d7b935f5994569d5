"""Fields of a request: from its address, or from a form in its body."""

from __future__ import annotations

import io
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_form, parse_options_header
from starlette.concurrency import run_in_threadpool

from menagerie.web.errors import InvalidRequestError, shown

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
_MAX_FIELDS: Final = 32


def query_fields(request: Request) -> list[tuple[str, str]]:
    """The fields in the address. Raises `request.invalid`."""
    return _urlencoded(request.scope["query_string"])


async def form_fields(request: Request) -> list[tuple[str, str]]:
    """The fields in the body, which is a form of either kind, or empty. Raises `request.invalid`."""
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    body = await request.body()
    if not body:
        return []
    if kind == URLENCODED.encode():
        return _urlencoded(body)
    if kind == MULTIPART.encode() and b"boundary" in parameters:
        if b"--" + parameters[b"boundary"] + b"--" not in body:
            raise InvalidRequestError("body_broken")
        return await run_in_threadpool(_multipart, request.headers["content-type"], body)
    raise InvalidRequestError("form_expected", status=415)


def one(fields: list[tuple[str, str]], name: str) -> str | None:
    """The value of a field that may be given once; None where it is not. Raises `request.invalid`."""
    values = [value for key, value in fields if key == name]
    if len(values) > 1:
        raise InvalidRequestError("field_twice", field=shown(name))
    return values[0] if values else None


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
