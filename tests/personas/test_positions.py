"""JSON with the line of every key."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.personas.positions import MAX_DEPTH, JsonError, KeyPath, read_json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
).filter(lambda value: _depth(value) < MAX_DEPTH)


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_depth(item) for item in inner), default=0)


@given(JSON, st.sampled_from([None, 0, 2]))
def test_every_json_value_is_read_as_the_standard_library_reads_it(value: object, indent: int | None) -> None:
    written = json.dumps(value, ensure_ascii=False, indent=indent)
    assert read_json(written).value == json.loads(written)


@given(st.text('{}[]":,0-+.eE\\u aft\n', max_size=25))
def test_what_the_standard_library_refuses_is_refused_and_nothing_more(written: str) -> None:
    try:
        expected = json.loads(written, parse_constant=_refuse, object_pairs_hook=_unique)
    except ValueError:
        with pytest.raises(JsonError):
            read_json(written)
    else:
        assert read_json(written).value == expected


def _refuse(word: str) -> None:
    raise ValueError(word)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError(pairs)
    return dict(pairs)


def test_a_key_has_the_line_on_which_its_name_begins() -> None:
    lines = read_json('{\n"a":\n{"b": 1,\n\n"c": [10,\n20, {\n"d\\n": 3}]},\r\n"é": "x"}').lines
    assert lines == {
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c"): 5,
        ("a", "c", 0): 5,
        ("a", "c", 1): 6,
        ("a", "c", 2): 6,
        ("a", "c", 2, "d\n"): 7,
        ("é",): 8,
    }


def test_the_same_key_in_two_objects_has_two_lines() -> None:
    lines = read_json('{"fox": {\n"title": 1},\n"owl": {\n"title": 2}}').lines
    assert (lines["fox", "title"], lines["owl", "title"]) == (2, 4)


@pytest.mark.parametrize(
    ("written", "reason", "line", "path"),
    [
        ('{"a": 1,\n"b": {"c": 2,\n"c": 3}}', "duplicate", 3, ("b", "c")),
        ('{"a": 1,\n"\\u0061": 2}', "duplicate", 2, ("a",)),
        ('{"a": {\n"b": 1\n"c": 2}}', "comma", 3, ("a", "b")),
        ('{"a": [1,\n2\n3]}', "comma", 3, ("a", 1)),
        ('{"a"\n1}', "colon", 2, ("a",)),
        ('{"a": 1,\n}', "trailing", 1, ("a",)),
        ('{"a": [1,\n2 ,\n]}', "trailing", 2, ("a", 1)),
        ('{"a": {\nb: 1}}', "key", 2, ("a",)),
        ("{'a': 1}", "key", 1, ()),
        ('{"a":\n\nyes}', "value", 3, ("a",)),
        ('{"a":\nNaN}', "number", 2, ("a",)),
        ('{"a":\n-Infinity}', "number", 2, ("a",)),
        ('{"a":\n1e999}', "number", 2, ("a",)),
        ('{"a":\n' + "9" * 5000 + "}", "number", 2, ("a",)),
        ('{"a":\n"x\ny"}', "string", 2, ("a",)),
        ('{"a":\n"\\q"}', "string", 2, ("a",)),
        ('{"a":\n"\\ud800"}', "string", 2, ("a",)),
        ('{"a":\n"never closed}', "string", 2, ("a",)),
        ('{"a": {"b":\n', "unfinished", 1, ("a", "b")),
        ('{"a": 1\n\n', "unfinished", 1, ("a",)),
        ("", "unfinished", 1, ()),
        ('{"a": 1}\n{"b": 2}', "extra", 2, ()),
    ],
)
def test_broken_json_is_refused_with_its_line_and_key(
    written: str, reason: str, line: int, path: KeyPath
) -> None:
    with pytest.raises(JsonError) as refusal:
        read_json(written)
    assert (refusal.value.reason, refusal.value.line, refusal.value.path) == (reason, line, path)


def test_json_that_is_nested_without_end_is_refused_before_the_stack_ends() -> None:
    with pytest.raises(JsonError) as refusal:
        read_json('{"a":' * 100_000)
    assert refusal.value.reason == "deep"
