"""Schemas by chance, of every draft: what callers write, and what only a test would."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

DRAFTS: Final = (
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
)
NAMES: Final = st.sampled_from(["a", "b", "ab", "é", "kind"])
_FORMATS: Final = (
    "date",
    "date-time",
    "time",
    "uuid",
    "ipv4",
    "ipv6",
    "email",
    "uri",
    "hostname",
    "duration",
    "iri",
)
_SCALARS: Final[list[Any]] = [
    {"type": "string"},
    {"type": "string", "minLength": 2, "maxLength": 5},
    {"type": "string", "pattern": "^[a-c]+[0-9]{2}$"},
    {"type": "string", "pattern": "ab?c"},
    {"type": "string", "pattern": '^[^"x]+$'},
    {"type": "string", "pattern": r"^\S+$"},
    {"type": "string", "pattern": "^(?!b)[ab]+$"},
    {"type": "string", "pattern": "/^a$/"},
    {"pattern": "^[a-z]"},
    {"type": "integer", "minimum": -3, "maximum": 12},
    {"type": "integer", "multipleOf": 5},
    {"type": "number", "minimum": 0.5, "maximum": 2.25},
    {"minimum": 3},
    {"type": "boolean"},
    {"type": ["null", "integer"]},
    {"enum": ["a", 1, None, {"b": [2]}]},
    {"enum": ["a", "b", 'c"\\']},
    {"enum": [True]},
    {},
    *({"type": "string", "format": name} for name in _FORMATS),
]


def _object(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    more = st.one_of(
        st.just({}),
        st.just({"additionalProperties": False}),
        st.builds(lambda one: {"additionalProperties": one}, inner),
        st.builds(lambda least: {"minProperties": least}, st.integers(0, 3)),
        st.builds(lambda most: {"maxProperties": most}, st.integers(0, 3)),
        st.builds(lambda one: {"patternProperties": {"^x": one}}, inner),
        st.sampled_from(
            [
                {"propertyNames": {"pattern": "^[a-z]+$"}},
                {"propertyNames": {"enum": ["a", "b"]}},
                {"propertyNames": {"maxLength": 2}},
                {"propertyNames": False},
                {"unevaluatedProperties": False},
            ]
        ),
        st.builds(lambda name, needed: {"dependencies": {name: [needed]}}, NAMES, NAMES),
        st.builds(lambda name, one: {"dependencies": {name: one}}, NAMES, inner),
        st.builds(lambda name, needed: {"dependentRequired": {name: [needed]}}, NAMES, NAMES),
        st.builds(lambda name, one: {"dependentSchemas": {name: one}}, NAMES, inner),
    )
    return st.builds(
        lambda kind, properties, required, *extras: {
            **kind,
            "properties": properties,
            "required": sorted(required),
            **{keyword: value for extra in extras for keyword, value in extra.items()},
        },
        st.sampled_from([{"type": "object"}, {"type": "object"}, {}]),
        st.dictionaries(NAMES, inner, max_size=3),
        st.sets(NAMES, min_size=1, max_size=2),
        more,
        more,
    )


def _array(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    more = st.one_of(
        st.sampled_from([{}, {"uniqueItems": True}, {"maxItems": 3}, {"maxItems": 1, "uniqueItems": True}]),
        st.builds(lambda one: {"contains": one}, inner),
        st.builds(lambda one: {"contains": one, "minContains": 2}, inner),
    )
    return st.builds(
        lambda items, least, extra: {"type": "array", "items": items, "minItems": least, **extra},
        inner,
        st.integers(0, 2),
        more,
    )


def _composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        _object(inner),
        _object(inner),
        _array(inner),
        several.map(lambda some: {"anyOf": some}),
        several.map(lambda some: {"oneOf": some}),
        st.builds(lambda one, other: {"allOf": [one, other]}, inner, inner),
        st.builds(lambda one, other: {**one, "not": other}, inner, inner),
        st.builds(lambda one, two, three: {"if": one, "then": two, "else": three}, inner, inner, inner),
        st.builds(lambda one, two: {"if": one, "then": two}, inner, inner),
        st.builds(lambda one, other: {"oneOf": [{"$ref": "#/definitions/d"}, one], **other}, inner, inner),
        st.builds(lambda one: {"anyOf": [one, {"$ref": "#"}]}, inner),
        st.just({"$ref": "#/definitions/d"}),
        st.sampled_from(
            [{"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"not": {"required": ["a", "b"]}}]
        ),
    )


_INNER: Final = st.recursive(st.sampled_from(_SCALARS), _composed, max_leaves=5)
SCHEMAS: Final = st.builds(
    lambda draft, root, other: {"$schema": draft, **root, "definitions": {"d": other}},
    st.sampled_from(DRAFTS),
    _INNER,
    _INNER,
)
"""Every one has `definitions/d`, to which parts of it may refer; some are recursive."""
