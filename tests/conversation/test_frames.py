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


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("http://a.ca summarize", Frame("summarize", address="http://a.ca")),
        ("https://a.ca/b?c=d\nWhat is it?", Frame("What is it?", address="https://a.ca/b?c=d")),
        ("https://a.ca", Frame("", address="https://a.ca")),
        ("|RAG|a.ca|/RAG|prompt", Frame("prompt", sources=("a.ca",))),
        ("|RAG| a.ca | b.ca ||/RAG| prompt", Frame("prompt", sources=("a.ca", "b.ca"))),
        (
            "|SESSION||/SESSION||RAG|facts:hr|/RAG|https://a.ca prompt",
            Frame("prompt", "", address="https://a.ca", sources=("facts:hr",)),
        ),
        ("What does https://a.ca say?", Frame("What does https://a.ca say?")),
    ],
)
def test_places_and_an_address_in_front_of_a_prompt_say_where_to_look(frame: str, expected: Frame) -> None:
    assert parse(frame) == expected


@given(st.text())
def test_no_text_breaks_the_parser(frame: str) -> None:
    with contextlib.suppress(MenagerieError):
        assert parse(frame).prompt in frame
