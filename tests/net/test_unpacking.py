"""Packed bodies, whole, damaged, and in pieces."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.net.unpacking import PIECE, Unpacking, UnpackingError


def unpacked(encoding: str, *pieces: bytes) -> bytes:
    unpacking = Unpacking(encoding)
    found = b"".join(part for piece in pieces for part in unpacking.feed(piece))
    unpacking.end()
    return found


def packed(encoding: str, body: bytes) -> bytes:
    if encoding == "gzip":
        return gzip.compress(body)
    packing = zlib.compressobj(wbits=15 if encoding == "deflate" else -15)
    return packing.compress(body) + packing.flush()


@given(
    st.binary(max_size=400),
    st.sampled_from(["gzip", "deflate", "raw"]),
    st.integers(1, 50),
    st.integers(1, 2000),
)
def test_a_body_is_what_was_packed_however_it_comes(
    body: bytes, encoding: str, size: int, times: int
) -> None:
    data = packed(encoding, body * times)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert unpacked(encoding.replace("raw", "deflate"), *pieces) == body * times


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_what_is_not_packed_is_left_as_it_is(encoding: str) -> None:
    assert unpacked(encoding, b"te", b"xt") == b"text"


@pytest.mark.parametrize("encoding", ["gzip", "X-GZip", "deflate"])
def test_a_body_without_a_byte_is_empty(encoding: str) -> None:
    assert unpacked(encoding) == b""


def test_several_members_are_one_body_and_what_follows_them_is_left_out() -> None:
    both = gzip.compress(b"one ") + gzip.compress(b"two")
    assert unpacked("gzip", both + b"\x00\x00rest", b"more") == b"one two"
    assert unpacked("deflate", zlib.compress(b"text") + b"rest", b"more") == b"text"


def test_members_that_hold_nothing_come_to_an_end() -> None:
    assert unpacked("gzip", gzip.compress(b"a") * 100) == b"a" * 100
    with pytest.raises(UnpackingError):
        unpacked("gzip", gzip.compress(b"") * 101)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw"])
def test_what_is_damaged_or_not_all_there_is_no_body(encoding: str) -> None:
    data = packed(encoding, bytes(range(256)) * 20)
    told = encoding.replace("raw", "deflate")
    for wrong in (data[:-9], data[: len(data) // 2], b"\x07" + data, b"\x1f\x8bnonsense"):
        with pytest.raises(UnpackingError):
            unpacked(told, wrong)


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "nonsense"])
def test_another_encoding_is_not_read(encoding: str) -> None:
    with pytest.raises(UnpackingError):
        Unpacking(encoding)


def test_a_bomb_goes_off_in_pieces() -> None:
    pieces = Unpacking("gzip").feed(gzip.compress(b"a" * 50_000_000))
    assert {len(next(pieces)) for _ in range(100)} == {PIECE}
