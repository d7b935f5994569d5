"""A streamed answer, however its bytes arrive."""

from __future__ import annotations

import itertools
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.chat import Chunk, Usage
from menagerie.engines.completion import LONGEST_EVENT, CompletionStream, refusal


def event(text: str | None = None, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]} | more, ensure_ascii=False).encode() + b"\n\n"


USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}}
ANSWER = (
    event(None)
    + b": a comment\n\n"
    + event("Où est ")
    + event("l’été 🦫?")
    + event(None, "length")
    + b'event: usage\ndata: {"choices": [], "usage": ' + json.dumps(USAGE).encode() + b"}\n\n"
    + b"data: [DONE]\n\n"
)  # fmt: skip
TEXT = "Où est l’été 🦫?"


def fed(*pieces: bytes) -> list[Chunk]:
    stream = CompletionStream()
    return [chunk for piece in pieces if (chunk := stream.feed(piece)) is not None]


def assert_whole(chunks: list[Chunk]) -> None:
    assert "".join(chunk.text for chunk in chunks) == TEXT
    assert [chunk.finish for chunk in chunks[:-1]] == [""] * (len(chunks) - 1)
    assert chunks[-1].finish == "length"
    assert chunks[-1].usage == Usage(prompt=9, cached=5, answer=4)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_an_answer_cut_in_two_at_any_byte_is_the_same_answer(line_end: bytes) -> None:
    wire = ANSWER.replace(b"\n", line_end)
    for cut in range(len(wire) + 1):
        assert_whole(fed(wire[:cut], wire[cut:]))


@given(st.lists(st.integers(0, len(ANSWER) * 2)), st.sampled_from([b"\n", b"\r\n"]))
def test_an_answer_in_any_pieces_is_the_same_answer(cuts: list[int], line_end: bytes) -> None:
    wire = ANSWER.replace(b"\n", line_end)
    edges = [0, *sorted(cuts), len(wire)]
    assert_whole(fed(*(wire[a:b] for a, b in itertools.pairwise(edges))))


def test_a_byte_at_a_time_is_the_same_answer() -> None:
    assert_whole(fed(*(bytes([byte]) for byte in ANSWER)))


def test_events_that_arrive_together_are_one_chunk() -> None:
    assert fed(event("a") + event("b") + event("c")) == [Chunk(text="abc")]
    assert len(fed(ANSWER)) == 1


def test_without_its_end_there_is_no_last_chunk() -> None:
    assert fed(event("a"), event(None, "stop")) == [Chunk(text="a")]


def test_data_may_span_lines_and_follow_other_fields() -> None:
    wire = b'id: 3\nevent: message\ndata: {"choices":\ndata: [{"delta":{"content":"a"}}]}\nretry: 1\n\n'
    assert fed(wire) == [Chunk(text="a")]


@pytest.mark.parametrize(
    "data",
    [
        b"{not json",
        b"[]",
        b'{"choices": 3}',
        b'{"choices": [{"delta": {"content": 3}}]}',
        b'{"choices": [{"delta": {"content": "\xff"}}]}',
    ],
)
def test_what_is_no_completion_counts_as_lost(data: bytes) -> None:
    with pytest.raises(MenagerieError) as failure:
        fed(b"data: " + data + b"\n\n")
    assert failure.value.code is ErrorCode.ENGINE_LOST


def test_what_other_engines_leave_out_or_add_is_no_harm() -> None:
    wire = (
        b'data: {"choices": null, "usage": null}\n\ndata: {"choices": [{"delta": null, "logprobs": {}}]}\n\n'
        b'data: {"choices": [], "service_tier": "x"}\n\ndata:{"choices":[{"delta":{"content":"a"}}]}\n\n'
        b"data: [DONE]\n\n"
    )
    assert fed(wire) == [Chunk(text="a", finish="stop")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"message": "Context size has been exceeded.", "code": 500}, ErrorCode.ENGINE_UNAVAILABLE),
        (
            {"type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 5},
            ErrorCode.PROMPT_TOO_LONG,
        ),
        ({"message": "anything"}, ErrorCode.ENGINE_REFUSED),
        ({"message": None}, ErrorCode.ENGINE_REFUSED),
        ("as a string", ErrorCode.ENGINE_REFUSED),
    ],
)
def test_an_error_in_the_stream_is_one_of_ours(error: object, code: ErrorCode) -> None:
    with pytest.raises(MenagerieError) as failure:
        fed(b"data: " + json.dumps({"error": error}).encode() + b"\n\n")
    assert failure.value.code is code
    body = json.dumps({"error": error}).encode()
    assert refusal(500, body).code is code


@pytest.mark.parametrize("body", [b"<html>no</html>", b"", b"\xff\xfe", b'{"error": 3}', b"[1]"])
def test_a_refusal_in_any_form_is_one_of_ours(body: bytes) -> None:
    assert refusal(401, body).code is ErrorCode.ENGINE_REFUSED
    for status in (429, 502, 503, 504):
        again = refusal(status, body)
        assert again.code is ErrorCode.ENGINE_UNAVAILABLE
        assert again.retry_after


def test_an_event_without_end_is_refused_before_it_fills_the_memory() -> None:
    pieces = [b"x" * 65_536] * 160
    tracemalloc.start()
    try:
        with pytest.raises(MenagerieError) as failure:
            fed(*pieces)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert failure.value.code is ErrorCode.ENGINE_LOST
    assert peak < 4 * LONGEST_EVENT


def test_many_small_events_at_once_are_never_too_long() -> None:
    count = LONGEST_EVENT // len(event("a")) * 2
    assert fed(event("a") * count) == [Chunk(text="a" * count)]
