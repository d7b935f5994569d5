"""Objects closed to names that their schema does not mention, in the grammar alone.

A schema that says nothing of other properties allows them; nobody who wrote it wants a model to invent some, and small
ones never stop. The grammar may allow less than the schema: where an object says all of itself in one place, it is
closed.
"""

from __future__ import annotations

from typing import Any, Final

from menagerie.structured.dialect import Schema, subschemas

_SPEAK_OF_OTHERS: Final = frozenset(
    {
        "additionalProperties", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "$dynamicRef",
        "$recursiveRef", "patternProperties", "propertyNames", "minProperties", "dependencies", "dependentSchemas",
        "dependentRequired", "unevaluatedProperties",
    }
)  # fmt: skip
"""Keywords that may want, or allow, properties which are declared elsewhere."""
_INSIDE: Final = frozenset({"properties", "patternProperties"})
_DEFINITIONS: Final = frozenset({"$defs", "definitions"})


def closed(schema: Any) -> Any:
    """`schema` with its open objects closed, as far as nothing else adds to them."""
    if not isinstance(schema, dict):
        return schema
    return _closed(schema, definitions=not _added_to(schema))


def _closed(schema: Schema, *, definitions: bool) -> Schema:
    result: Schema = {}
    for keyword, value in schema.items():
        inside = keyword in _INSIDE or (keyword in _DEFINITIONS and definitions)
        if inside and isinstance(value, dict):
            result[keyword] = {name: _inner(item, definitions) for name, item in value.items()}
        elif keyword in ("items", "prefixItems", "additionalProperties", "additionalItems"):
            result[keyword] = _inner(value, definitions)
        else:
            result[keyword] = value
    if _says_all(result):
        result["additionalProperties"] = False
    return result


def _inner(value: Any, definitions: bool) -> Any:
    if isinstance(value, list):
        return [_inner(item, definitions) for item in value]
    return _closed(value, definitions=definitions) if isinstance(value, dict) else value


def _says_all(schema: Schema) -> bool:
    """Whether the properties that `schema` declares are all that it can want."""
    declared = schema.get("properties")
    if not isinstance(declared, dict) or not declared or _SPEAK_OF_OTHERS & schema.keys():
        return False
    required = schema.get("required") or ()
    return isinstance(required, list | tuple) and set(map(str, required)) <= declared.keys()


def _added_to(schema: Schema) -> bool:
    """Whether a reference anywhere stands beside other keywords, or inside an `allOf`: then what it leads to may be
    but a part of an object."""
    for _, here in subschemas(schema):
        if "allOf" in here or ("$ref" in here and len(here.keys() - {"$ref", "description", "title"}) > 0):
            return True
    return False
