"""A JSON Schema, checked, compiled to the strongest grammar it has, and kept for verification."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, Final, cast

import msgspec
from jsonschema.protocols import Validator

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.structured.dialect import (
    LITERALS,
    Schema,
    check_references,
    dialect_id,
    dialect_of,
    pointer,
    subschemas,
)
from menagerie.structured.grammar import Grammar, strongest_grammar
from menagerie.structured.guard import Guard
from menagerie.structured.patterns import compiled_pattern, may_backtrack
from menagerie.structured.recent import Recent
from menagerie.structured.repair import repaired, written
from menagerie.structured.verification import SECONDS, EndlessError, SchemaViolation, Verifier, parse
from menagerie.structured.wellformed import surely_valid

MAX_BYTES: Final = 262_144
MAX_DEPTH: Final = 100
"""Containers inside one another, in the document of the schema."""
MAX_NODES: Final = 20_000
MAX_PATTERNS: Final = 500
MOST_REMEMBERED: Final = 1_048_576
"""Bytes of schemas that are kept compiled, which takes up to some 200 times as much memory."""
LARGE: Final = 16_384
"""Bytes of a schema from which on it is compiled one at a time."""
_SMALL: Final = ThreadPoolExecutor(2, "schemas")
_LARGE: Final = ThreadPoolExecutor(1, "large-schemas")
_KINDS: Final[dict[type, str]] = {list: "array", str: "string"}
_HARMLESS: Final = frozenset({"uniqueItems", "minItems"})
"""Breaches of the meta-schemas that change nothing: a value twice in an `enum`, an empty `required`."""


class CompiledSchema:
    """What an answer is held to. `grammar` is for the engine; `schema` is the original, for engines that take no
    grammar, and for verification."""

    def __init__(self, schema: object, dialect: type[Validator], grammar: Grammar) -> None:
        self.schema = schema
        self.grammar = grammar.text
        self.step = grammar.step
        self.unguaranteed = grammar.verified_only
        self.enforced = tuple(sorted(_asserting(schema, dialect) - set(grammar.verified_only)))
        """Keywords that the grammar holds the answer to everywhere."""
        self._verifier = Verifier(schema, dialect)
        self._matcher = grammar.matcher
        self._patterns = tuple(
            {pattern: None for _, here in subschemas(schema) for pattern in _patterns(here)}
        )
        self._lock = Lock()

    @property
    def guaranteed(self) -> bool:
        """Whether every text that the grammar lets pass meets the schema."""
        return not self.unguaranteed

    def verify(self, text: str, seconds: float = SECONDS) -> object:
        """The value of `text`. Raises `SchemaViolation` where it is no JSON, breaks the schema, or takes more than
        `seconds` of processor time to verify."""
        value = parse(text)
        self._verifier.verify(value, seconds)
        return value

    def repaired(self, text: str) -> str | None:
        """A valid answer near to `text`, which breaks the schema; None where there is none, or `text` is no JSON.
        May take some seconds."""
        try:
            value = repaired(parse(text), self._verifier)
        except SchemaViolation:
            return None
        return None if value is None else written(value)

    def guard(self) -> Guard:
        """A fresh watch over one answer."""
        with self._lock:
            return Guard(self._matcher.deep_copy(), self._patterns)


def compile_schema(schema: object | None) -> CompiledSchema:
    """Compile a JSON Schema of Draft 4 to 2020-12; None: any JSON object. Results are cached.

    Takes milliseconds for ordinary schemas and is bounded for hostile ones, but may take some hundreds: from a
    coroutine, `await compile_soon(schema)`. Raises SCHEMA_INVALID (`reason`, `path`) and SCHEMA_TOO_COMPLEX
    (`reason`).
    """
    return compiled_of(_encoded({"type": "object"} if schema is None else schema))


async def compile_soon(schema: object | None) -> CompiledSchema:
    """`compile_schema` without holding up the event loop, or, where it takes long, anybody with a small schema."""
    loop = asyncio.get_running_loop()
    encoded = await loop.run_in_executor(_SMALL, _encoded, {"type": "object"} if schema is None else schema)
    return await loop.run_in_executor(_LARGE if len(encoded) > LARGE else _SMALL, compiled_of, encoded)


def _compile(encoded: bytes) -> CompiledSchema:
    schema = msgspec.json.decode(encoded)
    dialect = dialect_of(schema)
    _check_sizes(schema)
    _check_meta(schema, dialect)
    check_references(schema, dialect)
    compiled = CompiledSchema(schema, dialect, strongest_grammar(schema, dialect))
    _check_ends(compiled)
    return compiled


compiled_of: Final = Recent(_compile, most=256, most_bytes=MOST_REMEMBERED)
"""The schema that some bytes are as JSON, compiled; remembered."""


def _encoded(schema: object) -> bytes:
    if not isinstance(schema, dict | bool) or schema is False:
        kind = "false" if schema is False else _KINDS.get(type(schema), "number")
        raise MenagerieError(ErrorCode.SCHEMA_INVALID, reason=f"type: {kind}", path="/")
    _check_depth(schema)
    try:
        encoded = msgspec.json.encode(schema)
    except (TypeError, ValueError, OverflowError) as error:
        raise MenagerieError(ErrorCode.SCHEMA_INVALID, reason=str(error)[:120], path="/") from None
    if len(encoded) > MAX_BYTES:
        raise _too_complex("bytes", len(encoded), MAX_BYTES)
    return encoded


def _check_depth(schema: object) -> None:
    layer, depth, nodes = [schema], 0, 0
    while layer:
        depth, nodes = depth + 1, nodes + len(layer)
        if depth > MAX_DEPTH:
            raise _too_complex("depth", depth, MAX_DEPTH)
        if nodes > MAX_NODES:
            raise _too_complex("nodes", nodes, MAX_NODES)
        layer = [
            child
            for item in layer
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]


def _check_sizes(schema: object) -> None:
    """Refuse what would take long to check."""
    seen: set[str] = set()
    for path, here in subschemas(schema):
        if isinstance(kinds := here.get("type"), list) and len(kinds) > 16:
            raise MenagerieError(
                ErrorCode.SCHEMA_INVALID, reason=f"type: {len(kinds)} > 16", path=pointer(path)
            )
        patterns = _patterns(here)
        if "unevaluatedProperties" in here and any(map(may_backtrack, here.get("patternProperties") or ())):
            raise MenagerieError(
                ErrorCode.SCHEMA_TOO_COMPLEX, reason="patternProperties, unevaluatedProperties"
            )
        seen.update(patterns)
        if len(seen) > MAX_PATTERNS:
            raise _too_complex("pattern", len(seen), MAX_PATTERNS)
    for pattern in seen:
        compiled_pattern(pattern)


def _asserting(schema: object, dialect: type[Validator]) -> set[str]:
    known = cast("Mapping[str, object]", dialect.VALIDATORS)
    return {keyword for _, here in subschemas(schema) for keyword in here if keyword in known}


def _patterns(schema: Schema) -> list[str]:
    names = schema.get("patternProperties")
    own = [schema.get("pattern"), *(names if isinstance(names, dict) else ())]
    return [pattern for pattern in own if isinstance(pattern, str)]


def _check_meta(schema: object, dialect: type[Validator]) -> None:
    if surely_valid(schema, booleans="draft-04" not in dialect_id(dialect)):
        return
    try:
        for error in Verifier(dialect.META_SCHEMA, dialect).errors(_outline(schema)):
            if error.validator not in _HARMLESS and error.validator_value != "regex":
                keyword = str(error.absolute_path[-1]) if error.absolute_path else str(error.validator)
                value = msgspec.json.encode(error.instance)[:80].decode(errors="replace")
                where = pointer(tuple(error.absolute_path))
                raise MenagerieError(ErrorCode.SCHEMA_INVALID, reason=f"{keyword}: {value}", path=where)
    except EndlessError:
        raise _too_complex("seconds", SECONDS, SECONDS) from None


def _check_ends(compiled: CompiledSchema) -> None:
    """Refuse references that lead in a circle without going into the answer, or that multiply."""
    for probe in ("{}", "[]", '""', "0"):
        try:
            compiled.verify(probe, seconds=0.5)
        except SchemaViolation as violation:
            if violation.keyword == "$ref":
                raise MenagerieError(ErrorCode.SCHEMA_TOO_COMPLEX, reason="$ref: ∞") from None


def _outline(schema: Any, keyword: str = "") -> Any:
    """The schema with a sample of each long list of literals: the meta-schemas would compare each with each."""
    if isinstance(schema, dict):
        return {name: _outline(value, name) for name, value in schema.items()}
    if not isinstance(schema, list):
        return schema
    if len(schema) > 64 and (keyword in LITERALS or not any(isinstance(item, dict) for item in schema)):
        strings = [item for item in schema if isinstance(item, str)]
        others = [item for item in schema if not isinstance(item, str)]
        return strings[:32] + others[:32]
    return [_outline(item) for item in schema]


def _too_complex(what: str, amount: float, limit: float) -> MenagerieError:
    return MenagerieError(ErrorCode.SCHEMA_TOO_COMPLEX, reason=f"{what}: {amount} > {limit}")
