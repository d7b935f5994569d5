"""What `/v1` makes of requests: turns, or errors that name the field."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from menagerie.conversation.running import TurnRequest
from menagerie.core.errors import MenagerieError
from menagerie.core.identity import User
from menagerie.store.database import Store
from menagerie.web.keys import Caller
from menagerie.web.openai import chat, completions, responses
from menagerie.web.openai.dispatch import ENDPOINTS, answer
from menagerie.web.routes import openai
from menagerie.web.services import Services
from tests.web.serving import Parts, a_failure, application, parts, serving

ASK: dict[str, Any] = {"model": "otter", "messages": [{"role": "user", "content": "Hello?"}]}
NOBODY = Caller(User())


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Parts]:
    given = parts(tmp_path)
    given.routers = (openai.router,)
    given.store = await Store.open("", tmp_path / "store")
    yield given
    await given.store.close()


def services(given: Parts) -> Services:
    found: Services = application(given).state.services
    return found


async def asked(served: Parts, body: dict[str, Any], path: str = "/v1/chat/completions") -> TurnRequest:
    async with serving(served) as client, client.post(path, json=body) as response:
        assert response.status == 200, await response.text()
    return served.turns.requests[-1]


async def refused(served: Parts, body: Any, path: str = "/v1/chat/completions") -> dict[str, Any]:
    async with serving(served) as client, client.post(path, json=body) as response:
        assert 400 <= response.status < 500
        error: dict[str, Any] = (await response.json())["error"]
    assert set(error) == {"message", "type", "param", "code", "menagerie"}
    assert served.turns.requests == []
    return error


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/chat/completions", {**ASK, "messages": [{"role": "user", "content": ""}] * 30_000}, "messages"),
        (
            "/v1/chat/completions",
            {**ASK, "messages": [{"role": "user", "content": [{"type": "text", "text": ""}] * 20_000}]},
            "messages[0].content",
        ),
        (
            "/v1/responses",
            {
                "model": "otter",
                "input": [{"type": "function_call", "call_id": "", "name": "", "arguments": ""}] * 10_000
                + [{"role": "user", "content": "Hello?"}],
            },
            "input",
        ),
    ],
    ids=["messages", "parts", "items"],
)
async def test_of_very_many_messages_none_is_read(
    served: Parts, path: str, body: dict[str, Any], field: str
) -> None:
    assert (await refused(served, body, path))["param"] == field


async def test_messages_become_instructions_history_and_the_one_that_is_answered(served: Parts) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    turn = await asked(
        served,
        {
            **ASK,
            "messages": [
                {"role": "developer", "content": "Be kind."},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}],
                },
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": "Seen."},
                {"role": "system", "content": "Be brief."},
            ],
        },
    )
    assert turn.instructions == "Be kind.\n\nBe brief."
    assert [message.role for message in turn.history] == ["user", "assistant"]
    assert turn.history[0].content == "One.\nTwo."
    assert turn.history[1].calls[0].name == "look"
    assert turn.last is not None
    assert (turn.last.role, turn.last.answers, turn.prompt) == ("tool", "c1", "Seen.")


async def test_a_chat_is_kept_only_when_that_is_asked_for(served: Parts) -> None:
    assert not (await asked(served, ASK)).kept
    assert (await asked(served, {**ASK, "store": True})).kept


async def test_a_program_can_let_people_go_first(served: Parts) -> None:
    assert not (await asked(served, ASK)).batch
    async with serving(served) as client:
        for path, body in (
            ("chat/completions", ASK),
            ("completions", {"model": "otter", "prompt": "x"}),
            ("responses", {"model": "otter", "input": "x"}),
        ):
            async with client.post(
                f"/v1/{path}", json=body, headers={"X-Menagerie-Priority": "batch"}
            ) as response:
                assert response.status == 200
            assert served.turns.requests[-1].batch


@pytest.mark.parametrize("codec", [chat, responses])
async def test_pictures_are_looked_at_beside_the_event_loop(
    served: Parts, codec: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small one may hold a hundred milliseconds of compressed remarks."""
    looked_in: list[threading.Thread] = []
    look = Image.open

    def noting(*of: Any, **how: Any) -> Any:
        looked_in.append(threading.current_thread())
        return look(*of, **how)

    monkeypatch.setattr(Image, "open", noting)
    written = io.BytesIO()
    Image.new("RGB", (1, 1)).save(written, "PNG")
    address = f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"
    picture = (
        {"type": "image_url", "image_url": {"url": address}}
        if codec is chat
        else {"type": "input_image", "image_url": address}
    )
    said = [{"role": "user", "content": [picture]}]
    body = {**VALID[codec], "messages" if codec is chat else "input": said}
    await codec.decode(services(served), NOBODY, "en", body)
    assert looked_in
    assert threading.main_thread() not in looked_in


