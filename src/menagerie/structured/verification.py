"""Whether a text is JSON that meets a schema: strict about JSON, exact about the schema, bounded in time."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final, NoReturn, cast
from urllib.parse import quote

from jsonschema import validators
from jsonschema.exceptions import FormatError, ValidationError, best_match
from jsonschema.protocols import Validator
from jsonschema_specifications import REGISTRY as SPECIFICATIONS

from menagerie.structured.dialect import REFERENCES, dialect_of, pointer
from menagerie.structured.patterns import PatternTimeoutError, found

SECONDS: Final = 2.0
"""Of processor time for one verification."""
_ASCII: Final = "".join(chr(code) for code in range(0x21, 0x7F))
MAX_FORMATTED: Final = 4_096
"""Characters of a string whose format is checked; a longer one fails."""

_UNPROBED: Final = 10
_STACK: Final = 250
"""Calls that have to fit on the stack before one more reference is followed."""

Check = Callable[..., Any]


class SchemaViolation(Exception):  # noqa: N818  (it is a verdict that is caught, the name that the interface has)
    """What is wrong with an answer: the keyword it breaks (`json` where it is no JSON), where, and a sentence."""

    def __init__(self, keyword: str, path: str, message: str) -> None:
        super().__init__(message)
        self.keyword = keyword
        self.path = path
        self.message = message


class EndlessError(Exception):
    """Following the schema took more than `SECONDS`, or went deeper than the stack."""


class _Deadline(threading.local):
    at = 0.0
    references = 0
    """How many are being followed, one inside the other."""

    def start(self, seconds: float) -> None:
        self.at = time.thread_time() + seconds
        self.references = 0

    def check(self) -> None:
        if time.thread_time() > self.at:
            raise EndlessError


_DEADLINE: Final = _Deadline()


def parse(text: str) -> object:
    """The value of a JSON text (RFC 8259). Refuses what many parsers let pass: NaN, Infinity, numbers that
    overflow, duplicate keys, unpaired surrogates. Raises `SchemaViolation`."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        text.encode()
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise SchemaViolation("json", "/", "nested too deeply") from None
    except ValueError as error:
        raise SchemaViolation("json", "/", str(error)[:200]) from None
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"duplicate key {twice[:80]!r}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(literal: str) -> float:
    if not math.isfinite(value := float(literal)):
        raise ValueError(f"{literal[:40]} is too large")
    return value


class Verifier:
    """Holds values to a schema of one dialect."""

    def __init__(self, schema: Any, dialect: type[Validator]) -> None:
        self._validator: Validator = _bounded(dialect)(
            schema, registry=SPECIFICATIONS, format_checker=dialect.FORMAT_CHECKER
        )

    def verify(self, value: Any, seconds: float = SECONDS) -> None:
        """Raise `SchemaViolation` with the most telling of what `value` breaks."""
        try:
            error = best_match(self.errors(value, seconds))
        except EndlessError:
            raise SchemaViolation("$ref", "/", "the schema takes too long to follow") from None
        except PatternTimeoutError:
            raise SchemaViolation("pattern", "/", "the pattern takes too long") from None
        if error is not None:
            keyword = error.validator if isinstance(error.validator, str) else "false"
            raise SchemaViolation(keyword, pointer(tuple(error.absolute_path)), error.message[:300])

    def errors(self, value: Any, seconds: float = SECONDS) -> Iterator[ValidationError]:
        """All that `value` breaks. Raises `EndlessError`, `PatternTimeoutError`."""
        _DEADLINE.start(seconds)
        try:
            yield from self._validator.iter_errors(value)
        except RecursionError:
            raise EndlessError from None


@cache
def _bounded(dialect: type[Validator]) -> type[Validator]:
    """`dialect` with a look at the clock before every keyword, and bounded regular expressions."""
    ours: dict[str, Check] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "format": _format,
    }
    theirs = cast("Mapping[str, Check]", dialect.VALIDATORS)
    checks = {name: _timed(ours.get(name, check)) for name, check in theirs.items()}
    checks |= {name: _followed(checks[name]) for name in REFERENCES if name in checks}
    bounded: Any = cast("Any", validators).extend(dialect, checks)
    bounded.evolve = _evolve
    return cast("type[Validator]", bounded)


def _evolve(self: Any, **changes: Any) -> Any:
    """Step into a subschema, and stay within the bounds where it names a draft of its own."""
    schema = changes.get("schema")
    inner = isinstance(schema, dict) and isinstance(schema.get("$schema"), str)
    dialect = _bounded(dialect_of(schema)) if inner else type(self)
    kept = {"schema": self.schema, "format_checker": self.format_checker, "registry": self._registry}
    return dialect(**{**kept, "_resolver": self._resolver, **changes})


def _timed(check: Check) -> Check:
    def timed(validator: Validator, value: Any, instance: Any, schema: Mapping[str, Any]) -> Any:
        _DEADLINE.check()
        return check(validator, value, instance, schema)

    return timed


def _followed(check: Check) -> Check:
    """`check`, which follows a reference, as long as the stack is deep enough. Where it ends inside of a library that
    is not written in Python, there is no `RecursionError` but a panic, which passes every `except Exception`."""

    def followed(validator: Validator, value: Any, instance: Any, schema: Mapping[str, Any]) -> Any:
        _DEADLINE.references += 1
        try:
            if _DEADLINE.references > _UNPROBED:
                _probe(_STACK)
            yield from check(validator, value, instance, schema) or ()
        finally:
            _DEADLINE.references -= 1

    return followed


def _probe(frames: int) -> None:
    if frames:
        _probe(frames - 1)


def _pattern(validator: Validator, pattern: str, instance: Any, _schema: object) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not found(pattern, instance):
        yield ValidationError(f"{instance[:100]!r} does not match {pattern[:100]!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: object
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, schema in patterns.items():
        for name, value in instance.items():
            if found(pattern, name):
                yield from validator.descend(value, schema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, additional: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    declared, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in instance.items():
        if name in declared or any(found(pattern, name) for pattern in patterns):
            continue
        if additional is False:
            yield ValidationError(f"property {name[:80]!r} is not allowed")
        else:
            yield from validator.descend(value, additional, path=name)


def _unique_items(
    validator: Validator, wanted: bool, instance: Any, _schema: object
) -> Iterator[ValidationError]:
    if wanted and validator.is_type(instance, "array"):
        seen: set[object] = set()
        for item in instance:
            key = identity(item)
            if key in seen:
                yield ValidationError(f"{json.dumps(item)[:100]} occurs more than once")
                return
            seen.add(key)


def identity(value: Any) -> object:
    """A key of a value. Equal for two values that JSON Schema calls equal: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, dict):
        return ("object", frozenset((name, identity(item)) for name, item in value.items()))
    if isinstance(value, list):
        return ("array", tuple(identity(item) for item in value))
    return ("boolean", value) if isinstance(value, bool) else value


def _format(validator: Any, name: Any, instance: Any, _schema: object) -> Iterator[ValidationError]:
    checker = validator.format_checker
    if not isinstance(instance, str) or not isinstance(name, str):
        return
    if name in ("iri", "iri-reference") and name not in checker.checkers:
        # RFC 3987, section 3.1: an IRI is a URI once what is not ASCII is percent-encoded.
        name, instance = name.replace("iri", "uri"), quote(instance, safe=_ASCII)
    if name not in checker.checkers:
        return
    if len(instance) > MAX_FORMATTED:
        yield ValidationError(f"a {name} of {len(instance)} characters is too long")
        return
    try:
        checker.check(instance, name)
    except FormatError as error:
        yield ValidationError(str(error))
