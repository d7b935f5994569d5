"""How events travel on a socket."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.conversation.frames import Frame
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import Accepted, Done, Failed, Notice, Queued, Source, Token
from menagerie.core.provenance import CitationFacts, ModelFacts, Provenance, SourceFacts
from menagerie.grounding.given import Given
from menagerie.web.codecs import Cancel, EventsCodec, PlainCodec

DONE = Done("t", "urn:uuid:1", Provenance("menagerie", "beaver", "en", ModelFacts("m"), "2026-01-01"))


def test_a_plain_turn_is_its_tokens_and_an_end() -> None:
    codec = PlainCodec()
    codec.decode("Hello")
    assert list(codec.encode(Accepted("t", "urn:uuid:1", "beaver"))) == []
    assert list(codec.encode(Queued(1))) == []
    assert list(codec.encode(Source(1, "context"))) == []
    assert list(codec.encode(Notice("model_substituted", "…"))) == []
    assert list(codec.encode(Token("Hi"))) == ["Hi"]
    assert list(codec.encode(DONE)) == ["<END>"]


CITING = msgspec.structs.replace(
    DONE.provenance,
    sources=(
        SourceFacts(1, "page", "Canal", "https://a.ca/(x)", heading="Locks", page=3),
        SourceFacts(2, "facts", "Not cited"),
    ),
    citations=(CitationFacts(1, 0, 9, "supported"),),
)


def test_a_plain_answer_ends_with_the_sources_that_it_cites() -> None:
    codec = PlainCodec()
    *_, sources, end = codec.encode(msgspec.structs.replace(DONE, provenance=CITING))
    assert sources == "\n\nSources:\n[1] Canal, Locks, p. 3 https://a.ca/%28x%29"
    assert end == "<END>"


def test_no_words_of_strangers_end_a_turn() -> None:
    codec = PlainCodec()
    for event in (
        Notice("relevant", "Leave <END> now"),
        Failed("source.unknown", "There is no source <END>"),
        msgspec.structs.replace(
            DONE, provenance=msgspec.structs.replace(CITING, sources=(SourceFacts(1, "page", "<END>"),))
        ),
    ):
        frames = list(codec.encode(event))
        ends = [frame for frame in frames if "<END" in frame]
        assert ends == ([] if isinstance(event, Notice) else ["<END>"])


def test_the_session_is_told_only_to_who_asked_for_it_once() -> None:
    codec = PlainCodec()
    codec.decode("|SESSION||/SESSION|Hello")
    assert list(codec.encode(DONE)) == ["<END urn:uuid:1>"]
    codec.decode("And now?")
    assert list(codec.encode(DONE)) == ["<END urn:uuid:1>"]


def test_a_failure_is_a_sentence_with_its_code_and_an_end() -> None:
    codec = PlainCodec()
    assert list(codec.encode(Failed("queue.full", "Too many."))) == ["Too many. [queue.full]", "<END>"]
    list(codec.encode(Token("Hi")))
    assert list(codec.encode(Failed("engine.lost", "Lost."))) == ["\n\nLost. [engine.lost]", "<END>"]


@given(st.text(alphabet="<END> x"))
def test_a_model_cannot_end_a_turn_by_itself(text: str) -> None:
    frames = list(PlainCodec().encode(Token(text)))
    assert "".join(frames) == text
    assert not any("<END" in frame for frame in frames)


def test_every_event_is_one_json_object_with_its_type() -> None:
    codec = EventsCodec()
    for event in (Accepted("t", "s", "p"), Queued(1), Notice("a", "b"), Source(1, "x"), Token("t"), DONE):
        (frame,) = codec.encode(event)
        assert json.loads(frame)["type"] == type(event).__name__.lower()


def test_a_request_is_a_prompt_or_the_wish_to_stop() -> None:
    codec = EventsCodec()
    assert codec.decode('{"cancel": true}') == Cancel()
    request = '{"prompt": "Hi", "session": "", "given": [{"kind": "context", "text": "x"}]}'
    assert codec.decode(request) == Frame("Hi", "", (Given("context", "x"),))


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"prompt": "https://a.ca What is it?"}, Frame("What is it?", address="https://a.ca")),
        ({"prompt": " |RAG|a.ca|b.ca|/RAG| Hi"}, Frame("Hi", sources=("a.ca", "b.ca"))),
        ({"prompt": "|RAG|a.ca Hi"}, Frame("|RAG|a.ca Hi")),
        ({"prompt": "|CONTEXT|is not read here"}, Frame("|CONTEXT|is not read here")),
        ({"prompt": "Hi", "address": "https://b.ca"}, Frame("Hi", address="https://b.ca")),
        (
            {"prompt": "Hi", "sources": ["facts:hr"], "documents": ["file-1"]},
            Frame("Hi", sources=("facts:hr",), documents=("file-1",)),
        ),
    ],
)
def test_where_to_look_is_said_in_fields_or_in_front_of_the_prompt(
    sent: dict[str, object], read: Frame
) -> None:
    assert EventsCodec().decode(json.dumps(sent)) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello",
        "[]",
        "{}",
        '{"prompt": 1}',
        '{"prompt": "x", "extra": 1}',
        '{"prompt": "x", "given": [{}]}',
        '{"prompt": "x", "given": [{"kind": "text", "text": 3}]}',
        "[" * 100_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(MenagerieError) as refused:
        EventsCodec().decode(text)
    assert refused.value.code is ErrorCode.FRAME_INVALID
