"""The events as types of TypeScript, made from those of Python: `python -m menagerie.core.typescript` writes them.

A struct becomes an interface. A field that is left out where it has its default is optional; a union of structs is
discriminated by their tag.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from typing import Any, Final, get_args

import msgspec
from msgspec import inspect

from menagerie.core.events import AnyEvent, Pong

_WIDTH: Final = 100
_SIMPLE: Final[dict[type[inspect.Type], str]] = {
    inspect.StrType: "string",
    inspect.IntType: "number",
    inspect.FloatType: "number",
    inspect.BoolType: "boolean",
    inspect.NoneType: "null",
    inspect.AnyType: "unknown",
}


def typescript() -> str:
    """A module with an interface for each event and all that events hold; `AnyEvent`, what a turn is made of; and
    `Frame`, what a socket sends."""
    events = (*get_args(AnyEvent), Pong)
    parts = ["/** Made by `python -m menagerie.core.typescript`; do not edit. */"]
    parts += [_interface(one) for one in _structs(events)]
    parts.append(_union("AnyEvent", [one.__name__ for one in get_args(AnyEvent)]))
    numbered = "/** `n` counts the events of a turn that can be resumed, from 1. */\n"
    parts.append(f"{numbered}export type Frame = (AnyEvent & {{ readonly n?: number }}) | Pong;")
    return "\n\n".join(parts) + "\n"


def interfaces(*structs: type[msgspec.Struct]) -> str:
    """The interfaces of these structs and of all that they hold, those that are held first."""
    return "\n\n".join(_interface(one) for one in _structs(structs)) + "\n"


def _structs(roots: tuple[type[msgspec.Struct], ...]) -> list[inspect.StructType]:
    found: dict[type, inspect.StructType] = {}

    def visit(kind: inspect.Type) -> None:
        if isinstance(kind, inspect.StructType):
            if kind.cls not in found:
                for one in kind.fields:
                    visit(one.type)
                found[kind.cls] = kind
            return
        for inner in _inside(kind):
            visit(inner)

    for root in inspect.multi_type_info(roots):
        visit(root)
    return list(found.values())


def _inside(kind: inspect.Type) -> Iterator[inspect.Type]:
    match kind:
        case inspect.UnionType(types=types):
            yield from types
        case inspect.TupleType(item_types=types):
            yield from types
        case inspect.CollectionType(item_type=item):
            yield item
        case inspect.DictType(value_type=value):
            yield value


def _interface(struct: inspect.StructType) -> str:
    lines = [*_comment(struct.cls), f"export interface {struct.cls.__name__} {{"]
    if struct.tag_field:
        lines.append(f"  readonly {struct.tag_field}: {json.dumps(struct.tag)};")
    omits = struct.cls.__struct_config__.omit_defaults
    lines += [f"  readonly {_field(one, omits=omits)};" for one in struct.fields]
    return "\n".join([*lines, "}"])


def _field(field: inspect.Field, *, omits: bool) -> str:
    """`name: type`. Where None is the default and left out, null never comes."""
    optional = omits and not field.required
    kind = field.type
    if optional and field.default is None and isinstance(kind, inspect.UnionType):
        kept = tuple(one for one in kind.types if not isinstance(one, inspect.NoneType))
        return f"{field.encode_name}?: {' | '.join(map(_type, kept))}"
    return f"{field.encode_name}{'?' if optional else ''}: {_type(kind)}"


def _type(kind: inspect.Type) -> str:
    match kind:
        case inspect.StructType(cls=cls):
            return cls.__name__
        case inspect.LiteralType(values=values):
            return " | ".join(json.dumps(one) for one in values)
        case inspect.UnionType(types=types):
            return " | ".join(map(_type, types))
        case inspect.TupleType() | inspect.CollectionType() | inspect.DictType():
            return _collection(kind)
        case _:
            return _SIMPLE[type(kind)]


def _collection(kind: inspect.TupleType | inspect.CollectionType | inspect.DictType) -> str:
    match kind:
        case inspect.TupleType(item_types=types):
            return f"readonly [{', '.join(map(_type, types))}]"
        case inspect.DictType(value_type=value):
            return f"Readonly<Record<string, {_type(value)}>>"
        case _:
            inner = _type(kind.item_type)
            return f"readonly ({inner})[]" if " " in inner else f"readonly {inner}[]"


def _comment(cls: type[Any]) -> list[str]:
    text = " ".join((cls.__doc__ or "").split())
    if not text:
        return []
    first, *rest = textwrap.wrap(text, _WIDTH - len("/**  */"))
    lines = [f"/** {first}", *(f" * {line}" for line in rest)]
    return [*lines[:-1], f"{lines[-1]} */"]


def _union(name: str, members: list[str]) -> str:
    return f"export type {name} =\n" + "\n".join(f"  | {member}" for member in members) + ";"


if __name__ == "__main__":
    sys.stdout.write(typescript())
