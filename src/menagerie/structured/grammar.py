"""JSON Schema to the strongest LLGuidance grammar that compiles, and which keywords it does not guarantee.

The schema is rewritten for the grammar, a step weaker each time until it compiles. What a step drops is only
verified afterwards. Steps: `strict`, `coerced` (unsupported keywords dropped, `oneOf` as `anyOf`), `lenient` (also
patterns and bounds that do not compile), `relaxed` (also what stands beside references), `shallow` (also what is deep
inside), `any`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from jsonschema.protocols import Validator
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper

from menagerie.structured.dialect import (
    LITERALS,
    OLD_DRAFTS,
    SCHEMA_MAPS,
    Schema,
    dialect_id,
    dialect_of,
    subschemas,
)
from menagerie.structured.formats import FORMATS

STEPS: Final = ("strict", "coerced", "lenient", "relaxed", "shallow", "any")
UNSUPPORTED: Final = frozenset(
    {
        "not", "if", "then", "else", "dependencies", "dependentRequired", "dependentSchemas", "uniqueItems",
        "contains", "minContains", "maxContains", "propertyNames", "unevaluatedItems", "unevaluatedProperties",
        "$dynamicRef", "$recursiveRef", "$vocabulary",
    }
)  # fmt: skip
"""Keywords that LLGuidance 1.9 does not implement."""
LIMITS: Final = LLParserLimits(
    initial_lexer_fuel=1_000_000,
    step_lexer_fuel=200_000,
    step_max_items=50_000,
    max_lexer_states=20_000,
    max_grammar_size=500_000,
    verbose_errors=False,
)
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_COUNTED: Final = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
MOST_COUNTED: Final = 1000
"""The greatest number that a grammar counts to. An engine's own LLGuidance may expand each step of it into memory:
an array of a thousand million items took one to 13 GB. Larger bounds are left to the verification."""
_SHALLOW: Final = 6
"""Schemas nested deeper than this are dropped in the step `shallow`."""


class Grammar(msgspec.Struct, frozen=True):
    """An LLGuidance grammar; `verified_only` are the keywords of the schema that it does not guarantee."""

    text: str
    step: str
    verified_only: tuple[str, ...]


class ByteVocabulary:
    """A vocabulary of the 256 bytes and an end: what `TokenizerWrapper` asks of a tokenizer."""

    eos_token_id: Final = 256
    bos_token_id: Final = None
    tokens: Final = [bytes([value]) for value in range(256)] + [b"<end>"]
    special_token_ids: Final = [256]

    def __call__(self, text: str | bytes) -> list[int]:
        return list(text if isinstance(text, bytes) else text.encode())


BYTES: Final = LLTokenizer(TokenizerWrapper(ByteVocabulary()), slices=[])


def strongest_grammar(schema: object, dialect: type[Validator]) -> Grammar:
    """The first step that compiles. `schema` is valid under `dialect`."""
    for step in STEPS:
        rewriting = _Rewriting(step, dialect)
        text = grammar_text(
            rewriting.rewrite(schema), coerce_one_of=step != "strict", lenient=step in STEPS[2:]
        )
        failed, _ = LLMatcher.validate_grammar_with_warnings(text, BYTES, limits=LIMITS)
        if not failed:
            return Grammar(text, step, tuple(sorted(rewriting.verified_only)))
    raise AssertionError("any JSON is a grammar")


def grammar_text(schema: Schema, *, coerce_one_of: bool, lenient: bool) -> str:
    """The grammar of `schema` as an engine takes it, without whitespace between the tokens of JSON."""
    options = {"whitespace_flexible": False, "coerce_one_of": coerce_one_of, "lenient": lenient}
    compact = json.dumps({"x-guidance": options, **schema}, ensure_ascii=False, separators=(",", ":"))
    return f"%llguidance {{}}\nstart: %json {compact}"


class _Rewriting:
    """One step: a copy of the schema for the grammar, and what that copy no longer says."""

    def __init__(self, step: str, dialect: type[Validator]) -> None:
        self.verified_only: set[str] = set()
        self._level = STEPS.index(step)
        self._dialect = dialect
        self._checked_formats = frozenset(getattr(dialect.FORMAT_CHECKER, "checkers", ()))
        self._old = any(name in dialect_id(dialect) for name in OLD_DRAFTS)

    def rewrite(self, schema: object) -> Schema:
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
            if _disjoint(result["oneOf"]):
                result["allOf"] = [*result.get("allOf", []), {"anyOf": result.pop("oneOf")}]
            elif self._level > 0:
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
        meaningless = self._old and "$ref" in schema
        alone = _with_references(schema) if self._level >= STEPS.index("relaxed") else None
        for keyword, value in schema.items():
            if keyword == "x-guidance" or (keyword == "$schema" and isinstance(value, str)):
                continue
            asserts = keyword in self._dialect.VALIDATORS
            if meaningless and asserts and keyword != "$ref":
                continue
            drop = keyword in _COUNTED and isinstance(value, int | float) and value > MOST_COUNTED
            if alone and asserts and keyword != alone:
                drop = True
            elif keyword in UNSUPPORTED:
                drop = self._level > 0
            elif self._level >= STEPS.index("lenient"):
                drop = drop or _uncompilable(keyword, value)
            if self._level >= STEPS.index("shallow") and depth >= _SHALLOW:
                drop = drop or keyword not in ("type", "enum", "const", "$defs", "definitions")
            if not drop:
                yield keyword, value
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
        for name in schema.get("patternProperties") or ():
            if _doubtful(name) or re.search(r"\\[dws]", name):
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
        elif name in self._checked_formats:
            self.verified_only.add("format")


_ESCAPES: Final = re.compile(r"\\(?![dwsnrtfv]|[^A-Za-z0-9])|\(\?(?!:)|\[\^[^\]]*\\[dws]")


def _doubtful(pattern: str) -> bool:
    """Whether `re` and the grammar may disagree on `pattern`, so that a text the grammar lets pass fails."""
    return _ESCAPES.search(pattern) is not None


def _uncompilable(keyword: str, value: Any) -> bool:
    """Whether a keyword does not even compile alone."""
    if keyword in ("minProperties", "maxProperties"):
        return True
    if keyword == "pattern" or keyword in _BOUNDS:
        kind = "string" if keyword == "pattern" else "number"
        return not _compiles({"type": kind, keyword: value})
    if keyword == "patternProperties" and isinstance(value, dict):
        return not _compiles({"type": "object", keyword: dict.fromkeys(value, True)})
    return False


def _compiles(schema: Schema) -> bool:
    text = grammar_text(schema, coerce_one_of=False, lenient=False)
    return not LLMatcher.validate_grammar_with_warnings(text, BYTES, limits=LIMITS)[0]


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


def _disjoint(branches: Any) -> bool:
    """Whether no value can meet two of `branches`, by their types or by a required property's literals."""
    if len(branches) > 32 or not all(
        isinstance(branch, dict) and "$ref" not in branch for branch in branches
    ):
        return False
    pairs = [(one, other) for at, one in enumerate(branches) for other in branches[at + 1 :]]
    return all(_apart(one, other) for one, other in pairs)


def _apart(one: Schema, other: Schema) -> bool:
    types = [_types(branch) for branch in (one, other)]
    if types[0] and types[1] and not types[0] & types[1]:
        return True
    literals = [_literals(branch) for branch in (one, other)]
    if literals[0] and literals[1]:
        return not literals[0] & literals[1]
    if types != [{"object"}, {"object"}]:
        return False
    shared = set(one.get("required") or ()) & set(other.get("required") or ())
    return any(
        _apart(one["properties"][name], other["properties"][name])
        for name in shared
        if all(isinstance(branch.get("properties", {}).get(name), dict) for branch in (one, other))
    )


def _types(schema: Schema) -> set[str]:
    kinds = schema.get("type", ())
    named = {kinds} if isinstance(kinds, str) else set(kinds)
    return named | {"number"} if "integer" in named else named


def _literals(schema: Schema) -> set[str]:
    values = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    return set(values) if all(isinstance(value, str) for value in values) else set()
