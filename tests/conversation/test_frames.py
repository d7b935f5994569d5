"""The plain frames of the README."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.conversation.frames import Frame, parse
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.given import Given


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("Hello", Frame("Hello")),
        ("|SESSION||/SESSION|Hello", Frame("Hello", "")),
        ("|SESSION|urn:uuid:1|/SESSION|Hello", Frame("Hello", "urn:uuid:1")),
        ("|CONTEXT|facts|/CONTEXT| Hello", Frame("Hello", None, (Given("context", "facts"),))),
        ("|CONTENT|clip|/CONTENT|Hello", Frame("Hello", None, (Given("content", "clip"),))),
        ("|CONTEXT||/CONTEXT|Hello", Frame("Hello")),
        (
            "|SESSION|a|/SESSION||CONTEXT|x|y|/CONTEXT|Hello |CONTEXT|",
            Frame("Hello |CONTEXT|", "a", (Given("context", "x|y"),)),
        ),
        ("a | b", Frame("a | b")),
        ("|", Frame("|")),
        ("|x| is an absolute value", Frame("|x| is an absolute value")),
    ],
)
def test_a_frame_is_prefixes_and_a_prompt(frame: str, expected: Frame) -> None:
    assert parse(frame) == expected


@pytest.mark.parametrize(
    "frame", ["|SESSION|abc", "|SESS", "|CONTEXT|text", "|CONTEXT|text|/CONTENT|", "|/SESSION|x", "|RAG|a.ca"]
)
def test_half_a_prefix_is_refused(frame: str) -> None:
    with pytest.raises(MenagerieError) as refused:
        parse(frame)
    assert refused.value.code is ErrorCode.PREFIX_BROKEN


@pytest.mark.parametrize("frame", ["http://a.ca summarize", "https://a.ca", "|RAG|a.ca|/RAG|prompt"])
def test_what_is_not_there_yet_is_refused_clearly(frame: str) -> None:
    with pytest.raises(MenagerieError) as refused:
        parse(frame)
    assert refused.value.code is ErrorCode.SOURCE_OFF


@given(st.text())
def test_no_text_breaks_the_parser(frame: str) -> None:
    with contextlib.suppress(MenagerieError):
        assert parse(frame).prompt in frame
