"""JSON as RFC 8259 and RFC 7493 (I-JSON) mean it: what other readers would take differently is refused."""

from __future__ import annotations

import json
import math
import re
from typing import Final, NoReturn

from menagerie.web.errors import InvalidRequestError, shown

MAX_DEPTH: Final = 64
MAX_DIGITS: Final = 400

_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[\]{}]")


def decode_object(body: bytes) -> dict[str, object]:
    """The JSON object in `body`. Raises `request.invalid` for what is not UTF-8, not JSON, no object, nested more
    than `MAX_DEPTH` deep, or has a key twice, a NaN, an infinity or a number of more than `MAX_DIGITS` digits."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise InvalidRequestError("not_utf8") from fault
    _check_depth(body)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_int,
        )
    except json.JSONDecodeError as fault:
        raise InvalidRequestError("json_broken", line=fault.lineno, column=fault.colno) from fault
    if not isinstance(value, dict):
        raise InvalidRequestError("json_object")
    if "\\u" in text:
        _check_surrogates(value)
    return value


def _check_depth(body: bytes) -> None:
    """Before anything recursive reads it."""
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise InvalidRequestError("json_too_deep", limit=MAX_DEPTH)


def _check_surrogates(value: object) -> None:
    """Half a surrogate pair is no character, and could not be sent on."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as fault:
        raise InvalidRequestError("not_utf8") from fault


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made: dict[str, object] = {}
    for key, value in pairs:
        if key in made:
            raise InvalidRequestError("field_twice", field=shown(key))
        made[key] = value
    return made


def _no_number(_text: str) -> NoReturn:
    raise InvalidRequestError("json_number", limit=MAX_DIGITS)


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number) or len(text) > MAX_DIGITS:
        _no_number(text)
    return number


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        _no_number(text)
    return int(text)
