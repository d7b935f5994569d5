"""The types of events that pages are checked against."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from menagerie.core.events import Event
from menagerie.core.typescript import interfaces, typescript


class Held(msgspec.Struct):
    pair: tuple[int, str]
    table: dict[str, float]
    rows: list[list[bool | None]]


class Shape(Event, frozen=True, omit_defaults=True):
    """A shape."""

    kind: Literal["round", "flat"]
    held: tuple[Held, ...] = ()
    expected: float | None = None


class Whole(msgspec.Struct):
    held: Held | None = None
    name: str = ""


def test_a_struct_is_an_interface_and_what_it_holds_comes_before() -> None:
    assert (
        interfaces(Shape)
        == """export interface Held {
  readonly pair: readonly [number, string];
  readonly table: Readonly<Record<string, number>>;
  readonly rows: readonly (readonly (boolean | null)[])[];
}

/** A shape. */
export interface Shape {
  readonly type: "shape";
  readonly kind: "flat" | "round";
  readonly held?: readonly Held[];
  readonly expected?: number;
}
"""
    )


def test_what_is_never_left_out_is_never_optional() -> None:
    assert interfaces(Whole).endswith(
        """export interface Whole {
  readonly held: Held | null;
  readonly name: string;
}
"""
    )


def test_a_kind_without_a_type_in_typescript_is_refused() -> None:
    class Odd(msgspec.Struct):
        data: bytes

    with pytest.raises(KeyError):
        interfaces(Odd)


def test_all_events_are_one_union() -> None:
    written = typescript()
    union = written[written.index("export type AnyEvent") :]
    for name in ("Accepted", "Token", "Done", "Failed", "Ended"):
        assert f"  | {name}" in union
        assert written.count(f"export interface {name} {{") == 1
    assert written.count("export interface Provenance {") == 1


def test_it_is_written_by_a_command() -> None:
    command = [sys.executable, "-m", "menagerie.core.typescript"]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == typescript()


def test_the_types_of_the_pages_are_those_of_now() -> None:
    kept = Path(__file__).parents[2] / "ui" / "client" / "service_events.ts"
    assert kept.read_text(encoding="utf-8") == typescript()
