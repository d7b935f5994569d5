"""The nearest valid value to one that breaks its schema: by leaving out and by trimming, never by making up."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, cast

from jsonschema.exceptions import ValidationError

from menagerie.structured.patterns import PatternTimeoutError
from menagerie.structured.verification import EndlessError, Verifier, identity

MAX_EDITS: Final = 60
"""Edits of one answer."""
SECONDS: Final = 1.5
"""Of processor time for one repair."""
_MOST_ERRORS: Final = 40
_MOST_KEYS: Final = 40

Path = tuple[str | int, ...]


def repaired(value: Any, verifier: Verifier) -> Any | None:
    """A copy of `value` that meets the schema: without what it must not have, with numbers and texts brought within
    their bounds. None where none was found quickly; what is missing is not invented."""
    until = time.thread_time() + SECONDS
    try:
        return _search(value, verifier, until)
    except (EndlessError, PatternTimeoutError, RecursionError):
        return None


def _search(value: Any, verifier: Verifier, until: float) -> Any | None:
    errors = _errors(value, verifier)
    for _ in range(MAX_EDITS):
        if not errors:
            return value
        better = None
        for candidate in _edits(value, errors):
            if time.thread_time() > until:
                return None
            left = _errors(candidate, verifier)
            if len(left) < len(errors) or (better is None and _nearer(left, errors)):
                better = candidate, left
            if len(left) < len(errors):
                break
        if better is None:
            return None
        value, errors = better
    return None


def _errors(value: Any, verifier: Verifier) -> list[ValidationError]:
    return list(islice(verifier.errors(value), _MOST_ERRORS))


def _nearer(left: list[ValidationError], errors: list[ValidationError]) -> bool:
    """Whether the errors moved towards the root, where leaving out goes on."""
    return len(left) == len(errors) and _depth(left) < _depth(errors)


def _depth(errors: list[ValidationError]) -> int:
    return sum(len(error.absolute_path) for error in errors)


def _edits(value: Any, errors: list[ValidationError]) -> Iterator[Any]:
    """Copies of `value` with one thing changed, the gentlest first."""
    leaves = [leaf for error in errors for leaf in _leaves(error)]
    for leaf in leaves:
        path = tuple(leaf.absolute_path)
        for replacement in _trimmed(leaf):
            yield _replaced(value, path, replacement)
    for leaf in leaves:
        path = tuple(leaf.absolute_path)
        for end in range(len(path), 0, -1):
            yield _without(value, path[:end])


def _leaves(error: ValidationError) -> list[ValidationError]:
    """The error, and those of the branch that the value came closest to."""
    if not error.context:
        return [error]
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0] if inner.schema_path else 0, []).append(inner)
    nearest = min(branches.values(), key=len)
    return [*(leaf for inner in nearest for leaf in _leaves(inner)), error]


def _trimmed(error: ValidationError) -> Iterator[Any]:
    """Values for the place of `error` that may be free of it."""
    here, wanted = cast("Any", error.instance), cast("Any", error.validator_value)
    match error.validator:
        case "uniqueItems":
            first: dict[object, Any] = {}
            for item in here:
                first.setdefault(identity(item), item)
            yield list(first.values())
        case "maxItems" | "maxLength":
            yield here[:wanted]
        case "minimum" | "maximum":
            yield wanted
        case "multipleOf":
            yield here // wanted * wanted
        case "exclusiveMinimum" if not isinstance(wanted, bool):
            yield int(wanted // 1) + 1
        case "exclusiveMaximum" if not isinstance(wanted, bool):
            yield -int(-wanted // 1) - 1
        case "const":
            yield wanted
        case "type" if isinstance(here, float) and here.is_integer():
            yield int(here)
        case "contains" | "minContains" | "minItems" | "minLength" | "minProperties" | "required":
            return
        case _ if isinstance(here, list):
            yield from (here[:at] + here[at + 1 :] for at in range(min(len(here), _MOST_KEYS)))
        case _ if isinstance(here, dict):
            yield from _smaller(error)


def _smaller(error: ValidationError) -> Iterator[dict[str, Any]]:
    here, wanted = cast("Any", error.instance), cast("Any", error.validator_value)
    schema = error.schema if isinstance(error.schema, dict) else {}
    required = schema.get("required")
    needed = set(required) if isinstance(required, list) else set()
    optional = [name for name in here if name not in needed]
    if error.validator == "maxProperties":
        kept = set(list(needed & here.keys()) + optional[: max(0, wanted - len(needed))])
        yield {name: item for name, item in here.items() if name in kept}
    for name in optional[-_MOST_KEYS:][::-1]:
        yield {other: item for other, item in here.items() if other != name}


def _replaced(value: Any, path: Path, replacement: Any) -> Any:
    if not path:
        return replacement
    changed = copy.deepcopy(value)
    holder = _at(changed, path[:-1])
    holder[path[-1]] = replacement
    return changed


def _without(value: Any, path: Path) -> Any:
    changed = copy.deepcopy(value)
    del _at(changed, path[:-1])[path[-1]]
    return changed


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def written(value: Any) -> str:
    """`value` as JSON without blanks between its tokens."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
