"""The fields of a request, each of a known name and type: what is not known here is refused by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec

from menagerie.web.errors import InvalidRequestError, shown

T = TypeVar("T")

MOST: Final = 2048
"""Messages of a request, and parts of a message: of a megabyte of nothing but empty ones, handling takes seconds."""
Many = Annotated[list[T], msgspec.Meta(max_length=MOST)]

_PLACE: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_UNKNOWN: Final = re.compile(r"unknown field `(?P<name>[^`]*)`")
_WANTED: Final = re.compile(r"^Expected `(?P<kind>[^`]+)`, got `[^`]+`")
_BOUND: Final = re.compile(r"^Expected `\w+` (?P<length>of length )?(?P<sign>[<>]=) (?P<limit>-?[\d.e+]+)")
_KINDS: Final = {"int": "integer", "float": "number", "str": "string", "bool": "boolean"}
"""The names of JSON's types, for those of Python."""
_BOUNDS: Final = {
    (False, ">="): "field_least",
    (False, "<="): "field_most",
    (True, ">="): "field_shortest",
    (True, "<="): "field_longest",
}
_MISSING: Final = re.compile(r"missing required field `(?P<name>[^`]*)`")


def read(body: Mapping[str, object], kind: type[T], unsupported: frozenset[str] = frozenset()) -> T:
    """The request in `body`, whose JSON was decoded. A field that is null counts as not given.

    Raises `request.invalid` with the field's path, such as `messages[0].content`: unknown, missing, wrong, or one of
    `unsupported`, which OpenAI has and we do not.
    """
    given = {name: value for name, value in body.items() if value is not None}
    for name in given:
        if name in unsupported:
            raise InvalidRequestError("field_unsupported", field=name)
    try:
        return msgspec.convert(given, kind, strict=True)
    except msgspec.ValidationError as fault:
        raise _fault(str(fault), kind) from fault


def refuse_field(path: str, reason: str = "field_wrong") -> InvalidRequestError:
    """The error that names the field at `path`."""
    return InvalidRequestError(reason, field=path)


def _fault(message: str, kind: type[Any]) -> InvalidRequestError:
    place = _PLACE.search(message)
    path = place["path"].lstrip(".") if place else ""
    if unknown := _UNKNOWN.search(message):
        name = shown(_joined(path, unknown["name"]))
        known = ", ".join(sorted(one.encode_name for one in msgspec.structs.fields(kind)))
        if path:
            return InvalidRequestError("field_unsupported", field=name)
        return InvalidRequestError("field_unknown", field=name, known=known)
    if missing := _MISSING.search(message):
        return InvalidRequestError("field_missing", field=shown(_joined(path, missing["name"])))
    field = shown(path or "body")
    if bound := _BOUND.match(message):
        reason = _BOUNDS[bool(bound["length"]), bound["sign"]]
        return InvalidRequestError(reason, field=field, limit=bound["limit"].removesuffix(".0"))
    if wanted := _WANTED.match(message):
        kinds = " | ".join(_KINDS.get(one, one) for one in wanted["kind"].split(" | ") if one != "null")
        return InvalidRequestError("field_kind", field=field, kind=kinds)
    return InvalidRequestError("field_wrong", field=field)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
