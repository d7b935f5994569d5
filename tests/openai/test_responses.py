"""What OpenAI's client gets from `/v1/responses` and `/v1/completions`, on a real engine."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from pydantic import BaseModel

import openai
from tests.service import Service

pytestmark = pytest.mark.engine

TOOL: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Place(BaseModel):
    name: str
    people: int


def test_a_response_has_its_words_and_its_cost(client: openai.OpenAI) -> None:
    response = client.responses.create(model="beaver", input="Hello?", max_output_tokens=6)
    assert response.output_text
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.usage is not None
    assert response.usage.output_tokens == 6


def test_a_response_goes_on_from_the_one_before_and_can_branch(client: openai.OpenAI) -> None:
    def ask(text: str, before: str | None = None) -> Any:
        return client.responses.create(
            model="beaver", input=text, previous_response_id=before, max_output_tokens=6, temperature=0
        )

    first = ask("One.")
    second = ask("Two.", first.id)
    branch = ask("Two.", first.id)
    alone = ask("Two.")
    assert second.usage.input_tokens > alone.usage.input_tokens
    assert second.output_text == branch.output_text
    third = ask("Three.", second.id)
    other = ask("Three.", branch.id)
    assert third.usage.input_tokens == other.usage.input_tokens


def test_a_response_can_be_got_again_unless_it_was_not_to_be_kept(client: openai.OpenAI) -> None:
    kept = client.responses.create(model="beaver", input="Hello?", max_output_tokens=6)
    again = client.responses.retrieve(kept.id)
    assert again.output_text == kept.output_text
    assert again.usage == kept.usage
    forgotten = client.responses.create(model="beaver", input="Hello?", max_output_tokens=6, store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(forgotten.id)
    with pytest.raises(openai.NotFoundError) as unknown:
        client.responses.create(model="beaver", input="And?", previous_response_id=forgotten.id)
    assert unknown.value.param == "previous_response_id"


def test_a_response_can_be_forgotten(client: openai.OpenAI) -> None:
    first = client.responses.create(model="beaver", input="One.", max_output_tokens=4)
    second = client.responses.create(
        model="beaver", input="Two.", previous_response_id=first.id, max_output_tokens=4
    )
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    third = client.responses.create(
        model="beaver", input="Three.", previous_response_id=second.id, max_output_tokens=4
    )
    alone = client.responses.create(model="beaver", input="Three.", max_output_tokens=4)
    assert third.usage is not None
    assert second.usage is not None
    assert alone.usage is not None
    assert alone.usage.input_tokens < third.usage.input_tokens
    with pytest.raises(openai.NotFoundError):
        client.responses.delete("resp_unknown")


def test_what_goes_on_from_a_kept_response_need_not_be_kept(client: openai.OpenAI) -> None:
    kept = client.responses.create(model="beaver", input="One.", max_output_tokens=4)
    aside = client.responses.create(
        model="beaver", input="Two.", previous_response_id=kept.id, store=False, max_output_tokens=4
    )
    after = client.responses.create(
        model="beaver", input="Three.", previous_response_id=kept.id, max_output_tokens=4
    )
    assert aside.usage is not None
    assert after.usage is not None
    assert after.usage.input_tokens - aside.usage.input_tokens < 8


def test_a_streamed_response_is_told_in_order_and_adds_up(client: openai.OpenAI) -> None:
    events = list(client.responses.create(model="beaver", input="Hello?", stream=True, max_output_tokens=9))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        events[-1].type,
    ]
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert events[-1].type in {
        "response.incomplete",
        "response.completed",
    }  # as the model has drawn its words
    assert events[-1].response.output_text == said


def test_a_response_under_a_schema_parses_as_what_it_is(client: openai.OpenAI) -> None:
    response = client.responses.parse(model="beaver", input="Hello?", text_format=Place, max_output_tokens=40)
    assert isinstance(response.output_parsed, Place)
    assert response.status == "completed"


def test_a_call_and_its_result_go_through_a_session(client: openai.OpenAI) -> None:
    response = client.responses.create(
        model="beaver", input="The weather?", tools=[TOOL], tool_choice="required"
    )
    call = response.output[0]
    assert call.type == "function_call"
    assert isinstance(json.loads(call.arguments)["city"], str)
    again = client.responses.retrieve(response.id).output[0]
    assert again.type == "function_call"
    assert again.arguments == call.arguments
    answered = client.responses.create(
        model="beaver",
        previous_response_id=response.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "-3 °C, snow"}],
        max_output_tokens=6,
    )
    assert answered.output_text


def test_another_persona_cannot_take_over_a_conversation(client: openai.OpenAI) -> None:
    first = client.responses.create(model="beaver", input="Hello?", max_output_tokens=4)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="owl", input="And?", previous_response_id=first.id)
    assert refused.value.param == "model"


def test_a_request_that_is_refused_begins_no_branch(client: openai.OpenAI, service: Service) -> None:
    first = client.responses.create(model="beaver", input="One.", max_output_tokens=4)
    client.responses.create(model="beaver", input="Two.", previous_response_id=first.id, max_output_tokens=4)

    def sessions() -> int:
        with closing(sqlite3.connect(service.data / "menagerie.sqlite3")) as database:
            return int(database.execute("SELECT count(*) FROM sessions").fetchone()[0])

    before = sessions()
    for wrong in ({"model": "owl"}, {"model": "beaver", "tool_choice": "required"}):
        asked: dict[str, Any] = {"input": "Three.", "previous_response_id": first.id, **wrong}
        with pytest.raises(openai.BadRequestError):
            client.responses.create(**asked)
    assert sessions() == before


def test_each_prompt_is_completed_in_its_place(client: openai.OpenAI) -> None:
    completion = client.completions.create(
        model="beaver", prompt=["One", "Two", "Three"], max_tokens=4, temperature=0, logprobs=2
    )
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    alone = client.completions.create(model="beaver", prompt="Two", max_tokens=4, temperature=0)
    assert completion.choices[1].text == alone.choices[0].text
    logprobs = completion.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens is not None
    assert len(logprobs.tokens) == 4
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 12


def test_a_completion_streams(client: openai.OpenAI) -> None:
    pieces = list(client.completions.create(model="beaver", prompt="One", max_tokens=5, stream=True))
    assert "".join(piece.choices[0].text for piece in pieces)
    assert pieces[-1].choices[0].finish_reason == "length"
