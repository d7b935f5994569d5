"""How events travel on a socket."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.conversation.frames import Frame
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import Accepted, Done, Ended, Failed, Notice, Queued, Source, Token
from menagerie.core.provenance import CitationFacts, ModelFacts, Provenance, SourceFacts
from menagerie.grounding.given import Given
from menagerie.web.codecs import PONG, Cancel, EventsCodec, Ping, PlainCodec, Resume

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


@pytest.mark.parametrize(
    "event", [Accepted("t", "s", "p"), Queued(1), Token('"}'), DONE, Failed("queue.full", "Too many.")]
)
def test_an_event_of_a_turn_that_can_be_resumed_has_its_number_and_is_otherwise_the_same(
    event: Accepted | Queued | Token | Done | Failed,
) -> None:
    codec = EventsCodec()
    (bare,), (numbered,) = codec.encode(event), codec.encode(event, 12)
    assert json.loads(numbered) == {**json.loads(bare), "n": 12}
    assert list(codec.token("x", 3)) == list(codec.encode(Token("x"), 3))


def test_without_a_number_frames_are_what_they_always_were() -> None:
    codec = EventsCodec()
    assert list(codec.token("Hi")) == ['{"type":"token","text":"Hi"}']
    (accepted,) = codec.encode(Accepted("t", "s", "p"))
    assert accepted == '{"type":"accepted","turn":"t","session":"s","persona":"p"}'


def test_how_a_turn_ended_is_told_whole() -> None:
    (frame,) = EventsCodec().encode(Ended("t", "s", "s", "cancelled", "turn.cancelled", "Stopped.", "Hal"))
    assert json.loads(frame) == {
        "type": "ended",
        "turn": "t",
        "session": "s",
        "conversation": "s",
        "outcome": "cancelled",
        "code": "turn.cancelled",
        "message": "Stopped.",
        "answer": "Hal",
        "provenance": None,
    }


def test_a_ping_and_a_wish_to_resume() -> None:
    codec = EventsCodec()
    assert codec.decode('{"ping": true}') == Ping()
    assert json.loads(PONG) == {"type": "pong"}
    assert codec.decode('{"resume": "t1"}') == Resume("t1")
    assert codec.decode('{"resume": "t1", "seen": 7}') == Resume("t1", 7)
    asked = codec.decode('{"prompt": "Hi", "request": "3f2b-0000_A", "after": ""}')
    assert asked == Frame("Hi", request="3f2b-0000_A", after="")


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
        '{"prompt": "x", "given": [' + ",".join(['{"kind": "text", "text": ""}'] * 65) + "]}",
        '{"prompt": "x", "request": "short"}',
        '{"prompt": "x", "request": "with a blank"}',
        '{"prompt": "x", "request": "a-name-and-a-line\\n"}',
        '{"prompt": "x", "request": "' + "x" * 65 + '"}',
        '{"resume": ""}',
        '{"resume": "t1", "seen": -1}',
        '{"resume": "t1", "seen": 1.5}',
        '{"prompt": "x", "given": [{"kind": "text", "text": 3}]}',
        "[" * 100_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(MenagerieError) as refused:
        EventsCodec().decode(text)
    assert refused.value.code is ErrorCode.FRAME_INVALID
