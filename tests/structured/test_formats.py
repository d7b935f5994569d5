"""The patterns that stand for formats write only what the validator's checkers accept."""

from __future__ import annotations

import json
import random

import pytest

from menagerie.structured.formats import FORMATS
from menagerie.structured.schema import compile_schema
from menagerie.structured.verification import SchemaViolation
from tests.structured.hostile import written_under


@pytest.mark.parametrize("name", FORMATS)
def test_every_walk_through_a_formats_grammar_passes_its_checker(name: str) -> None:
    compiled = compile_schema({"type": "string", "format": name})
    assert compiled.guaranteed
    for seed in range(40):
        guard = compiled.guard()
        guard.take(written_under(compiled.grammar, random.Random(seed), 120))
        closing = guard.close()
        assert closing is not None
        compiled.verify(guard.text + closing)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date", "2023-02-29"),
        ("time", "25:00:00Z"),
        ("date-time", "2024-01-01"),
        ("ipv4", "256.1.1.1"),
        ("uri", "no uri"),
        ("iri", "no iri"),
        ("uuid", "1234"),
        ("email", "nobody"),
    ],
)
def test_a_value_of_another_format_is_refused(name: str, value: str) -> None:
    with pytest.raises(SchemaViolation) as caught:
        compile_schema({"type": "string", "format": name}).verify(json.dumps(value))
    assert caught.value.keyword == "format"


def test_an_international_address_is_an_iri_and_no_uri() -> None:
    text = json.dumps("https://example.ca/forêt", ensure_ascii=False)
    compile_schema({"type": "string", "format": "iri"}).verify(text)
    with pytest.raises(SchemaViolation):
        compile_schema({"type": "string", "format": "uri"}).verify(text)
