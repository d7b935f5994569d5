"""A quick look that most schemas pass: whether one is surely valid under the meta-schema of its draft.

The meta-schemas have the last word on the others. Following them takes most of the time that a schema takes to compile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Final

Test = Callable[[Any], bool]

_TYPES: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_POINTER: Final = re.compile(r"#(?:/[A-Za-z0-9_.$~:&@!-]*)*")
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9._~/-]+#?")


def surely_valid(schema: Any, *, booleans: bool) -> bool:
    """Whether `schema` is valid in its draft. False: perhaps not. `booleans`: the draft is younger than Draft 4."""
    pending = [schema]
    while pending:
        here = pending.pop()
        if isinstance(here, bool) and booleans:
            continue
        if not isinstance(here, dict):
            return False
        for keyword, value in here.items():
            inner = _schemas_in(keyword, value)
            if inner is None or (keyword in _EXCLUSIVE and not booleans):
                return False
            pending += inner
    return True


def _schemas_in(keyword: str, value: Any) -> Collection[Any] | None:
    """The schemas that stand directly in a keyword's value; None where the value may be wrong."""
    if (test := _VALUES.get(keyword)) is not None:
        return () if test(value) else None
    if keyword in _ONE:
        return None if isinstance(value, list) else (value,)
    if keyword in _OPEN:
        return () if isinstance(value, bool) else (value,)
    if keyword in _MANY:
        return value if isinstance(value, list) and value else None
    if keyword in _NAMED:
        return value.values() if isinstance(value, dict) else None
    return None if keyword in _INTRICATE else ()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_type(value: Any) -> bool:
    if isinstance(value, str):
        return value in _TYPES
    return _are_texts(value) and bool(value) and len(set(value)) == len(value) and set(value) <= _TYPES


_VALUES: Final[dict[str, Test]] = {
    **dict.fromkeys(("title", "description", "$comment", "format", "pattern"), _is_text),
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _is_count
    ),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
    **dict.fromkeys(("uniqueItems", "readOnly", "writeOnly", "deprecated"), _is_flag),
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "required": _are_texts,
    "type": _is_type,
    "enum": lambda value: isinstance(value, list) and bool(value),
    "examples": lambda value: isinstance(value, list),
    "$ref": lambda value: isinstance(value, str) and _POINTER.fullmatch(value) is not None,
    "$schema": lambda value: isinstance(value, str) and _ADDRESS.fullmatch(value) is not None,
    **dict.fromkeys(
        ("$id", "id"), lambda value: isinstance(value, str) and _ADDRESS.fullmatch(value) is not None
    ),
    "dependentRequired": lambda value: isinstance(value, dict) and all(map(_are_texts, value.values())),
}
_ONE: Final = frozenset(
    {
        "contains",
        "items",
        "not",
        "if",
        "then",
        "else",
        "propertyNames",
        "unevaluatedProperties",
        "unevaluatedItems",
    }
)
_OPEN: Final = frozenset({"additionalProperties", "additionalItems"})
"""A schema or, in every draft, a boolean."""
_MANY: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_EXCLUSIVE: Final = frozenset({"exclusiveMinimum", "exclusiveMaximum"})
"""A flag in Draft 4, a number since."""
_INTRICATE: Final = frozenset(
    {
        "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$dynamicRef", "$recursiveRef", "$vocabulary",
        "dependencies", "minContains", "maxContains", "contentEncoding", "contentMediaType", "contentSchema",
    }
)  # fmt: skip
