"""JSON that two readers could take differently is refused."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.web.errors import InvalidRequestError
from menagerie.web.strict_json import MAX_DEPTH, decode_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), VALUES), st.booleans())
def test_every_json_object_is_read_as_it_is(value: dict[str, object], ascii_only: bool) -> None:
    assert decode_object(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary())
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    read: object = None
    message = ""
    try:
        read = decode_object(body)
    except InvalidRequestError as fault:
        message = fault.message("en") and fault.message("fr")
    assert isinstance(read, dict) or message


def test_brackets_inside_strings_are_no_nesting() -> None:
    text = '\\"[{' * 1000
    assert decode_object(b'{"a": "%s"}' % text.encode()) == {"a": '"[{' * 1000}


def test_the_deepest_that_is_allowed_is_read() -> None:
    inside = b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1)
    assert decode_object(b'{"a": %s}' % inside)
    with pytest.raises(InvalidRequestError) as refused:
        decode_object(b'{"a": [%s]}' % inside)
    assert refused.value.reason == "json_too_deep"


def test_a_byte_order_mark_is_allowed() -> None:
    assert decode_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a": 1, "a": 2}', "field_twice"),
        (b'{"a": {"b": 1, "b": 1}}', "field_twice"),
        (b'{"a": 1, "\\u0061": 2}', "field_twice"),
        (b'{"a": NaN}', "json_number"),
        (b'{"a": -Infinity}', "json_number"),
        (b'{"a": 1e400}', "json_number"),
        (b'{"a": %s}' % (b"1" * 401), "json_number"),
        (b'{"\\udfff": 1}', "not_utf8"),
        (b'{"a": 1} x', "json_broken"),
        (b"{'a': 1}", "json_broken"),
        (b'{"a": "\x01"}', "json_broken"),
        (b"null", "json_object"),
    ],
)
def test_what_is_not_one_clear_object_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        decode_object(body)
    assert refused.value.reason == reason


@pytest.mark.parametrize("piece", [b'\\"', b'"', b"\\", b'"\\', b"[", b'{"a":', b"\xc3\xa9"])
def test_no_megabyte_of_anything_takes_long(piece: bytes) -> None:
    began = time.process_time()
    with pytest.raises(InvalidRequestError):
        decode_object(piece * (1_000_000 // len(piece)))
    assert time.process_time() - began < 2
