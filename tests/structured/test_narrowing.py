"""Objects closed in the grammar: what a model may write is less than what the schema allows, never more."""

from __future__ import annotations

from typing import Any

import pytest

from menagerie.structured.narrowing import closed
from menagerie.structured.schema import compile_schema
from tests.structured.hostile import saying, whole

PERSON = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}


def passes(schema: Any, text: str) -> bool:
    """Whether the watch over an answer under `schema` lets all of `text` pass."""
    _, rest = compile_schema(schema).guard().take(text)
    return rest == ""


def test_a_model_invents_no_properties_and_the_schema_still_allows_them() -> None:
    text = '{"name":"Ann","hobby":"chess"}'
    assert not passes(PERSON, text)
    compile_schema(PERSON).verify(text)
    assert compile_schema(PERSON).guaranteed


@pytest.mark.parametrize(
    "more",
    [
        {"additionalProperties": True},
        {"additionalProperties": {"type": "string"}},
        {"patternProperties": {"^h": {"type": "string"}}},
        {"required": ["hobby"]},
    ],
)
def test_an_object_that_wants_others_stays_open(more: dict[str, Any]) -> None:
    assert passes({**PERSON, **more}, '{"name":"Ann","hobby":"chess"}')


def test_any_object_stays_any_object() -> None:
    assert passes({"type": "object"}, '{"anything":1}')
    assert passes({"type": "object", "properties": {}}, '{"anything":1}')


def test_parts_of_one_object_do_not_close_each_other() -> None:
    schema = {
        "$defs": {"named": {"type": "object", "properties": {"name": {"type": "string"}}}},
        "allOf": [{"$ref": "#/$defs/named"}, {"properties": {"age": {"type": "integer"}}}],
    }
    assert passes(schema, '{"name":"Ann","age":3}')


def test_what_is_referred_to_alone_is_closed() -> None:
    schema = {
        "$defs": {"person": PERSON},
        "type": "object",
        "properties": {"of": {"$ref": "#/$defs/person"}},
    }
    assert not passes(schema, '{"of":{"hobby":')
    assert passes(schema, '{"of":{"name":"Ann"}}')


def test_the_schema_itself_is_left_as_it_was() -> None:
    before = {"type": "object", "properties": {"of": dict(PERSON)}}
    closed(before)
    assert before == {"type": "object", "properties": {"of": PERSON}}


async def test_an_answer_that_says_a_name_twice_is_ended_where_it_began_to() -> None:
    compiled = compile_schema({**PERSON, "additionalProperties": True})
    wandering = '{"name":"Ann","hobby":"chess","hobby":"' + "go, " * 500 + '"}'
    asked = saying(wandering, piece=5)
    text, last = await whole(asked, compiled)
    assert text == '{"name":"Ann","hobby":"chess"}'
    assert last.finish == "length"
    assert last.usage is not None
    assert last.usage.answer < 20


async def test_a_string_of_digits_without_end_is_ended() -> None:
    compiled = compile_schema(PERSON)
    text, last = await whole(saying('{"name":"' + "8402165739" * 300, piece=7), compiled)
    assert 256 <= len(text) < 300
    assert last.finish == "length"
    assert last.usage is not None
    assert last.usage.answer < 60


async def test_nesting_without_end_is_ended() -> None:
    tree = {"type": "object", "properties": {"in": {"$ref": "#"}}}
    text, last = await whole(saying('{"in":' * 400, piece=6), compile_schema(tree))
    compile_schema(tree).verify(text)
    assert last.usage is not None
    assert last.usage.answer < 80


async def test_a_strange_character_where_none_may_stand_breaks_nothing() -> None:
    text, _ = await whole(saying('{"name":"Ann"é日本'), compile_schema(PERSON))
    assert text == '{"name":"Ann"}'
