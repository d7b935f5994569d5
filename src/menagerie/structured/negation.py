"""Schemas of values that certainly break a schema, in keywords that a grammar can say."""

from __future__ import annotations

from itertools import islice, product
from string import punctuation
from typing import Any, Final

from menagerie.structured.compiler import patterns_exclude
from menagerie.structured.conjuncts import TYPES, Document, literals_of, type_of
from menagerie.structured.dialect import Schema

MOST: Final = 6
"""Alternatives to one schema."""
_DEPTH: Final = 4
_WORDS: Final = 2_000
"""Characters of the words that one pattern keeps out."""
_PLAIN: Final = ("^[A-Za-z0-9 ._-]+$", "^[A-Za-z ]+$", "^[a-z][a-z ]*$", "^[A-Z][A-Za-z ]*$")
"""What a string may be that does not match a pattern."""


def negations(document: Document, schema: Any, depth: int = 0) -> list[Schema]:
    """Schemas none of whose values meets `schema`, the likeliest to be wanted first. They need not cover all that
    breaks it; none: we know of no way to say it."""
    if schema is False:
        return [{}]
    if not isinstance(schema, dict) or depth > _DEPTH:
        return []
    found: list[Schema] = []
    if "$ref" in schema:
        found += negations(document, document.target(schema), depth + 1)
        if document.old:
            return found[:MOST]
    schema = document.meaningful(schema)
    found += [_lacking(name) for name in schema.get("required") or () if isinstance(name, str)]
    found += _other_literals(schema)
    found += [
        {"type": "string", "pattern": words}
        for pattern in document.patterns(schema)
        for words in _PLAIN
        if patterns_exclude(pattern, words)
    ]
    found += _other_types(schema)
    found += _otherwise_bounded(schema)
    for name, inner in (schema.get("properties") or {}).items():
        found += [
            {"type": "object", "required": [name], "properties": {name: one}}
            for one in negations(document, inner, depth + 1)
        ]
    found += _combined(document, schema, depth)
    return found[:MOST]


def _combined(document: Document, schema: Schema, depth: int) -> list[Schema]:
    found: list[Schema] = []
    if "not" in schema:
        found.append(schema["not"] if isinstance(schema["not"], dict) else {})
        if schema["not"] is False:
            found.pop()
    for one in schema.get("allOf") or ():
        found += negations(document, one, depth + 1)
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword)
        if isinstance(branches, list):
            each = [negations(document, branch, depth + 1) for branch in branches[:16]]
            if len(branches) <= 16 and all(each):
                found += [{"allOf": list(choice)} for choice in islice(product(*each), MOST)]
    if "contains" in schema and schema.get("minContains", 1) == 1:
        found += [
            {"type": "array", "items": one} for one in negations(document, schema["contains"], depth + 1)
        ]
    for name, needed in (schema.get("dependentRequired") or {}).items():
        found += [
            {"type": "object", "required": [name], "properties": {other: False}}
            for other in needed
            if other != name
        ]
    return found


def _lacking(name: str) -> Schema:
    return {"type": "object", "properties": {name: False}}


def _other_types(schema: Schema) -> list[Schema]:
    kinds = schema.get("type")
    if kinds is None:
        return []
    named = {kinds} if isinstance(kinds, str) else set(kinds)
    others = [kind for kind in TYPES if kind not in named and not (kind == "number" and "integer" in named)]
    return [{"type": others}] if others else []


def _other_literals(schema: Schema) -> list[Schema]:
    literals = literals_of(schema)
    if literals is None:
        return []
    found: list[Schema] = []
    words = [value for value in literals if isinstance(value, str)]
    if sum(map(len, words)) <= _WORDS and not any(_awkward(word) for word in words):
        found.append({"type": "string", "pattern": f"^{none_of(words)}$"} if words else {"type": "string"})
    flags = {value for value in literals if isinstance(value, bool)}
    if len(flags) == 1:
        found.append({"enum": [not flags.pop()]})
    if len(literals) == 1 and type(literals[0]) is int:
        found += [
            {"type": "number", "minimum": literals[0] + 1},
            {"type": "number", "maximum": literals[0] - 1},
        ]
    kinds = {type_of(value) for value in literals}
    others = [kind for kind in TYPES if kind not in kinds and kind != "string"]
    return [*found, {"type": others}] if others else found


def _otherwise_bounded(schema: Schema) -> list[Schema]:
    found: list[Schema] = []
    for least, most, kind in (("minLength", "maxLength", "string"), ("minItems", "maxItems", "array")):
        low, high = schema.get(least), schema.get(most)
        if isinstance(low, int) and low > 0:
            found.append({"type": kind, most: low - 1})
        if isinstance(high, int):
            found.append({"type": kind, least: high + 1})
    low, high = schema.get("minimum"), schema.get("maximum")
    if isinstance(low, int) and not isinstance(schema.get("exclusiveMinimum"), bool):
        found.append({"type": "number", "maximum": low - 1})
    if isinstance(high, int) and not isinstance(schema.get("exclusiveMaximum"), bool):
        found.append({"type": "number", "minimum": high + 1})
    if isinstance(least_names := schema.get("minProperties"), int) and least_names == 1:
        found.append({"enum": [{}]})
    return found


def _awkward(word: str) -> bool:
    """Whether `word` is escaped in JSON: what LLGuidance makes of `[^"]` lets an escaped quote pass."""
    return not word.isprintable() or '"' in word or "\\" in word


def none_of(words: list[str]) -> str:
    """A regular expression, without anchors, of every string but `words`."""
    tree: dict[str, Any] = {}
    for word in words:
        here = tree
        for character in word:
            here = here.setdefault(character, {})
        here[""] = {}
    return _outside(tree)


def _outside(tree: dict[str, Any]) -> str:
    letters = [letter for letter in tree if letter]
    if not letters:
        return r"(?:.|\n)+" if "" in tree else r"(?:.|\n)*"
    others = "[^" + "".join(_escaped(letter) for letter in letters) + r"](?:.|\n)*"
    inner = [_escaped(letter) + _outside(tree[letter]) for letter in letters]
    either = "(?:" + "|".join([others, *inner]) + ")"
    return either if "" in tree else either + "?"


def _escaped(letter: str) -> str:
    return "\\" + letter if letter in punctuation and letter != "_" else letter
