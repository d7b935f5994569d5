"""What comes out is valid JSON under the schema, or an error: whatever the engine does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.provenance import SchemaFacts
from menagerie.engines.chat import ChatRequest, Chunk
from menagerie.structured.answer import Account, constrained
from menagerie.structured.schema import CompiledSchema, compile_schema
from menagerie.structured.verification import SchemaViolation
from tests.structured.hostile import ASK, saying, whole

PERSON = compile_schema(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "born": {"type": "string", "format": "date"},
            "tags": {"type": "array", "items": {"enum": ["cat", "dog"]}, "minItems": 1},
            "score": {"type": "number"},
        },
        "required": ["name", "born", "tags", "score"],
        "additionalProperties": False,
    }
)
ANSWER = '{"name":"Zoé \\"Z\\" 🦊","born":"2024-02-29","tags":["cat","dog"],"score":-1.5e3}'
UNIQUE = compile_schema({"type": "array", "items": {"type": "integer"}, "uniqueItems": True})


async def test_a_guaranteed_answer_streams_before_it_is_complete() -> None:
    chunks = [chunk async for chunk in constrained(saying(ANSWER), ASK, PERSON)]
    assert len(chunks) > 10
    assert "".join(chunk.text for chunk in chunks) == ANSWER
    assert chunks[-1].finish == "stop"


@pytest.mark.parametrize("cut", range(1, len(ANSWER)))
async def test_a_cut_at_any_place_still_gives_valid_json(cut: int) -> None:
    account = Account()
    text, last = await whole(saying(ANSWER[:cut], finish="length"), PERSON, account=account)
    PERSON.verify(text)
    kept = ANSWER[:cut] if text.startswith(ANSWER[:cut]) else ANSWER[: ANSWER.rindex(",", 0, cut)]
    assert text.startswith(kept)
    assert last.finish == "length"
    assert account.closed


async def test_a_name_that_gets_no_value_is_left_out_where_the_schema_allows() -> None:
    compiled = compile_schema({"type": "object", "additionalProperties": {"type": "array", "minItems": 9}})
    for cut in range(2, 12):
        text, _ = await whole(saying('{"remarks":['[:cut], finish="length", piece=1), compiled)
        assert json.loads(text) == {}


async def test_the_last_brace_is_not_handed_on_before_the_whole_is_verified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: CompiledSchema, text: str, seconds: float = 0) -> object:
        raise SchemaViolation("type", "/", "refused for the test")

    monkeypatch.setattr(CompiledSchema, "verify", refuse)
    answer, seen = constrained(saying(ANSWER, piece=1), ASK, PERSON), ""
    while not seen.endswith("-1.5e3"):
        seen += (await anext(answer)).text
    with pytest.raises(MenagerieError) as caught:
        await anext(answer)
    assert caught.value.code is ErrorCode.SCHEMA_NOT_MET


async def test_prose_is_never_handed_on() -> None:
    account = Account()
    with pytest.raises(MenagerieError) as caught:
        await whole(saying("I would rather talk about foxes."), PERSON, account=account)
    assert caught.value.code is ErrorCode.SCHEMA_NOT_MET
    assert account.attempts == 3


async def test_json_in_a_fence_is_taken_out_of_it() -> None:
    pretty = json.dumps(json.loads(ANSWER), indent=2)
    text, _ = await whole(saying(f"Here it is:\n```json\n{pretty}\n```\nEnjoy!"), PERSON)
    assert json.loads(text) == json.loads(ANSWER)
    assert "\n" not in text


async def test_blanks_between_tokens_are_left_out_while_streaming() -> None:
    spaced = json.dumps(json.loads(ANSWER), ensure_ascii=False)
    text, last = await whole(saying(spaced), PERSON)
    assert json.loads(text) == json.loads(ANSWER)
    assert ": " not in text
    assert last.finish == "stop"


async def test_properties_in_an_order_of_the_engines_own_are_valid_too() -> None:
    turned = json.dumps(dict(reversed(json.loads(ANSWER).items())))
    text, _ = await whole(saying(turned), PERSON)
    assert json.loads(text) == json.loads(ANSWER)


async def test_an_engine_that_turns_to_prose_in_the_middle_is_closed_by_us() -> None:
    text, last = await whole(saying(ANSWER[:30] + "}}} well, never mind"), PERSON)
    PERSON.verify(text)
    assert last.finish == "length"


async def test_an_engine_that_dies_in_the_middle_is_closed_by_us_and_before_it_is_its_own_error() -> None:
    text, last = await whole(saying(ANSWER[:30], dies=True), PERSON)
    PERSON.verify(text)
    assert last.finish == "length"
    with pytest.raises(MenagerieError) as caught:
        await whole(saying("", dies=True), PERSON)
    assert caught.value.code is ErrorCode.ENGINE_LOST


@pytest.mark.parametrize(
    "loop",
    [
        '{"name":"' + " " * 3000,
        '{"name":"' + "ab" * 3000,
        '{"a":' + "1" * 3000,
        '{"a":[' + '"x",' * 2000,
        "{" + "\n" * 3000,
    ],
)
async def test_loops_are_ended_long_before_the_last_token(loop: str) -> None:
    compiled = compile_schema(None) if '"a"' in loop else PERSON
    consumed = 0

    async def endless(request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        nonlocal consumed
        for character in loop:
            consumed += 1
            yield Chunk(character)
        yield Chunk(finish="length")

    text, last = await whole(endless, compiled)
    compiled.verify(text)
    assert last.finish == "length"
    assert len(text) < 1_500
    assert consumed < 1_500


async def test_duplicate_keys_are_stopped_before_they_are_handed_on() -> None:
    text, _ = await whole(saying('{"a":1,"a":2}'), compile_schema(None))
    assert compile_schema(None).verify(text)


async def test_an_answer_that_is_only_verified_is_held_back_and_asked_for_again() -> None:
    requests: list[ChatRequest] = []
    replies = iter(["[1,1,1,1]", "[1,2,3]"])

    async def chat(request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        requests.append(request)
        async for chunk in saying(next(replies))(request):
            yield chunk

    account = Account()
    text, last = await whole(chat, UNIQUE, account=account)
    assert text == "[1,2,3]"
    assert account.attempts == 2
    assert last.usage is not None
    assert last.usage.prompt == 20
    assert "uniqueItems" in requests[1].messages[-1].content
    assert requests[0].grammar == UNIQUE.grammar
    assert requests[0].schema == UNIQUE.schema


async def test_what_breaks_the_schema_is_left_out_where_most_can_be_kept() -> None:
    account = Account()
    text, last = await whole(saying("[1,2,3,2]"), UNIQUE, account=account)
    assert text == "[1,2,3]"
    assert last.finish == "stop"
    assert account.attempts == 1
    assert account.facts(UNIQUE) == SchemaFacts(
        verdict="verified",
        strength="coerced",
        guaranteed=("items", "type"),
        verified=("uniqueItems",),
        repaired=True,
    )


async def test_a_repair_that_would_leave_little_is_kept_for_when_nothing_else_helps() -> None:
    account = Account()
    text, _ = await whole(saying("[1,1,1,1]"), UNIQUE, account=account)
    assert text == "[1]"
    assert account.attempts == 3


async def test_where_nothing_can_be_kept_the_error_names_the_keyword() -> None:
    compiled = compile_schema({"type": "string", "not": {"pattern": "no|never"}})
    with pytest.raises(MenagerieError) as caught:
        await whole(saying('"no"'), compiled)
    assert caught.value.code is ErrorCode.SCHEMA_NOT_MET
    assert caught.value.values["keyword"] == "not"


async def test_all_attempts_together_have_a_budget_of_tokens() -> None:
    asked: list[int] = []

    async def chat(request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        asked.append(request.max_tokens)
        for _ in range(request.max_tokens):
            yield Chunk("no ")
        yield Chunk(finish="length")

    with pytest.raises(MenagerieError):
        await whole(chat, UNIQUE)
    assert sum(asked) <= 3 * ASK.max_tokens


async def test_an_engine_that_refuses_the_grammar_is_asked_by_the_schema() -> None:
    async def chat(request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        if request.grammar:
            raise MenagerieError(ErrorCode.ENGINE_REFUSED)
        assert request.schema == PERSON.schema
        yield Chunk(ANSWER)
        yield Chunk(finish="stop")

    assert (await whole(chat, PERSON))[0] == ANSWER


async def test_a_caller_who_leaves_stops_the_engine() -> None:
    stopped = False

    async def chat(request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        nonlocal stopped
        try:
            for piece in ANSWER:
                yield Chunk(piece)
        finally:
            stopped = True

    answer = constrained(chat, ASK, PERSON)
    await anext(answer)
    await answer.aclose()
    assert stopped


async def test_who_breaks_off_an_answer_that_is_held_back_has_had_it_written_all_the_same() -> None:
    compiled = compile_schema({"type": "array", "items": {"type": "integer"}, "uniqueItems": True})
    assert not compiled.guaranteed
    begun, account = asyncio.Event(), Account()

    async def endless(_: ChatRequest) -> AsyncGenerator[Chunk, None]:
        yield Chunk("[")
        for number in range(5):
            yield Chunk(f"{number},")
        begun.set()
        await asyncio.Event().wait()

    async def read() -> None:
        async for _ in constrained(endless, ASK, compiled, account=account):
            pass

    reading = asyncio.create_task(read())
    await begun.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert account.written == 6
