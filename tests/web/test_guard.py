"""What holds for every request and every answer, over real connections."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest

from menagerie.web.guard import CONTENT_SECURITY_POLICY
from tests.web.serving import Parts, parts, raw, raw_answer, serving

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/gpt/otter", "/describe/otter", "/openapi.json"])
async def test_every_answer_has_the_security_headers(tmp_path: Path, path: str) -> None:
    async with serving(parts(tmp_path)) as client, client.get(path) as response:
        assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        permissions = response.headers["Permissions-Policy"].split(", ")
        assert {"microphone=()", "camera=(self)", "clipboard-read=(self)", "payment=()"} <= set(permissions)
        assert response.headers["Cache-Control"] == "no-store"


async def test_every_request_gets_its_own_number_whatever_it_says_itself(tmp_path: Path) -> None:
    numbers = set()
    async with serving(parts(tmp_path)) as client:
        for _ in range(3):
            async with client.get("/healthz", headers={"X-Request-Id": "mine"}) as response:
                (number,) = response.headers.getall("X-Request-Id")
                assert re.fullmatch(r"[0-9a-f]{16}", number)
                numbers.add(number)
    assert len(numbers) == 3


async def test_a_foreign_host_is_refused_before_any_route(tmp_path: Path) -> None:
    given = parts(tmp_path)
    async with serving(given) as client:
        for accept in ("*/*", "text/html"):
            headers = {"Host": "evil.example", "Accept": accept}
            async with client.get("/gpt/otter?prompt=x", headers=headers) as response:
                assert response.status == 421
                assert (await response.text()).endswith("[request.host_refused]\n")
                assert "Content-Security-Policy" in response.headers
        said = await raw_answer(client, b"GET /gpt/otter?prompt=x HTTP/1.0\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 421")
    assert given.turns.requests == []


async def test_a_page_of_another_site_cannot_act(tmp_path: Path) -> None:
    given = parts(tmp_path)
    async with serving(given) as client:
        headers = {"Origin": "http://evil.example", **FORM}
        async with client.post("/gpt/otter", data=b"prompt=x", headers=headers) as response:
            assert response.status == 403
            assert (await response.text()).endswith("[request.origin_refused]\n")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect("/echo", headers={"Origin": "http://evil.example"})
        assert refused.value.status == 403
    assert given.turns.requests == []


async def test_the_services_own_page_can_act(tmp_path: Path) -> None:
    async with serving(parts(tmp_path)) as client:
        own = {"Origin": str(client._base_url).rstrip("/")}
        async with client.post("/gpt/otter", data=b"prompt=x", headers={**own, **FORM}) as response:
            assert response.status == 200
        async with client.ws_connect("/echo", headers=own) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"


async def test_a_body_that_says_it_is_too_large_is_refused_and_the_client_can_read_why(
    tmp_path: Path,
) -> None:
    given = parts(tmp_path, max_body=1024)
    async with serving(given) as client:
        async with client.post(
            "/gpt/otter", data=BytesIO(b"prompt=" + b"x" * 5_000_000), headers=FORM
        ) as response:
            assert response.status == 413
            assert "1024" in await response.text()
        async with client.post("/gpt/otter", data=b"prompt=x", headers=FORM) as response:
            assert response.status == 200
    assert len(given.turns.requests) == 1


async def test_a_body_that_does_not_say_how_large_it_is_is_counted(tmp_path: Path) -> None:
    given = parts(tmp_path, max_body=1024)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"prompt="
        for _ in range(50):
            yield b"x" * 1000
            await asyncio.sleep(0)

    async with serving(given) as client, client.post("/gpt/otter", data=pieces(), headers=FORM) as response:
        assert response.status == 413
    assert given.turns.requests == []


async def test_a_body_of_the_largest_size_is_taken(tmp_path: Path) -> None:
    async with serving(parts(tmp_path, max_body=1024)) as client:
        body = b"prompt=" + b"x" * (1024 - len("prompt="))
        async with client.post("/gpt/otter", data=body, headers=FORM) as response:
            assert response.status == 200
        async with client.post("/gpt/otter", data=body + b"x", headers=FORM) as response:
            assert response.status == 413


async def test_a_client_that_reads_only_after_it_has_sent_all_still_reads_why(tmp_path: Path) -> None:
    head = b"POST /gpt/otter HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n"
    async with serving(parts(tmp_path, max_body=1024)) as client, raw(client) as (reader, writer):
        for piece in (head, *[b"x" * 100_000] * 30):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.005)
        assert (await reader.read()).startswith(b"HTTP/1.1 413")


async def test_a_client_that_asks_first_is_told_no_at_once_and_need_not_send(tmp_path: Path) -> None:
    request = b"POST /gpt/otter HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\nExpect: 100-continue\r\n\r\n"
    async with serving(parts(tmp_path, max_body=1024)) as client, asyncio.timeout(1):
        said = await raw_answer(client, request)
    assert said.startswith(b"HTTP/1.1 413")
    assert b"100 Continue" not in said


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"99999999999999999999999999", "٣".encode(), b"5, 5", b""])
async def test_a_length_that_is_none_reaches_no_turn(tmp_path: Path, length: bytes) -> None:
    given = parts(tmp_path)
    async with serving(given) as client:
        head = b"POST /gpt/otter HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        kind = b"Content-Type: application/x-www-form-urlencoded\r\n"
        said = await raw_answer(client, head + kind + b"Content-Length: " + length + b"\r\n\r\n")
        assert said[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 413"}
        await _still_serves(client)
    assert given.turns.requests == []


async def test_a_body_that_comes_a_byte_at_a_time_is_given_up(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.body_patience = 0.5
    head = b"POST /gpt/otter HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    async with serving(given) as client, raw(client) as (reader, writer):
        writer.write(head + b"Content-Type: application/x-www-form-urlencoded\r\n\r\n")
        answer = asyncio.create_task(reader.readline())
        async with asyncio.timeout(5):
            while not answer.done():
                writer.write(b"x")
                await asyncio.sleep(0.05)
        assert (await answer).startswith(b"HTTP/1.1 408")
        await _still_serves(client)
    assert given.turns.requests == []


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 200_000 + b"\r\n",
        b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX\x00Y: z\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    ],
    ids=["one large header", "many headers", "a long address", "a NUL in a name", "TLS"],
)
async def test_monstrous_requests_disturb_nobody_else(tmp_path: Path, request_head: bytes) -> None:
    given = parts(tmp_path)
    async with serving(given) as client:
        await raw_answer(client, request_head, seconds=2)
        await _still_serves(client)


async def test_websockets_are_counted_and_refused_with_a_whole_answer_when_there_are_too_many(
    tmp_path: Path,
) -> None:
    async with serving(parts(tmp_path, connections_per_address=2)) as client:
        first, second = await client.ws_connect("/echo"), await client.ws_connect("/echo")
        refused = await _refusal(client)
        assert refused.status == 503
        assert refused.headers is not None
        assert refused.headers["Retry-After"] == "10"
        assert "X-Request-Id" in refused.headers
        await _still_serves(client)
        await first.close()
        async with asyncio.timeout(5):
            third = await _connected(client)
        await third.send_str("hello")
        assert await third.receive_str() == "hello"
        await second.close()
        await third.close()


async def test_a_refused_websocket_says_why(tmp_path: Path) -> None:
    upgrade = (
        b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nOrigin: http://evil.example\r\n\r\n"
    )
    async with serving(parts(tmp_path)) as client:
        said = await raw_answer(client, upgrade, seconds=2)
    assert said.startswith(b"HTTP/1.1 403")
    assert b"[request.origin_refused]" in said


async def test_clients_behind_a_proxy_are_counted_apart(tmp_path: Path) -> None:
    given = parts(tmp_path, connections_per_address=1, trusted_proxies="127.0.0.0/8")
    async with serving(given) as client:
        one = await client.ws_connect("/echo", headers={"X-Forwarded-For": "192.0.2.1"})
        other = await client.ws_connect("/echo", headers={"X-Forwarded-For": "192.0.2.2"})
        assert (await _refusal(client, "6.6.6.6, 192.0.2.1")).status == 503
        await one.close()
        await other.close()


async def test_nobody_escapes_the_count_by_a_header_of_their_own(tmp_path: Path) -> None:
    async with serving(parts(tmp_path, connections_per_address=1)) as client:
        one = await client.ws_connect("/echo", headers={"X-Forwarded-For": "192.0.2.1"})
        assert (await _refusal(client, "192.0.2.2")).status == 503
        await one.close()


async def test_identity_headers_of_an_untrusted_peer_reach_no_turn(tmp_path: Path) -> None:
    for trusted, names in (("", ()), ("127.0.0.1", ("eve",))):
        given: Parts = parts(tmp_path, trusted_proxies=trusted)
        eve = {"X-Forwarded-User": "eve"}
        async with serving(given) as client, client.get("/gpt/otter?prompt=x", headers=eve) as response:
            assert response.status == 200
        assert given.turns.requests[0].user.names == names


async def _refusal(client: aiohttp.ClientSession, hops: str = "") -> aiohttp.WSServerHandshakeError:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect("/echo", headers={"X-Forwarded-For": hops} if hops else {})
    return refused.value


async def _connected(client: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    """A websocket, as soon as the server has noticed that another one is closed."""
    while True:
        try:
            return await client.ws_connect("/echo")
        except aiohttp.WSServerHandshakeError:
            await asyncio.sleep(0.02)


async def _still_serves(client: aiohttp.ClientSession) -> None:
    async with client.get("/healthz") as response:
        assert response.status == 200


async def test_who_leaves_in_the_middle_of_a_body_is_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(parts(tmp_path)) as client:
        for path, kind in (("gpt", "application/x-www-form-urlencoded"), ("toil", "application/json")):
            async with raw(client) as (_, writer):
                head = f"POST /{path}/otter HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
                writer.write(head.encode() + b"Content-Length: 100\r\n\r\nprompt=")
                await writer.drain()
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)
    assert "request_failed" not in caplog.text + "".join(capsys.readouterr())
