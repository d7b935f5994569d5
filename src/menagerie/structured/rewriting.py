"""Keywords that no grammar knows, said by ones that it does.

What comes out may allow less than the schema, never more: of several ways to meet `oneOf`, `not`, `if` or `contains`
the grammar offers some. So a text that it lets pass needs no verification for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from menagerie.structured.compiler import patterns_exclude
from menagerie.structured.conjuncts import Document, types_of, types_of_all
from menagerie.structured.dialect import LITERALS, SCHEMA_MAPS, Schema
from menagerie.structured.negation import negations
from menagerie.structured.patterns import PatternTimeoutError, found

MOST_CHOICES: Final = 32
"""Ways to meet one schema that its rewriting multiplies to; from there on, one way for each keyword."""
MOST_SCHEMAS: Final = 4_000
MAX_DEPTH: Final = 80
"""Schemas inside one another: what `not` breaks by way of a reference may hold the same `not` again."""
_LISTED: Final = 8


class TooManyError(Exception):
    """The rewritten schema would be too large."""


class Choices:
    """In how many ways the grammar can meet all that is said of one value, beginning with `schema`."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._made = 1

    @property
    def room(self) -> int:
        return max(1, MOST_CHOICES // self._made)

    def multiply(self, by: int) -> None:
        self._made *= max(1, by)


class Rewriting:
    """Rewrites the schemas of one `document`."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._left = MOST_SCHEMAS
        self._depth = 0

    def rewrite(self, schema: Any, choices: Choices | None = None) -> Any:
        """`schema` with as many of these keywords replaced as can be; `choices` are those that its value has been
        given already. Raises `TooManyError`."""
        if not isinstance(schema, dict):
            return schema
        self._left -= 1
        if self._left < 0 or self._depth > MAX_DEPTH:
            raise TooManyError
        if schema.get("not") in ({}, True):
            return False
        choices = choices or Choices(schema)
        if not (self._document.old and "$ref" in schema):
            schema = self._restated(schema, choices)
        self._depth += 1
        rewritten = {keyword: self._inside(keyword, value, choices) for keyword, value in schema.items()}
        self._depth -= 1
        return rewritten

    def _inside(self, keyword: str, value: Any, choices: Choices) -> Any:
        if keyword in LITERALS:
            return value
        if keyword in SCHEMA_MAPS and isinstance(value, dict):
            return {name: self.rewrite(item) for name, item in value.items()}
        if isinstance(value, list):
            shared = choices if keyword == "allOf" else None
            return [self.rewrite(item, shared) for item in value]
        return self.rewrite(value)

    def _restated(self, schema: Schema, choices: Choices) -> Schema:
        choices.multiply(len(schema.get("anyOf") or ()))
        if not _RESTATED.keys() & schema.keys():
            return schema
        one = _Restating(self._document, schema, choices)
        for keyword, restate in _RESTATED.items():
            if keyword in one.schema and keyword in self._document.known:
                restate(one)
        return one.schema


class _Restating:
    """One schema on its way: `schema` loses keywords and gains an `allOf`."""

    def __init__(self, document: Document, schema: Schema, choices: Choices) -> None:
        self.document = document
        self.choices = choices
        self.schema = dict(schema)
        self.kinds = types_of_all(list(document.conjuncts(schema)))

    def add(self, *alternatives: Any) -> None:
        """One of `alternatives` as well; the first ones, where there is no room for all."""
        kept = list(alternatives[: self.choices.room])
        self.choices.multiply(len(kept))
        one = kept[0] if len(kept) == 1 else {"anyOf": kept}
        self.schema["allOf"] = [*(self.schema.get("allOf") or ()), one]

    def breaking(self, schema: Any) -> list[Schema]:
        """Ways to break `schema` that what else is said of the value leaves open."""
        ways = [one for one in negations(self.document, schema) if self.kinds & types_of(one)]
        return [one for one in ways if not self.document.apart(self.choices.schema, one)]

    @property
    def required(self) -> list[str]:
        lists = [one.get("required") for one in self.document.conjuncts(self.schema)]
        return [name for names in lists if isinstance(names, list) for name in names if isinstance(name, str)]

    @property
    def declared(self) -> dict[str, Any]:
        """The properties of this schema and of all that it refers to or adds."""
        declared: dict[str, Any] = {}
        for one in self.document.conjuncts(self.schema):
            if isinstance(one.get("properties"), dict):
                declared.update(one["properties"])
        return declared

    @property
    def patterns(self) -> bool:
        return any(one.get("patternProperties") for one in self.document.conjuncts(self.schema))


def _pattern(one: _Restating) -> None:
    pattern = one.schema["pattern"]
    if _ANCHORED_INSIDE.search(pattern) and patterns_exclude(pattern, _ANYTHING):
        one.schema.pop("pattern")
        others = [kind for kind in sorted(one.kinds) if kind != "string"]
        one.add({"type": others} if others else False)


def _not(one: _Restating) -> None:
    if ways := one.breaking(one.schema["not"]):
        del one.schema["not"]
        one.add(*ways)


def _if(one: _Restating) -> None:
    condition = one.schema.pop("if")
    then, otherwise = one.schema.pop("then", True), one.schema.pop("else", True)
    if then is True and otherwise is True:
        return
    met = {"allOf": [part for part in (condition, then) if part is not True]}
    broken = one.breaking(condition)
    if otherwise is not True:
        broken = [{"allOf": [way, otherwise]} for way in broken]
    ways = [*([] if condition is False else [met]), *broken]
    one.add(*(ways if one.choices.room > 1 or not broken else broken))


def _without_if(keyword: str) -> Callable[[_Restating], None]:
    return lambda one: one.schema.pop(keyword)


def _dependencies(keyword: str) -> Callable[[_Restating], None]:
    def restate(one: _Restating) -> None:
        for name, value in one.schema.pop(keyword).items():
            needed = [value] if isinstance(value, str) else value
            there = {"required": [name, *needed]} if isinstance(needed, list) else {"required": [name]}
            more = [] if isinstance(needed, list) or needed is True else [needed]
            with_it = {"allOf": [there, *more]} if more else there
            without = {"properties": {name: False}}
            if name in one.required:
                one.add(with_it)
            elif _beyond(needed, one.declared):
                one.add(without)
            else:
                one.add(without, {"type": "object", **with_it})

    return restate


def _beyond(needed: Any, declared: dict[str, Any]) -> bool:
    """Whether a name that is needed is forbidden anyway."""
    return isinstance(needed, list) and any(declared.get(name) is False for name in needed)


def _contains(one: _Restating) -> None:
    schema = one.schema
    if any(name in schema for name in ("prefixItems", "additionalItems", "maxContains")):
        return
    items = schema.get("items", True)
    least = schema.get("minContains", 1)
    if not isinstance(items, dict | bool) or not isinstance(least, int) or least > _LISTED:
        return
    first = [schema["contains"] if items is True else {"allOf": [items, schema["contains"]]}] * least
    del schema["contains"]
    schema.pop("minContains", None)
    if not first:
        return
    if "prefixItems" in one.document.known:
        schema["prefixItems"] = first
    else:
        schema.update(items=first, additionalItems=items)
    schema["minItems"] = max(least, schema.get("minItems", 0))


def _unique_items(one: _Restating) -> None:
    if one.schema["uniqueItems"] is False or one.schema.get("maxItems", 2) < 2:
        del one.schema["uniqueItems"]


def _property_names(one: _Restating) -> None:
    schema, names = one.schema, one.schema["propertyNames"]
    if names is True or names == {} or one.patterns:
        if not one.patterns:
            del schema["propertyNames"]
        return
    if names is False or any("string" not in types_of(part) for part in one.document.conjuncts(names)):
        return
    merged: Schema = {}
    for part in one.document.conjuncts(names):
        merged.update({key: value for key, value in part.items() if key not in _SILENT})
    declared, more = dict(schema.get("properties") or {}), schema.get("additionalProperties", True)
    if isinstance(listed := merged.pop("enum", None), list) and not merged:
        allowed = [name for name in listed if isinstance(name, str)]
        declared = {name: value if name in allowed else False for name, value in declared.items()}
        declared |= {name: more for name in allowed if name not in declared}
        schema["additionalProperties"] = False
    elif pattern := _name_pattern(merged):
        try:
            declared = {name: value if found(pattern, name) else False for name, value in declared.items()}
        except PatternTimeoutError:
            return
        if more is not False:
            schema.update(patternProperties={pattern: more}, additionalProperties=False)
    else:
        return
    del schema["propertyNames"]
    if declared:
        schema["properties"] = declared


def _name_pattern(names: Schema) -> str:
    pattern = names.pop("pattern", "")
    least, most = names.pop("minLength", 0), names.pop("maxLength", "")
    if names or (pattern and (least or most)):
        return ""
    return str(pattern) or f"^[^\\n]{{{least},{most}}}$"


def _min_properties(one: _Restating) -> None:
    least, required, declared = one.schema["minProperties"], set(one.required), one.declared
    missing = least - len(required)
    others = [name for name, value in declared.items() if name not in required and value is not False]
    if missing > 0 and (not declared or not others or len(others) < missing):
        return
    del one.schema["minProperties"]
    if missing > 0:
        windows = [others[at : at + missing] for at in range(len(others) - missing + 1)]
        ways: list[Schema] = [{"type": "object", "required": names} for names in windows[:_LISTED]]
        if one.kinds != {"object"}:
            ways.append({"type": [kind for kind in sorted(one.kinds) if kind != "object"]})
        one.add(*ways)


def _max_properties(one: _Restating) -> None:
    most, required, declared = one.schema["maxProperties"], one.required, one.declared
    closed = one.schema.get("additionalProperties") is False
    if set(declared) <= set(required) or one.patterns or len(set(required)) > most:
        return
    allowed = [name for name, value in declared.items() if value is not False]
    first = [name for name in allowed if name in required] + [
        name for name in allowed if name not in required
    ]
    del one.schema["maxProperties"]
    if closed and len(allowed) <= most:
        return
    kept = {*required, *first[: max(0, most - len(set(required) - set(allowed)))]}
    own, more = one.schema.get("properties") or {}, one.schema.get("additionalProperties", True)
    one.schema["properties"] = (
        {name: own.get(name, True) for name in declared if name in kept}
        | {name: False for name in declared if name not in kept}
        | {name: more for name in required if name not in declared}
    )
    one.schema["additionalProperties"] = False


def _unevaluated_properties(one: _Restating) -> None:
    if one.schema["unevaluatedProperties"] is not False or one.patterns:
        return
    own = one.schema.get("properties") or {}
    one.schema["properties"] = own | {name: True for name in one.declared if name not in own}
    one.schema["additionalProperties"] = False
    del one.schema["unevaluatedProperties"]


def _one_of(one: _Restating) -> None:
    branches, document = one.schema["oneOf"], one.document
    if not isinstance(branches, list) or len(branches) > _MOST_BRANCHES:
        return
    if len(branches) == 1:
        del one.schema["oneOf"]
        one.add(branches[0])
        return
    ways = []
    for at, branch in enumerate(branches):
        others = [
            _negated(one, branch, other)
            for other_at, other in enumerate(branches)
            if other_at != at and not document.apart(branch, other)
        ]
        if all(other is not None for other in others):
            ways.append({"allOf": [branch, *others]} if others else branch)
    if not ways:
        return
    del one.schema["oneOf"]
    one.choices.multiply(len(ways))
    several = ways[0] if len(ways) == 1 else {"anyOf": ways}
    one.schema["allOf"] = [*(one.schema.get("allOf") or ()), several]


def _negated(one: _Restating, branch: Any, other: Any) -> Schema | None:
    """How a value of `branch` breaks `other`."""
    ways = [way for way in one.breaking(other) if not one.document.apart(branch, way)]
    if not ways:
        return None
    ways = ways[: _WAYS if one.choices.room >= MOST_CHOICES else 1]
    return ways[0] if len(ways) == 1 else {"anyOf": ways}


_MOST_BRANCHES: Final = 40
_ANYTHING: Final = "^(?:.|\\n)*$"
_ANCHORED_INSIDE: Final = re.compile(r".\^|\$.")
"""In a pattern that may match nothing at all, such as `/^a$/`."""
_WAYS: Final = 3
_SILENT: Final = frozenset(
    {"type", "title", "description", "$comment", "examples", "default", "$schema", "$id"}
)
_RESTATED: Final[dict[str, Callable[[_Restating], None]]] = {
    "pattern": _pattern,
    "unevaluatedProperties": _unevaluated_properties,
    "propertyNames": _property_names,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "then": _without_if("then"),
    "else": _without_if("else"),
    "dependencies": _dependencies("dependencies"),
    "dependentRequired": _dependencies("dependentRequired"),
    "dependentSchemas": _dependencies("dependentSchemas"),
    "contains": _contains,
    "uniqueItems": _unique_items,
    "maxProperties": _max_properties,
    "minProperties": _min_properties,
}
