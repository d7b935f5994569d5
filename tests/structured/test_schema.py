"""What counts as a schema, what is refused, and what is guaranteed."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.structured import schema as schema_module
from menagerie.structured.schema import compile_schema, compile_soon
from menagerie.structured.verification import SchemaViolation

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def properties(count: int) -> dict[str, Any]:
    return {"type": "object", "properties": {f"name_{at}": {"type": "string"} for at in range(count)}}


def wide(seed: int) -> dict[str, Any]:
    """A schema of 100 kB that no other one is."""
    inner = {f"name_{seed}_{at}": {"type": "string"} for at in range(380)}
    return {"type": "object", "properties": {f"{at}": {"properties": inner} for at in range(8)}}


def nested(depth: int) -> Any:
    return json.loads('{"not":' * depth + "{}" + "}" * depth)


def test_without_a_schema_any_object_is_accepted_and_nothing_else() -> None:
    compiled = compile_schema(None)
    assert compiled.guaranteed
    assert compiled.verify('{"a":[1]}') == {"a": [1]}
    with pytest.raises(SchemaViolation, match="type"):
        compiled.verify("[1]")


def test_of_more_properties_than_a_grammar_can_hold_an_answer_can_begin_and_nothing_is_promised() -> None:
    few, many = compile_schema(properties(400)), compile_schema(properties(2000))
    assert few.guaranteed
    assert not many.guaranteed
    for compiled in (few, many):
        assert compiled.guard().take('{"name_1":"a"}') == ('{"name_1":"a"}', "")


def test_a_plain_schema_is_guaranteed_and_said_to_be() -> None:
    compiled = compile_schema(PERSON)
    assert compiled.guaranteed
    assert compiled.enforced == ("additionalProperties", "minimum", "properties", "required", "type")
    assert compiled.grammar.startswith("%llguidance {}\nstart: %json {")
    assert '"whitespace_flexible":false' in compiled.grammar


@pytest.mark.parametrize(
    ("schema", "keywords"),
    [
        ({"type": "string", "not": {"pattern": "a|[A-Z]"}}, ("not",)),
        ({"type": "array", "uniqueItems": True, "contains": {"const": 1}}, ("uniqueItems",)),
        ({"oneOf": [{"pattern": "a|x"}, {"pattern": "b|y"}], "type": "string"}, ("oneOf",)),
        ({"type": "number", "multipleOf": 0.1}, ("multipleOf",)),
        ({"type": "string", "pattern": "^(?!x)a"}, ("pattern",)),
        ({"type": "string", "format": "relative-json-pointer"}, ("format",)),
    ],
)
def test_keywords_that_no_grammar_guarantees_are_named(schema: Any, keywords: tuple[str, ...]) -> None:
    compiled = compile_schema(schema)
    assert compiled.unguaranteed == keywords
    assert not compiled.guaranteed
    assert not set(keywords) & set(compiled.enforced)


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {
            "oneOf": [
                {"type": "object", "properties": {"k": {"const": name}}, "required": ["k"]}
                for name in ("cat", "dog")
            ]
        },
        {"type": "string", "format": "date"},
        {"type": "string", "format": "of-our-own-making"},
        {"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer", "minimum": 3},
        {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"type": "object", "not": {"required": ["a", "b"]}},
        {"type": "string", "not": {"enum": ["admin", "root"]}},
        {
            "if": {"properties": {"k": {"const": "x"}}},
            "then": {"required": ["a"]},
            "else": {"required": ["b"]},
        },
        {"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"]}},
        {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"b": {"required": ["c"]}}},
        {"type": "array", "contains": {"const": 1}, "items": {"type": "integer"}},
        {"propertyNames": {"pattern": "^[a-z]+$"}, "additionalProperties": {"type": "integer"}},
        {"properties": {"a": {}, "b": {}, "c": {}}, "minProperties": 2, "maxProperties": 2},
        {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False},
        {"oneOf": [{"type": "string"}, {"type": "string", "format": "uri"}]}
        | {"oneOf": [{}, {"type": "null"}]},
    ],
)
def test_what_only_looks_difficult_is_guaranteed(schema: Any) -> None:
    assert compile_schema(schema).guaranteed


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "strng"}, "type"),
        ({"properties": {"a": {"minLength": -1}}}, "properties/a/minLength"),
        (["type", "object"], "/"),
        ("object", "/"),
        (False, "/"),
        ({"properties": {"a": {"$ref": "https://example.org/schema.json"}}}, "properties/a"),
        ({"$ref": "#/$defs/nowhere"}, "/"),
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, "$schema"),
        ({"pattern": "("}, "pattern"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place(schema: object, path: str) -> None:
    with pytest.raises(MenagerieError) as caught:
        compile_schema(schema)
    assert caught.value.code is ErrorCode.SCHEMA_INVALID
    assert caught.value.values["path"] == path


@pytest.mark.parametrize(("schema", "kind"), [(["a"], "array"), ("a", "string"), (1.5, "number")])
def test_what_stands_where_a_schema_should_is_named_as_json_names_it(schema: object, kind: str) -> None:
    with pytest.raises(MenagerieError) as caught:
        compile_schema(schema)
    assert caught.value.values["reason"] == f"type: {kind}"


def test_local_references_anchors_ids_and_recursion_are_followed() -> None:
    tree = {
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                "required": ["kids"],
                "additionalProperties": False,
            },
            "named": {"$anchor": "label", "type": "string"},
            "other": {"$id": "other.json", "type": "integer"},
        },
        "$id": "https://example.org/root.json",
        "type": "object",
        "properties": {
            "tree": {"$ref": "#/$defs/tree"},
            "label": {"$ref": "#label"},
            "other": {"$ref": "other.json"},
        },
    }
    compiled = compile_schema(tree)
    compiled.verify('{"tree":{"kids":[{"kids":[]}]},"label":"x","other":1}')
    with pytest.raises(SchemaViolation):
        compiled.verify('{"tree":{"kids":[{"kids":[1]}]}}')


BOMBS: dict[str, Any] = {
    "bytes": {"description": "x" * 300_000},
    "depth": nested(150),
    "nodes": {"enum": list(range(30_000))},
    "pattern length": {"pattern": "a" * 9_000},
    "pattern repeated": {"pattern": "((a{1000}){1000}){1000}"},
    "patterns": {"properties": {f"p{n}": {"pattern": f"^a{n}"} for n in range(600)}},
    "circle": {
        "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}},
        "$ref": "#/$defs/a",
    },
    "fan": {
        "$defs": {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(30)} | {"a30": {}},
        "$ref": "#/$defs/a0",
    },
    "anchors": {
        "$defs": {f"a{n}": {"$anchor": f"x{n}"} for n in range(300)},
        "anyOf": [{"$ref": f"#x{n}"} for n in range(300)],
    },
}


@pytest.mark.parametrize("name", BOMBS)
def test_schema_bombs_are_refused_quickly(name: str) -> None:
    start = time.process_time()
    with pytest.raises(MenagerieError) as caught:
        compile_schema(BOMBS[name])
    assert caught.value.code is ErrorCode.SCHEMA_TOO_COMPLEX
    assert caught.value.values["reason"]
    assert time.process_time() - start < 3


@pytest.mark.parametrize("keyword", ["if", "not", "allOf", "anyOf", "properties"])
def test_no_circle_of_references_reaches_the_end_of_the_stack(keyword: str) -> None:
    inner: Any = {"$ref": "#/$defs/d"}
    value = [inner] if keyword.endswith("Of") else {"a": inner} if keyword == "properties" else inner
    schema = {"$defs": {"d": {keyword: value, "type": "object"}}, "$ref": "#/$defs/d"}
    try:
        compiled = compile_schema(schema)
    except MenagerieError as refused:
        assert refused.code is ErrorCode.SCHEMA_TOO_COMPLEX  # noqa: PT017  (it may as well be accepted)
    else:
        with pytest.raises(SchemaViolation):
            compiled.verify('{"a":' * 60 + "1" + "}" * 60)


def test_a_pattern_that_the_grammar_reads_otherwise_is_only_verified() -> None:
    assert compile_schema({"type": "string", "pattern": '^[^"]+$'}).unguaranteed == ("pattern",)


def test_a_catastrophic_pattern_takes_no_time_to_verify() -> None:
    compiled = compile_schema({"type": "string", "pattern": "^(?:a?){2000}a{2000}$"})
    start = time.process_time()
    with pytest.raises(SchemaViolation) as caught:
        compiled.verify(json.dumps("a" * 1999))
    assert caught.value.keyword == "pattern"
    assert time.process_time() - start < 2


def test_a_schema_with_its_own_whitespace_options_does_not_loosen_the_grammar() -> None:
    compiled = compile_schema(
        {"type": "object", "x-guidance": {"whitespace_flexible": True, "lenient": True}}
    )
    assert 'lenient":true' not in compiled.grammar
    assert compiled.grammar.count("x-guidance") == 1


def test_a_schema_is_compiled_once() -> None:
    assert compile_schema({"type": "integer"}) is compile_schema({"type": "integer"})


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"a":NaN}',
        '{"a":-Infinity}',
        '{"a":1e999}',
        '{"a":"\\ud800"}',
        '{"a":"\ud800"}',
        "{'a':1}",
        '{"a":1} and more',
        "[" * 100_000,
        "",
    ],
)
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(SchemaViolation) as caught:
        compile_schema(None).verify(text)
    assert caught.value.keyword == "json"


def test_a_subschema_with_a_dialect_of_its_own_does_not_escape_the_bounds() -> None:
    schema = {
        "properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": "^(a+)+$"}}
    }
    compiled = compile_schema(schema)
    start = time.process_time()
    with pytest.raises(SchemaViolation):
        compiled.verify(json.dumps({"a": "a" * 60 + "!"}))
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("keyword", "kind"),
    [("maxItems", "array"), ("minItems", "array"), ("maxLength", "string"), ("minLength", "string")],
)
def test_no_grammar_counts_to_a_thousand_million(keyword: str, kind: str) -> None:
    compiled = compile_schema({"type": kind, keyword: 10**9})
    assert "1000000000" not in compiled.grammar
    assert (keyword in compiled.unguaranteed) == keyword.startswith("min")
    assert keyword in compile_schema({"type": kind, keyword: 12}).enforced


async def test_many_large_schemas_hold_up_no_small_one() -> None:
    large = [asyncio.create_task(compile_soon(wide(seed))) for seed in range(6)]
    await asyncio.sleep(0.1)
    await asyncio.wait_for(compile_soon({**PERSON, "title": "small"}), 2)
    assert not all(task.done() for task in large)
    await asyncio.gather(*large)


def test_few_large_schemas_are_kept() -> None:
    for seed in range(12):
        compile_schema(wide(-seed))
    encoded = len(json.dumps(wide(0), separators=(",", ":")))
    assert schema_module.MOST_REMEMBERED // encoded < 12
    assert len(schema_module.compiled_of) <= schema_module.MOST_REMEMBERED // encoded + 1


@pytest.mark.parametrize(
    "circle",
    [
        {"$ref": "#/$defs/a"},
        {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/a"}]},
        {"allOf": [{"not": {"$ref": "#/$defs/b"}}]},
        {"if": {"$ref": "#/$defs/a"}, "then": {}},
    ],
)
def test_a_circle_that_never_goes_into_the_value_is_refused_wherever_it_stands(
    circle: dict[str, Any],
) -> None:
    schema = {
        "type": "object",
        "properties": {"far": {"$ref": "#/$defs/a"}},
        "$defs": {"a": circle, "b": {"oneOf": [{"$ref": "#/$defs/a"}]}},
    }
    with pytest.raises(MenagerieError) as refused:
        compile_schema(schema)
    assert refused.value.code is ErrorCode.SCHEMA_TOO_COMPLEX


def test_a_circle_that_goes_into_the_value_is_a_tree() -> None:
    schema = {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#/$defs/a"}}]}},
    }
    compile_schema(schema).verify("[[null],[]]")
