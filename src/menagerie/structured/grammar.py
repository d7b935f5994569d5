"""JSON Schema to the strongest LLGuidance grammar that compiles, and which keywords it does not guarantee.

The schema is rewritten for the grammar, a step weaker each time until it compiles. What a step drops is only
verified afterwards. Steps: `strict`, `coerced` (unsupported keywords dropped, `oneOf` as `anyOf`), `lenient` (also
patterns and bounds that do not compile), `relaxed` (also what stands beside references), `shallow` (also what is deep
inside), `any`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from jsonschema.protocols import Validator
from llguidance import LLMatcher

from menagerie.structured.compiler import compiles, grammar_text, matcher_of
from menagerie.structured.conjuncts import Document
from menagerie.structured.dialect import (
    LITERALS,
    SCHEMA_MAPS,
    Schema,
    dialect_id,
    dialect_of,
    subschemas,
)
from menagerie.structured.formats import FORMATS
from menagerie.structured.narrowing import closed
from menagerie.structured.patterns import in_ascii, without_looking
from menagerie.structured.rewriting import Rewriting, TooManyError

STEPS: Final = ("strict", "coerced", "lenient", "relaxed", "shallow", "any")
UNSUPPORTED: Final = frozenset(
    {
        "not", "if", "then", "else", "dependencies", "dependentRequired", "dependentSchemas", "uniqueItems",
        "contains", "minContains", "maxContains", "propertyNames", "unevaluatedItems", "unevaluatedProperties",
        "$dynamicRef", "$recursiveRef", "$vocabulary",
    }
)  # fmt: skip
"""Keywords that LLGuidance 1.9 does not implement."""
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_COUNTED: Final = {
    "minItems": 1_000, "maxItems": 1_000, "minLength": 1_000, "maxLength": 16_000, "minProperties": 1_000,
    "maxProperties": 1_000,
}  # fmt: skip
"""The greatest number that a grammar counts to. An engine's own LLGuidance may expand each step of it into memory:
an array of a thousand million items took one to 13 GB. What may be longer than that is not; what must be is left to
the verification."""
_SECONDS: Final = 0.4
"""Of processor time after which no rewritten schema is tried any more."""
_SHALLOW: Final = 6
"""Schemas nested deeper than this are dropped in the step `shallow`."""


class Grammar(msgspec.Struct, frozen=True):
    """An LLGuidance grammar; `verified_only` are the keywords of the schema that it does not guarantee."""

    text: str
    step: str
    verified_only: tuple[str, ...]
    matcher: LLMatcher
    """At the beginning of a text; to be copied."""


def strongest_grammar(schema: object, dialect: type[Validator]) -> Grammar:
    """The first step that compiles, of the rewritten schema if one does. `schema` is valid under `dialect`."""
    document, until = Document(schema, dialect), time.thread_time() + _SECONDS
    for version, steps in _versions(document):
        for step in steps:
            if version is not schema and time.thread_time() > until:
                break
            rendering = _Rendering(step, document, exact=version is schema)
            text = grammar_text(
                rendering.render(version), coerce_one_of=step != "strict", lenient=step in STEPS[2:]
            )
            if (matcher := matcher_of(text)) is not None:
                return Grammar(text, step, tuple(sorted(rendering.verified_only)), matcher)
    raise AssertionError("any JSON is a grammar")


def _versions(document: Document) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """The schema in keywords that grammars know, its objects closed, the same left open, and the schema as it is; each
    with the steps that are worth a try."""
    try:
        rewritten = Rewriting(document).rewrite(document.root)
    except TooManyError:
        rewritten = document.root
    narrow = closed(rewritten)
    if isinstance(narrow, dict) and narrow != rewritten:
        yield narrow, STEPS[:3]
    if isinstance(rewritten, dict) and rewritten != document.root:
        yield rewritten, STEPS[:3]
    yield document.root, STEPS


class _Rendering:
    """One step: a copy of the schema for the grammar, and what that copy no longer says. `exact`: the schema allows all
    that the document does, so that what excludes one another in it does so in the document too."""

    def __init__(self, step: str, document: Document, *, exact: bool) -> None:
        self.verified_only: set[str] = set()
        self._level = STEPS.index(step)
        self._document = document
        self._exact = exact
        self._dialect = document.dialect

    def render(self, schema: object) -> Schema:
        if not isinstance(schema, dict):
            return {}
        if self._level == STEPS.index("any"):
            self.verified_only |= self._dialect.VALIDATORS.keys() & schema.keys()
            return {"type": "object"} if _may_be_object(schema) else {}
        if any(dialect_of(here) is not self._dialect for _, here in subschemas(schema) if "$schema" in here):
            self.verified_only.add("$schema")
        return {**self._schema(schema, 0), "$schema": dialect_id(self._dialect)}

    def _schema(self, schema: Schema, depth: int) -> Schema:
        result: Schema = {}
        for keyword, value in self._kept(schema, depth):
            if keyword in LITERALS:
                result[keyword] = value
            elif keyword in SCHEMA_MAPS and isinstance(value, dict):
                result[keyword] = {name: self._inner(item, depth + 1) for name, item in value.items()}
            else:
                result[keyword] = self._inner(value, depth)
        self._note_doubts(result)
        self._apply_format(result)
        if "oneOf" in result:
            if self._document.disjoint(schema["oneOf"]):
                result["allOf"] = [*result.get("allOf", []), {"anyOf": result.pop("oneOf")}]
            else:
                self.verified_only.add("oneOf")
        return result

    def _inner(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return self._schema(value, depth + 1)
        if isinstance(value, list):
            return [self._inner(item, depth + 1) if isinstance(item, dict) else item for item in value]
        return value

    def _kept(self, schema: Schema, depth: int) -> Iterator[tuple[str, Any]]:
        """The keywords of `schema` that this step keeps; the others are noted."""
        meaningless = self._document.old and "$ref" in schema
        alone = _with_references(schema) if self._level >= STEPS.index("relaxed") else None
        for keyword, value in schema.items():
            if keyword == "x-guidance" or (keyword == "$schema" and isinstance(value, str)):
                continue
            asserts = keyword in self._dialect.VALIDATORS
            if meaningless and asserts and keyword != "$ref":
                continue
            too_many = keyword in _COUNTED and isinstance(value, int | float) and value > _COUNTED[keyword]
            drop = too_many and keyword.startswith("min")
            if alone and asserts and keyword != alone:
                drop = True
            elif keyword in UNSUPPORTED:
                drop = self._level > 0
            elif self._level >= STEPS.index("lenient"):
                drop = drop or _uncompilable(keyword, value)
            if self._level >= STEPS.index("shallow") and depth >= _SHALLOW:
                drop = drop or keyword not in ("type", "enum", "const", "$defs", "definitions")
            if not drop:
                yield keyword, _COUNTED[keyword] if too_many else value
            elif asserts:
                self.verified_only.add(keyword)

    def _note_doubts(self, schema: Schema) -> None:
        """Keywords that the grammar and the validator understand a little differently."""
        whole = schema.get("type") == "integer"
        for keyword in ("exclusiveMinimum", "exclusiveMaximum", "multipleOf"):
            value = schema.get(keyword)
            if value is not None and value is not False and not (whole and isinstance(value, int)):
                self.verified_only.add(keyword)
        if isinstance(pattern := schema.get("pattern"), str) and _doubtful(pattern):
            self.verified_only.add("pattern")
            schema["pattern"] = without_looking(pattern)
        names = schema.get("patternProperties") or {}
        if schema.get("additionalProperties") is False:
            names = {in_ascii(name): inner for name, inner in names.items()}
            schema |= {"patternProperties": names} if names else {}
        if any(_doubtful(name) or re.search(r"\\[dws]", name) for name in names):
            self.verified_only.add("patternProperties")

    def _apply_format(self, schema: Schema) -> None:
        """Say a format as the pattern that the format's checker accepts; LLGuidance's own accept a little more."""
        name = schema.get("format")
        if name is None or isinstance(name, dict):
            return
        del schema["format"]
        if pattern := FORMATS.get(str(name)):
            if "pattern" in schema:
                schema["allOf"] = [*schema.get("allOf", []), {"pattern": pattern}]
            else:
                schema["pattern"] = pattern
        elif name in self._document.formats:
            self.verified_only.add("format")


_ESCAPES: Final = re.compile(r"""\\(?![dwsnrtfv]|[^A-Za-z0-9])|\(\?(?!:)|\[\^[^\]]*(?:\\[dws\\]|")""")


def _doubtful(pattern: str) -> bool:
    """Whether `re` and the grammar may disagree on `pattern`, so that a text the grammar lets pass fails."""
    return _ESCAPES.search(pattern) is not None


def _uncompilable(keyword: str, value: Any) -> bool:
    """Whether a keyword does not even compile alone."""
    if keyword in ("minProperties", "maxProperties"):
        return True
    if keyword == "pattern" or keyword in _BOUNDS:
        kind = "string" if keyword == "pattern" else "number"
        value = without_looking(value) if isinstance(value, str) else value
        return not compiles({"type": kind, keyword: value})
    if keyword == "patternProperties" and isinstance(value, dict):
        return not compiles({"type": "object", keyword: dict.fromkeys(value, True)})
    return False


def _with_references(schema: Schema) -> str | None:
    """The keyword by which `schema` refers elsewhere, for a grammar that says only this of it."""
    if "$ref" in schema:
        return "$ref"
    for keyword in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(keyword)
        if isinstance(branches, list) and any(isinstance(one, dict) and "$ref" in one for one in branches):
            return keyword
    return None


def _may_be_object(schema: Schema) -> bool:
    kinds = schema.get("type", "object")
    literals = schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else [{}]
    return ("object" in kinds) and any(isinstance(item, dict) for item in literals)