async def test_what_is_null_counts_as_not_given(served: Parts) -> None:
    turn = await asked(
        served, {**ASK, "stop": None, "logit_bias": None, "tools": None, "response_format": None}
    )
    assert turn.sampling.stop == ()


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("temperature", 2.1, "temperature"),
        ("temperature", "warm", "temperature"),
        ("top_p", -0.1, "top_p"),
        ("max_tokens", 0, "max_tokens"),
        ("max_tokens", -1, "max_tokens"),
        ("max_tokens", 2**40, "max_tokens"),
        ("n", 2, "n"),
        ("stop", [""], "stop[0]"),
        ("top_logprobs", 3, "top_logprobs"),
        ("logit_bias", {"1": 100}, "logit_bias"),
        ("functions", [], "functions"),
        ("n_predict", 5, "n_predict"),
        ("grammar", 'root ::= "x"', "grammar"),
        ("cache_prompt", False, "cache_prompt"),
        ("id_slot", 0, "id_slot"),
        ("model", "nobody", None),
        ("messages", [], "messages"),
        ("messages", "Hello?", "messages"),
        ("messages", [{"role": "wizard", "content": "x"}], "messages[0].role"),
        ("messages", [{"role": "user"}], "messages[0].content"),
        ("messages", [{"role": "user", "content": "x", "weight": 1}], "messages[0].weight"),
        ("messages", [{"role": "user", "content": [{"type": "input_audio"}]}], "messages[0].content[0].type"),
        ("messages", [{"role": "assistant", "content": "x"}], "messages"),
        ("tools", [{"type": "web_search"}], "tools[0].type"),
        ("tools", [{"type": "function", "function": {"name": "a b"}}], "tools[0].function.name"),
        ("tool_choice", "required", "tool_choice"),
        ("response_format", {"type": "yaml"}, "response_format.type"),
        (
            "response_format",
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "thing"}}},
            "response_format.json_schema.schema",
        ),
        (
            "tools",
            [{"type": "function", "function": {"name": "f", "parameters": {"type": "thing"}}}],
            "tools[0].function.parameters",
        ),
    ],
)
async def test_a_wrong_field_is_named(served: Parts, field: str, value: object, param: str | None) -> None:
    error = await refused(served, {**ASK, field: value})
    assert error["param"] == param


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("temperature", 9, "must be 2 or less"),
        ("max_tokens", 0, "must be 1 or more"),
        ("max_tokens", "ten", "of the JSON type integer"),
        ("messages", {}, "of the JSON type array"),
        ("stop", ["x"] * 17, "a length of 16 or less"),
    ],
)
async def test_an_error_says_what_is_allowed(served: Parts, field: str, value: object, says: str) -> None:
    assert says in (await refused(served, {**ASK, field: value}))["message"]


async def test_probabilities_and_stops_are_of_free_text_alone(served: Parts) -> None:
    schema = {"type": "json_object"}
    assert (await refused(served, {**ASK, "logprobs": True, "response_format": schema}))[
        "param"
    ] == "logprobs"
    assert (await refused(served, {**ASK, "stop": "x", "response_format": schema}))["param"] == "stop"


