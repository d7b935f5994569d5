"""A department's own authority and its proxy: whom we trust, what goes through, and who sees which credentials."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from menagerie.net.client import NetworkError, fetch, open_client
from menagerie.net.page import Page, PageClient
from menagerie.settings import Settings
from tests.net.pages import Names, allowing, body

CERTIFICATES = Path(__file__).parent / "certificates"
HOST = "pages.example.org"


class Site:
    """An https server on the loopback, and the headers that it was sent."""

    def __init__(self) -> None:
        self.port = 0
        self.host = "127.0.0.1"
        self.seen: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(dict(request.headers))
        return await body("text", "text/plain")(request)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    found = Site()
    app = web.Application()
    app.router.add_get("/{path:.*}", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / "site.pem")
    listening = web.TCPSite(runner, found.host, 0, ssl_context=context)
    await listening.start()
    found.port = runner.addresses[0][1]
    yield found
    await runner.cleanup()


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))


class Proxy:
    """A proxy on the loopback that connects where it is asked to, names being those of this machine, and notes it."""

    def __init__(self, wants: str = "") -> None:
        self.port = 0
        self.wants = wants
        self.asked: list[str] = []
        self.headers: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.partition("\r\n")[0])
        self.headers.append(head)
        method, target, _ = self.asked[-1].split()
        if self.wants and f"Proxy-Authorization: Basic {self.wants}\r\n" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        elif method == "CONNECT":
            there, back = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nproxy")
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxy(monkeypatch: pytest.MonkeyPatch, user: str = "", wants: str = "") -> AsyncIterator[Proxy]:
    found = Proxy(wants)
    listening = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = listening.sockets[0].getsockname()[1]
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://{user}127.0.0.1:{found.port}/")
    monkeypatch.setenv("no_proxy", "")
    try:
        yield found
    finally:
        listening.close()


async def page(site: Site, host: str = HOST, authorization: str = "") -> Page:
    client = PageClient(allowing(site), Names(pages_example_org=[["127.0.0.1"]]))  # type: ignore[arg-type]
    try:
        return await client.get(f"https://{host}:{site.port}/", 5, authorization=authorization)
    finally:
        await client.close()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
async def test_a_server_of_the_department_s_own_authority_is_trusted(site: Site, host: str) -> None:
    assert (await page(site, host)).body == b"text"


async def test_without_that_authority_it_is_not(site: Site) -> None:
    with pytest.raises(NetworkError, match="certificate"):
        await page(site)
    assert site.seen == []


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_of_another_name_is_not_trusted(site: Site) -> None:
    client = PageClient(allowing(site), Names(other_example_org=[["127.0.0.1"]]))  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match="certificate"):
        await client.get(f"https://other.example.org:{site.port}/")
    await client.close()
    assert site.seen == []


@pytest.mark.usefixtures("trusted")
async def test_models_come_from_such_a_server_too(site: Site) -> None:
    async with (
        open_client(Settings()) as client,
        fetch(client, f"https://localhost:{site.port}/") as response,
    ):
        assert await response.read() == b"text"


@pytest.mark.usefixtures("trusted")
async def test_a_page_comes_through_the_proxy_and_its_certificate_is_still_checked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(monkeypatch) as between:
        assert (await page(site)).body == b"text"
        assert between.asked == [f"CONNECT {HOST}:{site.port} HTTP/1.1"]
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(NetworkError, match="certificate"):
            await page(site)


@pytest.mark.usefixtures("trusted")
async def test_the_proxy_s_credentials_stay_with_it_and_the_site_s_with_the_site(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    wants = b64encode(b"me:pa:ss@word").decode()
    async with proxy(monkeypatch, "me:pa%3Ass%40word@", wants) as between:
        assert (await page(site, authorization="Bearer site")).body == b"text"
        assert "Bearer" not in str(between.headers)
    (seen,) = site.seen
    assert seen["Authorization"] == "Bearer site"
    assert "Proxy-Authorization" not in seen
    assert wants not in str(seen)


@pytest.mark.usefixtures("trusted")
async def test_a_proxy_that_refuses_is_a_failure_that_tells_no_credentials(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(monkeypatch, "me:wrong@", b64encode(b"me:right").decode()):
        with pytest.raises(NetworkError) as caught:
            await page(site)
    assert (caught.value.reason, caught.value.host) == ("unreachable", HOST)
    assert "wrong" not in str(caught.value)
    assert site.seen == []


async def test_a_proxy_that_is_gone_is_not_gone_round(
    site: Site, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{unused_tcp_port}/")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(NetworkError, match="unreachable"):
        await page(site)
    assert site.seen == []


@pytest.mark.usefixtures("trusted")
async def test_the_proxy_is_left_out_for_hosts_that_need_none(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(monkeypatch) as between:
        monkeypatch.setenv("no_proxy", f"{HOST},localhost")
        assert (await page(site)).body == b"text"
        assert between.asked == []


@pytest.mark.usefixtures("trusted")
async def test_downloads_go_through_the_proxy_too_and_its_credentials_to_nobody_else(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    wants = b64encode(b"me:secret").decode()
    async with proxy(monkeypatch, "me:secret@", wants) as between, open_client(Settings()) as client:
        async with fetch(client, f"https://{HOST}:{site.port}/") as response:
            assert await response.read() == b"text"
        assert between.asked == [f"CONNECT {HOST}:{site.port} HTTP/1.1"]
    assert wants not in str(site.seen)


async def test_plain_http_is_asked_of_the_proxy_with_its_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wants = b64encode(b"me:secret").decode()
    names = Names(pages_example_org=[["127.0.0.1"]])
    async with proxy(monkeypatch, "me:secret@", wants) as between:
        client = PageClient(Settings(fetch_allow="127.0.0.1"), names)  # type: ignore[arg-type]
        assert (await client.get(f"http://{HOST}/a?b")).body == b"proxy"
        await client.close()
        assert between.asked == [f"GET http://{HOST}/a?b HTTP/1.1"]
