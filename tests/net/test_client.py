"""The way out of the machine: where it goes, what goes along, and what is too much."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from menagerie import __version__
from menagerie.net.client import MAX_REDIRECTS, NetworkError, fetch, open_client, read_limited, send
from menagerie.settings import Settings


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_client(Settings()) as session:
        yield session


@pytest.fixture
async def servers() -> AsyncIterator[tuple[TestServer, TestServer]]:
    """Two servers that tell what they were asked; `/to` redirects to its query's `target`."""
    async with AsyncExitStack() as stack:
        started = []
        for _ in range(2):
            app = web.Application()
            app.router.add_get("/headers", _headers)
            app.router.add_get("/to", _redirect)
            app.router.add_get("/large", _large)
            app.router.add_post("/echo", _echo)
            started.append(TestServer(app, host="127.0.0.1"))
            await started[-1].start_server()
            stack.push_async_callback(started[-1].close)
        yield started[0], started[1]


async def _headers(request: web.Request) -> web.Response:
    response = web.json_response(dict(request.headers))
    response.set_cookie("track", "me")
    return response


async def _echo(request: web.Request) -> web.Response:
    return web.Response(status=418, body=await request.read())


async def _redirect(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": request.query["target"]})


async def _large(_request: web.Request) -> web.Response:
    response = web.Response(body=b"0" * 2_000_000)
    response.enable_compression()
    return response


async def _sent(client: aiohttp.ClientSession, address: str, authorization: str = "") -> dict[str, str]:
    async with fetch(client, address, authorization=authorization) as response:
        sent: dict[str, str] = await response.json()
        return sent


async def test_it_says_who_it_is_and_keeps_no_cookies(
    client: aiohttp.ClientSession, servers: tuple[TestServer, TestServer]
) -> None:
    address = str(servers[0].make_url("/headers"))
    assert (await _sent(client, address))["User-Agent"] == f"menagerie/{__version__}"
    assert "Cookie" not in await _sent(client, address)


async def test_authorization_follows_a_redirect_on_the_same_server_only(
    client: aiohttp.ClientSession, servers: tuple[TestServer, TestServer]
) -> None:
    own, other = servers
    here = own.make_url("/to").with_query(target="/headers")
    away = own.make_url("/to").with_query(target=str(other.make_url("/headers")))
    back = own.make_url("/to").with_query(target=f"http://localhost:{own.port}/headers")
    assert (await _sent(client, str(here), "Bearer x"))["Authorization"] == "Bearer x"
    assert "Authorization" not in await _sent(client, str(away), "Bearer x")
    assert "Authorization" not in await _sent(client, str(back), "Bearer x")
    theirs = own.make_url("/to").with_query(target=f"http://x:y@localhost:{other.port}/headers")
    assert "Authorization" not in await _sent(client, str(theirs))
    named = here.with_user("me").with_password("secret")
    assert (await _sent(client, str(named)))["Authorization"].startswith("Basic ")
    assert "Authorization" not in await _sent(client, str(away.with_user("me").with_password("secret")))


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "", "http://", "http://["])
async def test_a_redirect_to_anything_but_http_is_refused(
    client: aiohttp.ClientSession, servers: tuple[TestServer, TestServer], target: str
) -> None:
    with pytest.raises(NetworkError) as caught:
        await _sent(client, str(servers[0].make_url("/to").with_query(target=target)))
    assert caught.value.reason in {"scheme", "redirect"}


async def test_a_circle_of_redirects_ends(
    client: aiohttp.ClientSession, servers: tuple[TestServer, TestServer]
) -> None:
    asked = []

    async def turn(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response(status=302, headers={"Location": "/round"})

    app = web.Application()
    app.router.add_get("/round", turn)
    async with TestServer(app, host="127.0.0.1") as server:
        with pytest.raises(NetworkError) as caught:
            await _sent(client, str(server.make_url("/round")))
    assert caught.value.reason == "redirect"
    assert len(asked) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "gopher://x/", "nonsense", "http://", "http://[::1"]
)
async def test_only_http_addresses_are_fetched(client: aiohttp.ClientSession, address: str) -> None:
    with pytest.raises(NetworkError) as caught:
        await _sent(client, address)
    assert caught.value.reason == "scheme"


async def test_a_body_is_read_no_further_than_its_limit(
    client: aiohttp.ClientSession, servers: tuple[TestServer, TestServer]
) -> None:
    async with fetch(client, str(servers[0].make_url("/large"))) as response:
        assert len(await read_limited(response, 2_000_000)) == 2_000_000
    async with fetch(client, str(servers[0].make_url("/large"))) as response:
        with pytest.raises(NetworkError) as caught:
            await read_limited(response, 1_999_999)
    assert caught.value.reason == "too_large"


async def test_a_server_that_is_not_there_is_a_passing_failure_that_names_the_host_only(
    client: aiohttp.ClientSession, unused_tcp_port: int
) -> None:
    with pytest.raises(NetworkError) as caught:
        await _sent(client, f"http://me:secret@127.0.0.1:{unused_tcp_port}/?token=secret")
    assert caught.value.passing
    assert str(caught.value) == "unreachable 127.0.0.1"


async def test_authorities_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    broken = tmp_path / "authorities.pem"
    broken.write_text("no certificate")
    with pytest.raises(NetworkError) as caught:
        open_client(Settings(), authorities=broken)
    assert caught.value.reason == "certificate"


async def test_what_is_sent_goes_to_its_address_alone_and_every_status_is_an_answer(
    client: aiohttp.ClientSession, servers: tuple[TestServer, TestServer]
) -> None:
    async with send(client, "POST", servers[0].make_url("/echo"), b"\xe9") as response:
        assert (response.status, await response.read()) == (418, b"\xe9")
    moved = servers[0].make_url("/to").with_query(target=str(servers[1].make_url("/headers")))
    async with send(client, "GET", moved) as response:
        assert response.status == 302
    with pytest.raises(NetworkError, match="unreachable"):
        async with send(client, "POST", "http://127.0.0.1:9/", b"x"):
            pass
