"""What OpenAI's client gets from `/v1/chat/completions`, on a real engine."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

import openai

pytestmark = pytest.mark.engine

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello?"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 12}, "days": {"enum": [1, 2, 3]}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
CLOCK: ChatCompletionToolParam = {"type": "function", "function": {"name": "get_time"}}


class Place(BaseModel):
    name: str
    people: int


def arguments(message: Any) -> list[dict[str, Any]]:
    return [json.loads(call.function.arguments) for call in message.tool_calls or ()]


def meets(value: object) -> bool:
    parameters = WEATHER["function"]["parameters"]
    return bool(jsonschema.Draft202012Validator(parameters).is_valid(value))


def test_the_personas_are_models(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert "beaver" in names
    assert client.models.retrieve("beaver").owned_by == "menagerie"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.models.retrieve("gpt-5")
    assert unknown.value.code == "model_not_found"


def test_an_answer_tells_what_it_cost_and_how_it_came_about(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="beaver", messages=HELLO, max_tokens=7)
    assert answer.model == "beaver"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 7
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 7
    assert answer.model_extra is not None
    assert answer.model_extra["menagerie"]["provenance"]["model"]["file"] == "tiny.gguf"


def test_a_stream_says_the_same_as_the_whole_answer(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "beaver", "messages": HELLO, "temperature": 0, "max_tokens": 12}
    whole = client.chat.completions.create(**asked)
    pieces = list(
        client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    )
    assert pieces[0].choices[0].delta.role == "assistant"
    said = "".join(choice.delta.content or "" for piece in pieces for choice in piece.choices)
    assert said == whole.choices[0].message.content
    assert [
        choice.finish_reason for piece in pieces[:-2] for choice in piece.choices if choice.finish_reason
    ] == []
    assert pieces[-2].choices[0].finish_reason == "length"
    assert pieces[-1].choices == []
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens == 12
    assert len({piece.id for piece in pieces}) == 1


def test_the_same_seed_draws_the_same_answer(client: openai.OpenAI) -> None:
    def drawn(seed: int) -> str | None:
        answer = client.chat.completions.create(
            model="beaver", messages=HELLO, seed=seed, temperature=1.5, max_tokens=16
        )
        return answer.choices[0].message.content

    assert drawn(-5) == drawn(-5)
    assert drawn(-5) != drawn(6)


def test_an_answer_ends_before_what_should_stop_it(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "beaver", "messages": HELLO, "temperature": 0, "max_tokens": 16}
    whole = client.chat.completions.create(**asked).choices[0].message.content or ""
    stop = whole[4:6]
    stopped = client.chat.completions.create(**asked, stop=[stop]).choices[0]
    assert stopped.message.content == whole[: whole.index(stop)]
    assert stopped.finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_each_token_tells_its_probability_and_what_else_could_have_stood_there(
    client: openai.OpenAI, stream: bool
) -> None:
    asked: dict[str, Any] = {"model": "beaver", "messages": HELLO, "logprobs": True, "top_logprobs": 2}
    answer = client.chat.completions.create(**asked, max_tokens=6, temperature=0, stream=stream)
    choices = [choice for piece in answer for choice in piece.choices] if stream else answer.choices  # type: ignore[union-attr]
    tokens = [token for choice in choices if choice.logprobs for token in choice.logprobs.content or ()]
    assert len(tokens) == 6
    assert all(len(token.top_logprobs) == 2 for token in tokens)
    assert all(token.logprob == max(one.logprob for one in token.top_logprobs) for token in tokens)


def test_an_answer_under_a_schema_parses_as_what_it_is(client: openai.OpenAI) -> None:
    for seed in range(4):
        answer = client.chat.completions.parse(
            model="beaver", messages=HELLO, response_format=Place, seed=seed, max_tokens=40
        )
        assert isinstance(answer.choices[0].message.parsed, Place)


def test_a_json_object_is_one(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="beaver", messages=HELLO, response_format={"type": "json_object"}, max_tokens=24
    )
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_is_demanded_comes_with_arguments_that_meet_the_schema(
    client: openai.OpenAI, stream: bool
) -> None:
    asked: dict[str, Any] = {"model": "beaver", "messages": HELLO, "tools": [WEATHER, CLOCK]}
    asked["tool_choice"] = {"type": "function", "function": {"name": "get_weather"}}
    if stream:
        with client.chat.completions.stream(**asked) as events:
            for _ in events:
                pass
            choice: Any = events.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(**asked).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert [call.function.name for call in choice.message.tool_calls] == ["get_weather"]
    assert meets(arguments(choice.message)[0])


def test_required_means_one_call_at_least_and_no_call_comes_twice(client: openai.OpenAI) -> None:
    for parallel in (False, True):
        choice = client.chat.completions.create(
            model="beaver",
            messages=HELLO,
            tools=[WEATHER, CLOCK],
            tool_choice="required",
            parallel_tool_calls=parallel,
        ).choices[0]
        calls = choice.message.tool_calls or []
        assert choice.finish_reason == "tool_calls"
        assert 1 <= len(calls) <= (8 if parallel else 1)
        told = [(call.function.name, call.function.arguments) for call in calls if call.type == "function"]
        assert len(set(told)) == len(told)


def test_a_free_choice_is_a_call_or_words_and_none_is_words(client: openai.OpenAI) -> None:
    tools = [WEATHER, CLOCK]
    free = client.chat.completions.create(model="beaver", messages=HELLO, tools=tools).choices[0].message
    assert free.content or free.tool_calls
    no_call = client.chat.completions.create(
        model="beaver", messages=HELLO, tools=tools, tool_choice="none", max_tokens=5
    )
    assert no_call.choices[0].message.content
    assert not no_call.choices[0].message.tool_calls


def test_the_result_of_a_call_can_be_answered(client: openai.OpenAI) -> None:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city":"Ottawa","days":1}'},
    }
    said: list[Any] = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "-3 °C, snow"},
    ]
    answer = client.chat.completions.create(
        model="beaver", messages=said, tools=[WEATHER], tool_choice="none"
    )
    assert answer.choices[0].message.content


def test_what_does_not_fit_is_told_as_openai_tells_it(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(
            model="beaver", messages=[{"role": "user", "content": "many words " * 3000}]
        )
    assert long.value.code == "context_length_exceeded"


def test_a_persona_answers_in_the_language_that_is_asked_for(client: openai.OpenAI) -> None:
    french = client.with_options(default_headers={"Accept-Language": "fr-CA"})
    with pytest.raises(openai.NotFoundError) as unknown:
        french.chat.completions.create(model="personne", messages=HELLO)
    assert "modèle" in str(unknown.value)


def test_a_service_without_vectors_lists_none_and_says_so(client: openai.OpenAI) -> None:
    assert not [model.id for model in client.models.list() if "minilm" in model.id.lower()]
    with pytest.raises(openai.APIStatusError) as off:
        client.embeddings.create(model="any", input="Hello?")
    assert off.value.code == "embeddings.off"
