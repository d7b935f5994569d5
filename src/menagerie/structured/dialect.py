"""What may hold a schema inside a schema, in all drafts from 4 to 2020-12, and where its references lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from jsonschema_specifications import REGISTRY as SPECIFICATIONS
from referencing import Registry, Resource, Specification
from referencing.exceptions import NoSuchResource, Unresolvable
from referencing.jsonschema import specification_with

from menagerie.core.errors import ErrorCode, MenagerieError

Path = tuple[str | int, ...]
Schema = dict[str, Any]

SCHEMA_MAPS: Final = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}
)
"""Keywords whose value maps names to schemas."""
LITERALS: Final = frozenset({"enum", "const", "default", "examples", "example"})
"""Keywords whose value is data, never a schema."""
REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
MAX_NAMED_REFERENCES: Final = 200
"""References by `$anchor` or `$id`: each is looked for in the whole document."""
OLD_DRAFTS: Final = ("draft-04", "draft-06", "draft-07")
"""Drafts in which the siblings of `$ref` mean nothing."""


def dialect_of(schema: object) -> type[Validator]:
    """The validator class of the draft that `$schema` names; 2020-12 where it names none that is known."""
    name = schema.get("$schema") if isinstance(schema, dict) else None
    if not isinstance(name, str):
        return Draft202012Validator
    dialect: type[Validator] = validator_for({"$schema": name}, default=Draft202012Validator)
    if "draft-03" in str(dialect.META_SCHEMA.get("$schema")):
        raise MenagerieError(ErrorCode.SCHEMA_INVALID, reason=f"$schema: {name[:80]}", path="$schema")
    return dialect


def dialect_id(dialect: type[Validator]) -> str:
    """The address of the dialect's meta-schema."""
    return str(dialect.META_SCHEMA.get("$schema"))


def pointer(path: Path) -> str:
    """A path in words a person can follow: `properties/age/minimum`; `/` for the whole."""
    return "/".join(str(part) for part in path)[:200] or "/"


def children(schema: Schema) -> Iterator[tuple[Path, Schema]]:
    """The schemas directly inside `schema`, each with its path from there. Unknown keywords are taken to hold
    schemas, since a `$ref` may lead there."""
    for keyword, value in schema.items():
        if keyword in LITERALS:
            continue
        if isinstance(value, dict):
            if keyword in SCHEMA_MAPS:
                yield from (((keyword, name), item) for name, item in value.items() if isinstance(item, dict))
            else:
                yield (keyword,), value
        elif isinstance(value, list):
            yield from (((keyword, at), item) for at, item in enumerate(value) if isinstance(item, dict))


def subschemas(schema: object) -> Iterator[tuple[Path, Schema]]:
    """`schema` and every schema inside it, with its path."""
    pending: list[tuple[Path, Schema]] = [((), schema)] if isinstance(schema, dict) else []
    while pending:
        path, here = pending.pop()
        yield path, here
        pending.extend(((*path, *more), child) for more, child in children(here))


def check_references(schema: object, dialect: type[Validator]) -> None:
    """Raise SCHEMA_INVALID where a reference leads out of the document, or nowhere, and SCHEMA_TOO_COMPLEX where some
    lead in a circle without going into the value: nobody could ever tell whether it meets the schema. Nothing is
    fetched; the published meta-schemas are known without."""
    references = [here.get(name) for _, here in subschemas(schema) for name in REFERENCES]
    named = [one for one in references if isinstance(one, str) and one != "#" and not one.startswith("#/")]
    if not any(references):
        return
    if len(named) > MAX_NAMED_REFERENCES:
        raise MenagerieError(
            ErrorCode.SCHEMA_TOO_COMPLEX, reason=f"$anchor, $id: {len(named)} > {MAX_NAMED_REFERENCES}"
        )
    specification: Specification[Any] = specification_with(dialect_id(dialect))
    resource: Resource[Any] = specification.create_resource(schema)
    base = resource.id() or ""
    registry: Registry[Any] = SPECIFICATIONS.with_resource(base, resource)
    try:
        registry = registry.crawl()
    except (AttributeError, TypeError, ValueError):
        raise MenagerieError(ErrorCode.SCHEMA_INVALID, reason="$ref", path="/") from None
    pending: list[tuple[Path, Any, Any]] = [((), schema, registry.resolver(base_uri=base))]
    seen: set[int] = set()
    same: dict[int, list[int]] = {}
    """To the schemas that are held against the same value."""
    old = any(name in dialect_id(dialect) for name in OLD_DRAFTS)
    while pending:
        path, here, resolver = pending.pop()
        if not isinstance(here, dict) or id(here) in seen:
            continue
        seen.add(id(here))
        led = same[id(here)] = []
        for name in REFERENCES:
            reference = here.get(name)
            if not isinstance(reference, str):
                continue
            try:
                target = resolver.lookup(reference)
            except (Unresolvable, NoSuchResource, ValueError, TypeError, LookupError, AttributeError):
                raise MenagerieError(
                    ErrorCode.SCHEMA_INVALID, reason=f"{name}: {reference[:120]}", path=pointer(path)
                ) from None
            pending.append(((*path, name), target.contents, target.resolver))
            led.append(id(target.contents))
        alone = old and bool(led)
        for more, child in children(here):
            inner = resolver.in_subresource(specification.create_resource(child))
            pending.append(((*path, *more), child, inner))
            if more[0] in _ON_THE_SAME_VALUE and not alone:
                led.append(id(child))
    if _has_circle(same):
        raise MenagerieError(ErrorCode.SCHEMA_TOO_COMPLEX, reason="$ref: ∞")


_ON_THE_SAME_VALUE: Final = frozenset(
    {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"}
)


def _has_circle(edges: Mapping[int, Sequence[int]]) -> bool:
    """Whether some path along `edges` comes back to where it was: those that lead nowhere further are taken away,
    until none is left."""
    waiting = {node: len(targets) for node, targets in edges.items()}
    sources: dict[int, list[int]] = {}
    for node, targets in edges.items():
        for target in targets:
            sources.setdefault(target, []).append(node)
    leaves = [node for node in {*waiting, *sources} if not waiting.get(node)]
    while leaves:
        for source in sources.pop(leaves.pop(), ()):
            waiting[source] -= 1
            if not waiting[source]:
                leaves.append(source)
    return any(waiting.values())
