"""`/gpt/<persona>`: a prompt in, the whole answer out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec
import pytest

from menagerie.core.events import Done
from menagerie.locales import text
from tests.web.serving import a_failure, a_turn, parts, raw, serving


async def test_a_prompt_in_the_address_is_answered_with_the_whole_text(tmp_path: Path) -> None:
    given = parts(tmp_path)
    async with serving(given) as client, client.get("/gpt/otter", params={"prompt": "Hé ?"}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert await response.text() == "Hello there"
        assert "X-Session-Id" not in response.headers
    (asked,) = given.turns.requests
    assert (asked.persona, asked.prompt, asked.session, asked.channel) == ("otter", "Hé ?", None, "gpt")


async def test_places_to_look_in_reach_the_turn(tmp_path: Path) -> None:
    given = parts(tmp_path)
    fields = {"prompt": "Hi", "sources": "wikipedia.org| canada.ca |"}
    async with serving(given) as client, client.get("/gpt/otter", params=fields):
        pass
    assert given.turns.requests[0].sources == ("wikipedia.org", "canada.ca")


@pytest.mark.parametrize("multipart", [False, True])
async def test_a_prompt_in_a_form_is_answered(tmp_path: Path, multipart: bool) -> None:
    given = parts(tmp_path)
    form = aiohttp.FormData(default_to_multipart=multipart)
    form.add_field("prompt", "Où est l’été & l'hiver = là ?")
    async with serving(given) as client, client.post("/gpt/otter", data=form) as response:
        assert (response.status, await response.text()) == (200, "Hello there")
    assert given.turns.requests[0].prompt == "Où est l’été & l'hiver = là ?"


async def test_an_empty_session_begins_a_conversation_and_its_id_goes_on_with_it(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.turns.script = a_turn("Yes", session="abc")
    async with serving(given) as client:
        async with client.post("/gpt/otter", data={"prompt": "One", "session": ""}) as response:
            assert response.headers["X-Session-Id"] == "abc"
        async with client.post("/gpt/otter", data={"prompt": "Two", "session": "abc"}) as response:
            assert response.headers["X-Session-Id"] == "abc"
    assert [asked.session for asked in given.turns.requests] == [None, "abc"]


@pytest.mark.parametrize("prompt", ["", " \n\t"])
async def test_an_empty_prompt_is_refused_in_the_callers_language(tmp_path: Path, prompt: str) -> None:
    given = parts(tmp_path)
    async with serving(given) as client:
        async with client.get("/gpt/otter", params={"prompt": prompt, "lang": "fr"}) as response:
            assert response.status == 400
            assert await response.text() == f"{text('error.prompt.empty', 'fr')} [prompt.empty]\n"
            assert response.headers["Content-Language"] == "fr"
        async with client.post("/gpt/otter") as response:
            assert response.status == 400
    assert given.turns.requests == []


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("session.unknown", 404),
        ("queue.full", 503),
        ("engine.lost", 503),
        ("engine.timeout", 504),
        ("internal", 500),
    ],
)
async def test_a_turn_that_fails_gives_its_status_and_sentence_and_nothing_of_the_answer(
    tmp_path: Path, code: str, status: int
) -> None:
    given = parts(tmp_path)
    given.turns.script = a_failure(code, "Half an ans", retry_after=2.2)
    async with serving(given) as client, client.get("/gpt/otter?prompt=hello") as response:
        assert (response.status, await response.text()) == (status, f"It failed. [{code}]\n")
        assert response.headers["Retry-After"] == "3"


async def test_an_error_is_json_for_who_asks_for_json(tmp_path: Path) -> None:
    async with (
        serving(parts(tmp_path)) as client,
        client.get("/gpt/nobody?prompt=hello", headers={"Accept": "application/json"}) as response,
    ):
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "persona.unknown"


@pytest.mark.parametrize(
    "name",
    [
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "otter%00",
        "otter%0d%0aSet-Cookie:%20a=b",
        quote("оttеr"),
        quote("otter\u202e"),
        "%ff%fe",
        "otter.json",
        "x" * 5000,
    ],
)
async def test_no_trick_with_a_personas_name_gives_anything_but_not_found(tmp_path: Path, name: str) -> None:
    given = parts(tmp_path)
    async with serving(given) as client, raw(client) as (reader, writer):
        writer.write(
            f"GET /gpt/{name}?prompt=x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        said = (await reader.read()).decode()
    head, _, body = said.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 404")
    assert "set-cookie" not in head.lower()
    assert len(body) < 300
    assert not {character for character in body if ord(character) < 32} - {"\n"}
    assert str(tmp_path) not in body
    assert given.turns.requests == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"prompt=%ff", "application/x-www-form-urlencoded", 400),
        (b"prompt=\xff", "application/x-www-form-urlencoded", 400),
        (b"prompt=a&prompt=b", "application/x-www-form-urlencoded", 400),
        (b"a=b&" * 100, "application/x-www-form-urlencoded", 400),
        (b'{"prompt": "a"}', "application/json", 415),
        (b"prompt=a", "", 415),
        (b"no boundary here", "multipart/form-data; boundary=x", 400),
        (b"prompt", "multipart/form-data", 415),
        (
            b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n\xff\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            400,
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="prompt"; filename="a"\r\n\r\nb\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            400,
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\ncut off',
            "multipart/form-data; boundary=x",
            400,
        ),
    ],
)
async def test_a_form_that_is_not_one_is_refused(tmp_path: Path, body: bytes, kind: str, status: int) -> None:
    given = parts(tmp_path)
    headers = {"Content-Type": kind} if kind else {}
    async with (
        serving(given) as client,
        client.post("/gpt/otter", data=body, headers=headers, skip_auto_headers=["Content-Type"]) as response,
    ):
        assert response.status == status
        assert (await response.text()).endswith("[request.invalid]\n")
    assert given.turns.requests == []


async def test_other_methods_are_refused_and_told_which_work(tmp_path: Path) -> None:
    async with serving(parts(tmp_path)) as client, client.delete("/gpt/otter") as response:
        assert response.status == 405
        assert response.headers["Allow"] in (await response.text())
        assert (await response.text()).endswith("[request.method_not_allowed]\n")


async def test_a_client_that_goes_away_cancels_its_turn_at_once(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.turns.hangs = True
    async with serving(given) as client:
        async with raw(client) as (_, writer):
            writer.write(b"GET /gpt/otter?prompt=x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await given.turns.begun.wait()
            assert not given.turns.cancelled.is_set()
        async with asyncio.timeout(0.2):
            await given.turns.cancelled.wait()


async def test_a_header_tells_how_the_answer_has_ended(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.turns.script = a_turn("cut o")
    *before, done = given.turns.script
    assert isinstance(done, Done)
    cut = msgspec.structs.replace(done, provenance=msgspec.structs.replace(done.provenance, finish="length"))
    given.turns.script = [*before, cut]
    async with serving(given) as client, client.get("/gpt/otter?prompt=x") as response:
        assert response.headers["X-Menagerie-Finish"] == "length"