async def test_the_schemas_of_all_functions_together_are_bounded(served: Parts) -> None:
    names = {f"field_{number}": {"type": "string", "description": "x" * 90} for number in range(100)}
    tools = [
        {"type": "function", "function": {"name": f"f{number}", "parameters": {"properties": names}}}
        for number in range(8)
    ]
    error = await refused(served, {**ASK, "tools": tools})
    assert (error["code"], error["param"]) == ("schema.too_complex", "tools")


async def test_an_error_is_told_in_the_callers_language(served: Parts) -> None:
    french = {"Accept-Language": "fr"}
    async with (
        serving(served) as client,
        client.post("/v1/chat/completions", json={**ASK, "n": 3}, headers=french) as response,
    ):
        assert response.headers["Content-Language"] == "fr"
        assert "champ" in (await response.json())["error"]["message"]


async def test_a_stream_that_breaks_off_says_so_and_is_not_done(served: Parts) -> None:
    served.turns.script = a_failure("engine.lost", "Hel")
    async with (
        serving(served) as client,
        client.post("/v1/chat/completions", json={**ASK, "stream": True}) as response,
    ):
        assert response.status == 200
        lines = [line for line in (await response.text()).split("\n\n") if line]
    assert json.loads(lines[-1].removeprefix("data: "))["error"]["code"] == "engine.lost"
    assert "[DONE]" not in "".join(lines)


async def test_a_stream_that_fails_before_its_first_word_has_the_status_of_its_failure(served: Parts) -> None:
    served.turns.script = a_failure("queue.full", retry_after=7)
    async with (
        serving(served) as client,
        client.post("/v1/chat/completions", json={**ASK, "stream": True}) as response,
    ):
        assert response.status == 503
        assert response.headers["Retry-After"] == "7"


async def test_who_goes_away_stops_the_work(served: Parts) -> None:
    served.turns.hangs = True
    async with serving(served) as client:
        for stream in (False, True):
            served.turns.cancelled.clear()
            response = client.post("/v1/chat/completions", json={**ASK, "stream": stream})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3), response as opened:
                    await opened.read()
            await asyncio.wait_for(served.turns.cancelled.wait(), 5)


async def test_a_request_as_a_value_is_answered_as_over_http(served: Parts) -> None:
    given = services(served)
    reply = await answer(given, NOBODY, "en", "/v1/chat/completions", ASK)
    assert (reply.status, reply.body["choices"][0]["message"]["content"]) == (200, "Hello there")
    assert served.turns.requests[-1].batch
    for endpoint in ENDPOINTS[:3]:
        wrong = await answer(given, NOBODY, "fr", endpoint, {"model": "otter", "surprise": 1})
        assert (wrong.status, wrong.body["error"]["param"]) == (400, "surprise")
        assert wrong.request_id
        assert wrong.body["error"]["menagerie"]["request"] == wrong.request_id
    served.turns.script = a_failure("queue.full", retry_after=3)
    later = await answer(given, NOBODY, "en", "/v1/chat/completions", ASK)
    assert (later.status, later.retry_after) == (503, 3)
    assert (await answer(given, NOBODY, "en", "/v1/nothing", ASK)).status == 404


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = {
    chat: [*chat.ChatBody.__struct_fields__, *sorted(chat.UNSUPPORTED)],
    completions: [*completions.CompletionBody.__struct_fields__],
    responses: [*responses.ResponseBody.__struct_fields__],
}
VALID: dict[Any, dict[str, Any]] = {
    chat: ASK,
    completions: {"model": "otter", "prompt": "x"},
    responses: {"model": "otter", "input": [{"role": "user", "content": "x"}]},
}


@pytest.mark.parametrize("codec", [chat, completions, responses])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_whatever_is_sent_becomes_a_turn_or_an_error_of_ours(
    served: Parts, codec: Any, data: Any
) -> None:
    names = data.draw(st.lists(st.sampled_from(FIELDS[codec]), max_size=3, unique=True))
    body = {**VALID[codec], **{name: data.draw(JSON) for name in names}}
    decoded = None
    with contextlib.suppress(MenagerieError):
        decoded = await codec.decode(services(served), NOBODY, "en", body)
    if decoded is not None:
        assert decoded.turns if codec is completions else decoded.turn
