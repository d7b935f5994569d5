"""What the client makes of engines that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import tracemalloc
from collections.abc import AsyncGenerator

import msgspec
import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message
from menagerie.engines.chat import ChatRequest, Chunk
from menagerie.engines.client import HttpEngine
from tests.engines.faulty_server import EVENTS, FaultyServer, event, faulty, reply

ASK = ChatRequest(messages=(Message("system", "Soyez bref."), Message("user", "Ça va?")), max_tokens=12)
DONE = b"data: [DONE]\n\n"


@contextlib.asynccontextmanager
async def client_of(
    server: FaultyServer, *, native: bool = False, token_timeout: float = 5.0
) -> AsyncGenerator[HttpEngine, None]:
    client = HttpEngine(server.address, key="secret", model="m", token_timeout=token_timeout, native=native)
    try:
        yield client
    finally:
        await client.close()


async def answer_of(client: HttpEngine, request: ChatRequest = ASK) -> list[Chunk]:
    return [chunk async for chunk in client.chat(request)]


async def failure_of(client: HttpEngine) -> MenagerieError:
    with pytest.raises(MenagerieError) as failure:
        await answer_of(client)
    return failure.value


async def test_an_answer_arrives() -> None:
    async with faulty(EVENTS + event("Ça ") + event("va.") + DONE) as server, client_of(server) as client:
        assert await answer_of(client) == [Chunk(text="Ça va.", finish="stop")]


async def test_a_character_cut_between_two_reads_arrives_whole() -> None:
    wire = b'data: {"choices":[{"delta":{"content":"' + "🦫é".encode() + b'"}}]}\n\n'

    async def slowly(writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS)
        for byte in wire + DONE:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.001)

    async with faulty(slowly) as server, client_of(server) as client:
        assert "".join(chunk.text for chunk in await answer_of(client)) == "🦫é"


@pytest.mark.parametrize(
    "wire",
    [
        EVENTS,
        EVENTS + event("half an ans"),
        EVENTS + event("half") + b'data: {"choices":[{"delta":{"con',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + f"{len(event('a')):x}\r\n".encode()
        + event("a")
        + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + event("a"),
        b"",
        b"HTTP/1.1 200",
        b"this is not HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Endless: " + b"a" * 1_000_000,
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(100_000)),
    ],
    ids=[
        "nothing",
        "after a token",
        "in an event",
        "in chunked coding",
        "short of its length",
        "no response",
        "half a status",
        "no http",
        "endless header",
        "endless headers",
    ],
)
async def test_an_answer_that_is_cut_is_lost(wire: bytes) -> None:
    async with faulty(wire) as server, client_of(server) as client:
        assert (await failure_of(client)).code is ErrorCode.ENGINE_LOST


async def test_what_came_before_the_cut_is_handed_on() -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS + event("first"))
        await writer.drain()
        await asyncio.sleep(0.05)

    async with faulty(cut) as server, client_of(server) as client:
        chunks = client.chat(ASK)
        assert await anext(chunks) == Chunk(text="first")
        with pytest.raises(MenagerieError) as lost:
            await anext(chunks)
        assert lost.value.code is ErrorCode.ENGINE_LOST


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (reply(401, b'{"error": {"message": "Invalid API Key"}}'), ErrorCode.ENGINE_REFUSED),
        (reply(404, b"<html><h1>Not found</h1></html>"), ErrorCode.ENGINE_REFUSED),
        (reply(500, b'{"error": {"message": "boom"}}'), ErrorCode.ENGINE_REFUSED),
        (reply(429, b"slow down"), ErrorCode.ENGINE_UNAVAILABLE),
        (reply(503, b'{"error": {"message": "Loading model"}}'), ErrorCode.ENGINE_UNAVAILABLE),
        (reply(204), ErrorCode.ENGINE_REFUSED),
        (
            reply(
                400,
                b'{"error":{"type":"exceed_context_size_error","n_prompt_tokens":20,"n_ctx":10}}',
            ),
            ErrorCode.PROMPT_TOO_LONG,
        ),
        (EVENTS + b'data: {"error":{"message":"boom"}}\n\n', ErrorCode.ENGINE_REFUSED),
        (EVENTS + b"data: garbage\n\n", ErrorCode.ENGINE_LOST),
        (reply(200, b"<html>hello</html>"), ErrorCode.ENGINE_LOST),
    ],
    ids=["401", "404", "500", "429", "503", "204", "400", "error event", "garbage event", "html"],
)
async def test_a_refusal_is_one_of_our_errors(wire: bytes, code: ErrorCode) -> None:
    async with faulty(wire) as server, client_of(server) as client:
        failure = await failure_of(client)
        assert failure.code is code
        assert (failure.retry_after is not None) is (code is ErrorCode.ENGINE_UNAVAILABLE)


async def test_a_refusal_that_comes_in_pieces_is_read_whole() -> None:
    body = b'{"error":{"type":"exceed_context_size_error","n_prompt_tokens":20,"n_ctx":10}}'

    async def slowly(writer: asyncio.StreamWriter) -> None:
        wire = reply(400, body)
        for cut in (wire[:-50], wire[-50:-20], wire[-20:]):
            writer.write(cut)
            await writer.drain()
            await asyncio.sleep(0.02)

    async with faulty(slowly) as server, client_of(server) as client:
        assert (await failure_of(client)).values == {"tokens": 20, "window": 10}


async def test_an_endless_refusal_is_not_read_to_its_end() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 X\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with faulty(endless) as server, client_of(server) as client:
        assert (await failure_of(client)).code is ErrorCode.ENGINE_REFUSED


async def test_an_event_of_ten_megabytes_is_refused_and_never_held() -> None:
    async def huge(writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS + b"data: ")
        for _ in range(160):
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with faulty(huge) as server, client_of(server) as client:
        tracemalloc.start()
        try:
            assert (await failure_of(client)).code is ErrorCode.ENGINE_LOST
            assert tracemalloc.get_traced_memory()[1] < 6_000_000
        finally:
            tracemalloc.stop()


async def test_an_engine_that_accepts_and_never_answers_is_timed_out() -> None:
    async def never(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with faulty(never) as server, client_of(server, token_timeout=0.3) as client:
        began = time.monotonic()
        failure = await failure_of(client)
        assert failure.code is ErrorCode.ENGINE_TIMEOUT
        assert time.monotonic() - began < 2
        assert client.hung


async def test_an_engine_that_falls_silent_is_timed_out_but_one_that_reads_a_long_prompt_is_not() -> None:
    progress = b'data: {"choices":[{"delta":{"content":null}}],"prompt_progress":{"processed":1}}\n\n'

    async def reads_then_hangs(writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS)
        for _ in range(6):
            writer.write(progress)
            await asyncio.sleep(0.1)
        writer.write(event("a"))
        await asyncio.sleep(60)

    async with faulty(reads_then_hangs) as server, client_of(server, token_timeout=0.4) as client:
        began = time.monotonic()
        chunks = client.chat(ASK)
        assert await anext(chunks) == Chunk(text="a")
        assert time.monotonic() - began > 0.5
        with pytest.raises(MenagerieError) as failure:
            await anext(chunks)
        assert failure.value.code is ErrorCode.ENGINE_TIMEOUT


async def test_silence_on_one_answer_is_no_hang_while_another_is_written() -> None:
    async def either(writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS)
        if len(server.heads) == 1:
            await asyncio.sleep(60)
        for _ in range(200):
            writer.write(event("a"))
            await asyncio.sleep(0.02)

    async with faulty(either) as server, client_of(server, token_timeout=0.5) as client:
        silent = asyncio.create_task(failure_of(client))
        await asyncio.sleep(0.1)
        writing = client.chat(ASK)
        while not silent.done():
            await anext(writing)
        assert (await silent).code is ErrorCode.ENGINE_TIMEOUT
        assert not client.hung
        await writing.aclose()


async def test_a_reader_who_takes_their_time_is_no_silence_of_the_engine() -> None:
    async def steadily(writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS)
        for _ in range(10):
            writer.write(event("word "))
            await asyncio.sleep(0.05)
        writer.write(DONE)

    async with faulty(steadily) as server, client_of(server, token_timeout=0.3) as client:
        words = ""
        async for chunk in client.chat(ASK):
            if not words:
                await asyncio.sleep(1.0)
            words += chunk.text
        assert words.split() == ["word"] * 10
        assert not client.hung


async def test_a_redirect_is_not_followed_and_takes_the_key_nowhere() -> None:
    async with faulty(EVENTS + event("stolen") + DONE) as thief:
        elsewhere = reply(307, b"", f"Location: {thief.address}/v1/chat/completions")
        async with faulty(elsewhere) as server, client_of(server) as client:
            assert (await failure_of(client)).code is ErrorCode.ENGINE_REFUSED
            assert await client.count("text") > 0
            assert not await client.healthy()
            assert "Bearer secret" in server.heads[0]
        assert thief.heads == []


async def test_an_engine_that_is_not_there_is_unavailable_at_an_address_and_lost_as_a_child() -> None:
    async with faulty(b"") as server:
        pass
    async with client_of(server) as client:
        failure = await failure_of(client)
        assert failure.code is ErrorCode.ENGINE_UNAVAILABLE
        assert failure.retry_after
        assert not await client.healthy()
    async with client_of(server, native=True) as client:
        assert (await failure_of(client)).code is ErrorCode.ENGINE_LOST


async def test_a_closed_connection_is_never_used_again() -> None:
    async with faulty(EVENTS + event("a") + DONE) as server, client_of(server) as client:
        for _ in range(3):
            assert (await answer_of(client))[-1].finish == "stop"
        assert len(server.heads) == 3


async def test_closing_the_generator_hangs_up_at_once() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS)
        while True:
            writer.write(event("a"))
            await asyncio.sleep(0.01)

    async with faulty(endless) as server, client_of(server) as client:
        chunks = client.chat(ASK)
        await anext(chunks)
        await chunks.aclose()
        async with asyncio.timeout(0.2):
            await server.gone.wait()


async def test_closing_the_client_ends_running_answers_as_lost_and_takes_no_more() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS + event("a"))
        await asyncio.sleep(60)

    async with faulty(endless) as server, client_of(server) as client:
        running = client.chat(ASK)
        await anext(running)
        await client.close()
        with pytest.raises(MenagerieError) as lost:
            await anext(running)
        assert lost.value.code is ErrorCode.ENGINE_LOST
        assert (await failure_of(client)).code is ErrorCode.ENGINE_LOST
        with pytest.raises(MenagerieError):
            await client.count("a")
        assert not await client.healthy()


GRAMMAR = ChatRequest(
    messages=ASK.messages,
    max_tokens=7,
    grammar="%llguidance {}\nstart: /a/",
    schema={"type": "object"},
    temperature=0.5,
    seed=3,
)
BY_SCHEMA = msgspec.structs.replace(GRAMMAR, grammar="")
COMMON = {"messages", "max_tokens", "stream", "stream_options", "model"}


@pytest.mark.parametrize(
    ("native", "request_", "fields"),
    [
        (False, ASK, COMMON),
        (False, GRAMMAR, COMMON | {"temperature", "seed", "response_format"}),
        (True, ASK, COMMON | {"return_progress"}),
        (True, GRAMMAR, COMMON | {"return_progress", "temperature", "seed", "grammar"}),
        (True, BY_SCHEMA, COMMON | {"return_progress", "temperature", "seed"}),
    ],
    ids=["address", "address with a schema", "ours", "ours with a grammar", "ours with a schema alone"],
)
async def test_an_engine_is_sent_only_what_it_knows(
    native: bool, request_: ChatRequest, fields: set[str]
) -> None:
    async with faulty(EVENTS + DONE) as server, client_of(server, native=native) as client:
        await answer_of(client, request_)
        sent = json.loads(server.bodies[0])
    assert set(sent) == fields
    assert sent["stream"] is True
    assert sent["messages"] == [
        {"role": "system", "content": "Soyez bref."},
        {"role": "user", "content": "Ça va?"},
    ]
    if "response_format" in fields:
        assert sent["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert "accept-encoding: identity" in server.heads[0].lower()


async def test_where_tokens_are_not_counted_they_are_estimated_and_not_asked_for_again() -> None:
    async with faulty(reply(404)) as server, client_of(server) as client:
        assert await client.count("") == 0
        assert await client.count("abc" * 10) == 10
        assert len(server.heads) == 1


async def test_a_count_that_never_comes_is_timed_out() -> None:
    async def never(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with faulty(never) as server, client_of(server, token_timeout=0.3) as client:
        with pytest.raises(MenagerieError) as failure:
            await client.count("text")
        assert failure.value.code is ErrorCode.ENGINE_TIMEOUT
        assert client.hung


@pytest.mark.parametrize(
    ("wire", "native", "takes"),
    [
        (reply(404), False, True),
        (reply(500, b"{}"), True, False),
        (reply(200, b'{"prompt": "<s>?"}'), True, False),
        (reply(200, b'{"prompt": "<s>menagerie-probe ?"}'), True, True),
    ],
    ids=["does not tell", "refuses", "drops it", "keeps it"],
)
async def test_a_template_is_asked_for_its_place_of_the_system_message(
    wire: bytes, native: bool, takes: bool
) -> None:
    async with faulty(wire) as server, client_of(server, native=native) as client:
        assert await client.takes_system_messages() is takes


async def test_an_engine_without_health_is_healthy_by_its_list_of_models() -> None:
    async def models(writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200, b"{}") if "/v1/models" in server.heads[-1] else reply(404))

    async with faulty(models) as server, client_of(server) as client:
        assert await client.healthy()
