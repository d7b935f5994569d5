"""What a schema says outright, its local references followed, and whether two schemas exclude one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import unquote

from jsonschema.protocols import Validator

from menagerie.structured.compiler import patterns_exclude
from menagerie.structured.dialect import OLD_DRAFTS, Schema, dialect_id, subschemas
from menagerie.structured.formats import ENCLOSING
from menagerie.structured.patterns import PatternTimeoutError, found

MAX_DEPTH: Final = 5
"""References and properties that are followed, one inside the other."""
MOST_BRANCHES: Final = 40
_PARTNERS: Final = frozenset({"minContains", "maxContains"})
TYPES: Final = ("null", "boolean", "number", "string", "array", "object")


class Document:
    """The whole schema, for its references."""

    def __init__(self, root: object, dialect: type[Validator]) -> None:
        self.root = root
        self.dialect = dialect
        self.known = cast("Mapping[str, Any]", dialect.VALIDATORS)
        """The keywords that the draft gives a meaning."""
        self.old = any(name in dialect_id(dialect) for name in OLD_DRAFTS)
        """The siblings of `$ref` mean nothing."""
        self.formats = frozenset(getattr(dialect.FORMAT_CHECKER, "checkers", ()))
        """Those that are checked."""
        self._plain = not any(
            path and isinstance(here.get(name), str) and path[-1] not in ("properties", "patternProperties")
            for path, here in subschemas(root)
            for name in ("$id", "id")
        )

    def target(self, schema: Schema) -> Any:
        """What `$ref` leads to; None where it is no pointer into this document."""
        reference = schema.get("$ref")
        if not self._plain or not isinstance(reference, str) or not (reference + "/").startswith("#/"):
            return None
        here: Any = self.root
        for part in unquote(reference[1:]).split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(here, dict) and key in here:
                here = here[key]
            elif isinstance(here, list) and key.isdigit() and int(key) < len(here):
                here = here[int(key)]
            else:
                return None
        return here

    def conjuncts(self, schema: Any, depth: int = 0) -> Iterator[Schema]:
        """Schemas that a value of `schema` meets, all of them: itself, its `allOf`, what it refers to."""
        if not isinstance(schema, dict) or depth > MAX_DEPTH:
            return
        if "$ref" in schema:
            yield from self.conjuncts(self.target(schema), depth + 1)
            if self.old:
                return
        yield self.meaningful(schema)
        several = schema.get("allOf")
        for one in several if isinstance(several, list) else ():
            yield from self.conjuncts(one, depth + 1)

    def meaningful(self, schema: Schema) -> Schema:
        """`schema` without what its draft gives no meaning, such as `const` in Draft 4."""
        return {
            keyword: value
            for keyword, value in schema.items()
            if keyword in self.known or keyword in _PARTNERS
        }

    def disjoint(self, branches: list[Any]) -> bool:
        """Whether no value can meet two of `branches`."""
        if len(branches) > MOST_BRANCHES:
            return False
        return all(self.apart(one, other) for at, one in enumerate(branches) for other in branches[at + 1 :])

    def apart(self, one: Any, other: Any, depth: int = 0) -> bool:
        """Whether no value can meet both: by their types, literals, or the properties they require and forbid."""
        if one is False or other is False:
            return True
        if depth > MAX_DEPTH:
            return False
        mine, theirs = list(self.conjuncts(one)), list(self.conjuncts(other))
        if any(self._exclude(first, second) for first in mine for second in theirs):
            return True
        return "object" in {*_only_type(mine), *_only_type(theirs)} and self._objects_apart(
            mine, theirs, depth
        )

    def _objects_apart(self, mine: list[Schema], theirs: list[Schema], depth: int) -> bool:
        needed = (_required(mine), _required(theirs))
        if any(_forbids(theirs, name) for name in needed[0]) or any(
            _forbids(mine, name) for name in needed[1]
        ):
            return True
        return any(
            self.apart(first, second, depth + 1)
            for name in needed[0] & needed[1]
            for first in _properties(mine, name)
            for second in _properties(theirs, name)
        )

    def patterns(self, schema: Schema) -> list[str]:
        """The patterns that a string of `schema` matches, for its `pattern` and its `format`."""
        own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
        name = schema.get("format")
        return [*own, ENCLOSING[name]] if name in ENCLOSING and name in self.formats else own

    def _exclude(self, one: Schema, other: Schema) -> bool:
        shared = types_of(one) & types_of(other)
        if not shared:
            return True
        mine, theirs = literals_of(one), literals_of(other)
        for literals, patterns in ((mine, self.patterns(other)), (theirs, self.patterns(one))):
            if literals is not None and any(_none_matches(literals, pattern) for pattern in patterns):
                return True
        if mine is not None and theirs is not None:
            strings = all(isinstance(value, str) for value in [*mine, *theirs])
            return strings and not set(mine) & set(theirs)
        return shared == {"string"} and any(
            patterns_exclude(first, second)
            for first in self.patterns(one)
            for second in self.patterns(other)
            if first != second
        )


def types_of(schema: Schema) -> set[str]:
    """The types that `schema` allows, as it says by `type` or literals; `number` stands for `integer` too."""
    kinds = schema.get("type")
    named = {kinds} if isinstance(kinds, str) else set(kinds) if isinstance(kinds, list) else set(TYPES)
    named = {"number" if kind == "integer" else kind for kind in named}
    literals = literals_of(schema)
    return named if literals is None else named & {type_of(value) for value in literals}


def types_of_all(schemas: list[Schema]) -> set[str]:
    """The types that all of `schemas` allow."""
    kinds = set(TYPES)
    for schema in schemas:
        kinds &= types_of(schema)
    return kinds


def _only_type(schemas: list[Schema]) -> set[str]:
    kinds = types_of_all(schemas)
    return kinds if len(kinds) == 1 else set()


def type_of(value: object) -> str:
    """The JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def literals_of(schema: Schema) -> list[Any] | None:
    """The values that `enum` or `const` allow; None where it has neither."""
    if isinstance(schema.get("enum"), list):
        return list(schema["enum"])
    return [schema["const"]] if "const" in schema else None


def _none_matches(literals: list[Any], pattern: str) -> bool:
    try:
        return all(isinstance(value, str) and not found(pattern, value) for value in literals)
    except PatternTimeoutError:
        return False


def _required(schemas: list[Schema]) -> set[str]:
    lists = [schema["required"] for schema in schemas if isinstance(schema.get("required"), list)]
    return {name for names in lists for name in names if isinstance(name, str)}


def _forbids(schemas: list[Schema], name: str) -> bool:
    return any(forbids(schema, name) for schema in schemas)


def forbids(schema: Schema, name: str) -> bool:
    """Whether no object of `schema` has the property `name`."""
    declared = schema.get("properties") or {}
    if name in declared:
        return declared[name] is False
    if schema.get("additionalProperties") is not False:
        return False
    try:
        return not any(found(pattern, name) for pattern in schema.get("patternProperties") or ())
    except PatternTimeoutError:
        return False


def _properties(schemas: list[Schema], name: str) -> list[Any]:
    return [schema["properties"][name] for schema in schemas if name in (schema.get("properties") or ())]
