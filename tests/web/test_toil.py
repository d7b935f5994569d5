"""`/toil/<persona>`: work under a JSON Schema."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.web.serving import a_failure, a_turn, parts, raw, serving

JSON = {"Content-Type": "application/json"}


async def test_the_answer_is_streamed_as_json(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.turns.script = a_turn('{"a": ', "1}")
    async with serving(given) as client, client.post("/toil/otter", json={"prompt": "Work"}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert response.headers["Cache-Control"] == "no-store"
        assert "X-Session-Id" not in response.headers
        assert await response.json() == {"a": 1}
    (asked,) = given.turns.requests
    assert (asked.persona, asked.prompt, asked.session, asked.given, asked.channel) == (
        "otter",
        "Work",
        None,
        (),
        "toil",
    )
    assert asked.compiled is not None


async def test_the_first_piece_is_there_before_the_last_is_made(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.turns.script = a_turn('{"a": ', "1}")
    given.turns.hangs = True
    async with serving(given) as client, client.post("/toil/otter", json={"prompt": "Work"}) as response:
        assert await response.content.readany() != b""
        assert not given.turns.cancelled.is_set()


async def test_text_and_schema_and_session_reach_the_turn(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.turns.script = a_turn("{}", session="next")
    work = {"prompt": "Work", "text": "Some text", "schema": {"type": "object"}, "session": "abc"}
    async with serving(given) as client, client.post("/toil/otter", json=work) as response:
        assert response.headers["X-Session-Id"] == "next"
    (asked,) = given.turns.requests
    assert asked.session == "abc"
    assert [(one.kind, one.text) for one in asked.given] == [("text", "Some text")]
    assert asked.compiled is not None
    assert asked.compiled.schema == {"type": "object"}


@pytest.mark.parametrize("text", ["https://example.org/page", " HTTP://example.org/a?b=c "])
async def test_an_address_in_the_place_of_text_is_that_of_a_page(tmp_path: Path, text: str) -> None:
    given = parts(tmp_path)
    work = {"prompt": "Work", "text": text}
    async with serving(given) as client, client.post("/toil/otter", json=work) as response:
        assert response.status == 200
    assert [(one.address, one.given) for one in given.turns.requests] == [(text.strip(), ())]


async def test_places_to_look_in_reach_the_turn(tmp_path: Path) -> None:
    given = parts(tmp_path)
    work = {"prompt": "Work", "sources": [" canada.ca", "facts:hr", "canada.ca", ""]}
    async with serving(given) as client, client.post("/toil/otter", json=work):
        pass
    assert given.turns.requests[0].sources == ("canada.ca", "facts:hr")


@pytest.mark.parametrize(
    "sources", ["canada.ca", [1], ["a.ca"] * 9 + [f"{n}.ca" for n in range(9)], ["a" * 254]]
)
async def test_what_is_no_list_of_places_is_refused(tmp_path: Path, sources: object) -> None:
    async with serving(parts(tmp_path)) as client:
        assert await _status(client, {"prompt": "Work", "sources": sources}) == 400


async def test_text_with_an_address_in_it_is_text(tmp_path: Path) -> None:
    given = parts(tmp_path)
    work = {"prompt": "Work", "text": "https://example.org/page says otherwise"}
    async with serving(given) as client, client.post("/toil/otter", json=work) as response:
        assert response.status == 200
    assert [(one.address, len(one.given)) for one in given.turns.requests] == [("", 1)]


async def test_nulls_count_as_not_given(tmp_path: Path) -> None:
    given = parts(tmp_path)
    work = {"prompt": "Work", "text": None, "schema": None, "session": None}
    async with serving(given) as client, client.post("/toil/otter", json=work) as response:
        assert response.status == 200
    assert (given.turns.requests[0].session, given.turns.requests[0].given) == (None, ())


@pytest.mark.parametrize(
    ("body", "status", "code", "names"),
    [
        (b"", 400, "request.invalid", "1"),
        (b"{", 400, "request.invalid", "column"),
        (b"[]", 400, "request.invalid", "object"),
        (b'"prompt"', 400, "request.invalid", "object"),
        (b"{}", 400, "request.invalid", "prompt"),
        (b'{"prompt": ""}', 400, "prompt.empty", ""),
        (b'{"prompt": 1}', 400, "request.invalid", "prompt"),
        (b'{"prompt": "a", "text": ["b"]}', 400, "request.invalid", "text"),
        (b'{"prompt": "a", "session": 1}', 400, "request.invalid", "session"),
        (b'{"prompt": "a", "promt": "b"}', 400, "request.invalid", "promt"),
        (b'{"prompt": "a", "prompt": "b"}', 400, "request.invalid", "prompt"),
        (b'{"prompt": "a", "schema": {"minimum": NaN}}', 400, "request.invalid", "NaN"),
        (b'{"prompt": "a", "schema": {"minimum": 1e999}}', 400, "request.invalid", "digits"),
        (b'{"prompt": "a", "schema": ' + b"9" * 5000 + b"}", 400, "request.invalid", "digits"),
        (
            b'{"prompt": "a", "schema": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            400,
            "request.invalid",
            "64",
        ),
        (b'{"prompt": "\xff"}', 400, "request.invalid", "UTF-8"),
        (b'{"prompt": "\\ud800"}', 400, "request.invalid", "UTF-8"),
        (b'{"prompt": "a", "schema": "nonsense"}', 400, "schema.invalid", ""),
    ],
)
async def test_bad_work_is_refused_with_its_fault_named(
    tmp_path: Path, body: bytes, status: int, code: str, names: str
) -> None:
    given = parts(tmp_path)
    async with serving(given) as client, client.post("/toil/otter", data=body, headers=JSON) as response:
        error = (await response.json())["error"]
        assert (response.status, error["code"]) == (status, code)
        assert names in error["message"]
        assert error["request"] == response.headers["X-Request-Id"]
    assert given.turns.requests == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"]
)
async def test_what_does_not_say_it_is_json_is_refused(tmp_path: Path, kind: str) -> None:
    async with (
        serving(parts(tmp_path)) as client,
        client.post("/toil/otter", data=b'{"prompt": "a"}', headers={"Content-Type": kind}) as response,
    ):
        assert response.status == 415
        assert (await response.json())["error"]["code"] == "request.invalid"


async def test_an_unknown_persona_is_refused_before_the_body_is_looked_at(tmp_path: Path) -> None:
    async with serving(parts(tmp_path)) as client, client.post("/toil/nobody", data=b"{") as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "persona.unknown"


async def test_a_failure_before_the_first_piece_has_its_status(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.turns.script = a_failure("schema.not_met", retry_after=None)
    async with serving(given) as client, client.post("/toil/otter", json={"prompt": "Work"}) as response:
        assert response.status == 422
        assert response.headers["Content-Type"] == "application/json"
        assert (await response.json())["error"]["code"] == "schema.not_met"


async def test_an_answer_without_a_piece_is_not_a_whole_one(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.turns.script = a_turn()
    async with serving(given) as client, client.post("/toil/otter", json={"prompt": "Work"}) as response:
        assert response.status == 422


async def test_a_failure_after_the_first_piece_breaks_the_body_off(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.turns.script = a_failure("engine.lost", '{"a": 1}')
    async with serving(given) as client, client.post("/toil/otter", json={"prompt": "Work"}) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_client_that_goes_away_cancels_its_turn_at_once(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.turns.script = a_turn('{"a": ')
    given.turns.hangs = True
    async with serving(given) as client:
        async with client.post("/toil/otter", json={"prompt": "Work"}) as response:
            await response.content.readany()
            response.close()
        async with asyncio.timeout(0.2):
            await given.turns.cancelled.wait()


async def test_a_client_that_reads_nothing_loses_its_turn(tmp_path: Path) -> None:
    given = parts(tmp_path, send_timeout=0.3)
    given.turns.script = a_turn(*["x" * 1_000_000] * 40)
    body = json.dumps({"prompt": "Work"}).encode()
    head = b"POST /toil/otter HTTP/1.1\r\nHost: localhost\r\n"
    head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    async with serving(given) as client, raw(client) as (_, writer):
        writer.write(head % len(body) + body)
        async with asyncio.timeout(5):
            await given.turns.cancelled.wait()


async def test_others_are_answered_while_a_large_schema_is_compiled(tmp_path: Path) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {f"p{n}": {"type": "string"} for n in range(20_000)},
    }
    answered = 0
    async with serving(parts(tmp_path)) as client:
        working = asyncio.create_task(_status(client, {"prompt": "Work", "schema": schema}))
        while not working.done():
            async with client.get("/healthz") as response:
                assert response.status == 200
            answered += not working.done()
        assert await working in {200, 400}
    assert answered >= 2


async def _status(client: aiohttp.ClientSession, work: dict[str, Any]) -> int:
    async with client.post("/toil/otter", json=work) as response:
        return response.status


@pytest.mark.parametrize(
    ("priority", "batch"), [("batch", True), (" Batch ", True), ("high", False), ("", False)]
)
@pytest.mark.parametrize("path", ["/toil/otter", "/gpt/otter"])
async def test_a_caller_may_let_people_go_first(
    tmp_path: Path, path: str, priority: str, batch: bool
) -> None:
    given = parts(tmp_path)
    given.turns.script = a_turn("{}")
    headers = {"X-Menagerie-Priority": priority}
    work: dict[str, Any] = {"json" if "toil" in path else "data": {"prompt": "Work"}}
    async with serving(given) as client, client.post(path, headers=headers, **work) as response:
        assert response.status == 200
    (asked,) = given.turns.requests
    assert asked.batch is batch
