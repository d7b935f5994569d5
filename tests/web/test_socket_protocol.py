"""The frames that we write ourselves are those that the library would write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from menagerie.web.socket_protocol import text_frame


def by_the_library(text: str) -> bytes:
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


@given(st.text())
def test_any_text_is_framed_as_by_the_library(text: str) -> None:
    assert text_frame(text) == by_the_library(text)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_so_is_every_size(size: int) -> None:
    assert text_frame("x" * size) == by_the_library("x" * size)
