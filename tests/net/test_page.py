"""A page at a person's address: what is checked before anybody connects, and what is too much."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
import zlib
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web

from menagerie.net.addresses import AddressRules
from menagerie.net.client import NetworkError
from menagerie.net.lookup import CheckedResolver
from menagerie.net.page import LARGEST, MAX_REDIRECTS, Page, PageClient, PageKind
from menagerie.settings import Settings
from tests.net.pages import Answer, Names, allowing, asked, body, server

HTML = "<!doctype html><title>T</title><p>Hello</p>"


async def got(
    address: str, settings: Settings, names: Names | None = None, seconds: float = 5.0, **how: Any
) -> Page:
    client = PageClient(settings, names or Names())
    try:
        return await client.get(address, seconds, **how)
    finally:
        await client.close()


async def reason(address: str, settings: Settings, names: Names | None = None, seconds: float = 5.0) -> str:
    with pytest.raises(NetworkError) as caught:
        await got(address, settings, names, seconds)
    return caught.value.reason


def to(target: str, status: int = 302) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": target})

    return answer


def paths(**answers: Answer) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await answers[request.path.strip("/") or "root"](request)

    return answer


async def test_a_page_is_got_with_where_it_came_from() -> None:
    async with server(paths(root=to("/next"), next=body(HTML, "text/html; charset=utf-8"))) as site:
        names = Names(pages_example_org=[["127.0.0.1"]])
        page = await got(f"http://pages.example.org:{site.port}/#top", allowing(site), names)
        assert (page.kind, page.charset, page.body) == ("html", "utf-8", HTML.encode())
        assert page.address == f"http://pages.example.org:{site.port}/next"
        assert not page.cached
        assert datetime.now(UTC) - page.fetched < timedelta(seconds=5)


async def test_a_page_keeps_what_its_server_says_to_recognize_it_by() -> None:
    marked = body(HTML, ETag='"a1"', Last_Modified="Mon, 02 Jan 2023 03:04:05 GMT")
    async with server(marked) as site:
        page = await got(str(site.make_url("/")), allowing(site))
    assert (page.etag, page.last_modified) == ('"a1"', "Mon, 02 Jan 2023 03:04:05 GMT")


async def test_nothing_is_kept_or_given_away() -> None:
    seen = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers)
        response = web.Response(text="text")
        response.set_cookie("track", "me")
        return response

    async with server(answer) as site:
        client = PageClient(allowing(site), Names())
        for _ in range(2):
            await client.get(str(site.make_url("/")))
        await client.close()
    assert not any({"Cookie", "Authorization", "Referer"} & set(headers) for headers in seen)
    assert {headers["Accept-Encoding"] for headers in seen} == {"gzip, deflate"}


async def test_an_inner_address_is_refused_and_nobody_connects_whether_or_not_somebody_listens(
    unused_tcp_port: int,
) -> None:
    async with server(body(HTML)) as site:
        settings = Settings(fetch_allow="127.0.0.3", fetch_ports=(site.port, unused_tcp_port))  # type: ignore[arg-type]
        names = Names(inside_example_org=[["127.0.0.1"]], both_example_org=[["127.0.0.3", "127.0.0.1"]])
        for host in ("127.0.0.1", "inside.example.org", "both.example.org", "localhost"):
            for port in (site.port, unused_tcp_port):
                assert await reason(f"http://{host}:{port}/", settings, names) == "refused"
        assert asked(site) == []
    assert names.asked == ["inside.example.org"] * 2 + ["both.example.org"] * 2


async def test_one_address_inside_is_enough_to_refuse_a_name() -> None:
    rules = AddressRules(allowed_networks=(ip_network("127.0.0.3/32"),))
    names = Names(one_example_org=[["127.0.0.3"]], both_example_org=[["127.0.0.3", "127.0.0.1"]])
    resolver = CheckedResolver(rules, names)
    assert [found["host"] for found in await resolver.resolve("one.example.org")] == ["127.0.0.3"]
    with pytest.raises(NetworkError):
        await resolver.resolve("both.example.org")


async def test_a_name_that_does_not_exist_is_refused_like_one_that_leads_inside() -> None:
    names = Names(inside_example_org=[["127.0.0.9"]])
    assert await reason("http://nothing.example.org/", Settings(), names) == "refused"
    assert await reason("http://inside.example.org/", Settings(), names) == "refused"


async def test_a_look_up_that_fails_is_not_the_address_s_fault() -> None:
    class Failing(Names):
        async def resolve(self, *_: object, **__: object) -> list[object]:  # type: ignore[override]
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    assert await reason("http://pages.example.org/", Settings(), Failing()) == "unreachable"


async def test_a_redirect_is_checked_like_the_address_itself() -> None:
    async with server(body(HTML), host="127.0.0.2") as inside:
        targets = [
            f"http://127.0.0.2:{inside.port}/",
            f"//127.0.0.2:{inside.port}/",
            f"http://[::ffff:127.0.0.2]:{inside.port}/",
            "http://localhost/",
            "http://127.1/",
            "http://user:secret@127.0.0.1/",
            "file:///etc/passwd",
            "http://127.0.0.1:22/",
        ]
        for target in targets:
            async with server(to(target), port=inside.port) as site:
                assert await reason(str(site.make_url("/")), allowing(site)) == "refused", target
        assert asked(inside) == []


async def test_a_name_that_changes_its_address_on_the_way_is_refused() -> None:
    async with server(body(HTML), host="127.0.0.2") as inside, server(to("/next"), port=inside.port) as site:
        names = Names(rebind_example_org=[["127.0.0.1"], ["127.0.0.2"]])
        assert await reason(f"http://rebind.example.org:{site.port}/", allowing(site), names) == "refused"
        assert (asked(site), asked(inside)) == (["/"], [])


async def test_the_connection_is_made_to_the_address_that_was_checked() -> None:
    async with server(body(HTML), host="127.0.0.2") as inside, server(body("mine"), port=inside.port) as site:
        names = Names(rebind_example_org=[["127.0.0.1"], ["127.0.0.2"]])
        page = await got(f"http://rebind.example.org:{site.port}/", allowing(site), names)
        assert (page.body, names.asked, asked(inside)) == (b"mine", ["rebind.example.org"], [])


async def test_no_socket_is_made_for_an_address_that_went_by_all_checks() -> None:
    async with server(body(HTML)) as site:
        client = PageClient(Settings(), Names())
        with pytest.raises(NetworkError) as caught:
            await client._transport._direct.get(site.make_url("/"))
        await client.close()
        assert (caught.value.reason, asked(site)) == ("refused", [])


async def test_a_circle_of_redirects_ends() -> None:
    async with server(to("/again")) as site:
        assert await reason(str(site.make_url("/")), allowing(site)) == "redirect"
        assert len(asked(site)) == MAX_REDIRECTS + 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate", ""])
async def test_a_page_that_grows_beyond_its_limit_is_not_read_on(encoding: str) -> None:
    large = b"a" * ((200 if encoding else 5) << 20)
    bomb = gzip.compress(large) if encoding == "gzip" else zlib.compress(large) if encoding else large
    headers = {"Content_Encoding": encoding} if encoding else {}
    async with server(body(bomb, "text/plain", **headers)) as site:
        began = time.monotonic()
        assert await reason(str(site.make_url("/")), allowing(site)) == "too_large"
        assert time.monotonic() - began < 2


async def test_a_body_without_an_end_is_left_at_the_limit() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        while sent < 20 * LARGEST:
            await response.write(b"a" * 65536)
            sent += 65536
        return response

    async with server(endless) as site:
        assert await reason(str(site.make_url("/")), allowing(site)) == "too_large"
    assert sent < 3 * LARGEST


async def test_a_server_that_drips_is_left_after_its_time() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        for _ in range(200):
            await response.write(b"a")
            await asyncio.sleep(0.05)
        return response

    async with server(drip) as site:
        began = time.monotonic()
        assert await reason(str(site.make_url("/")), allowing(site), seconds=0.5) == "unreachable"
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("status", [204, 206, 304, 404, 500])
async def test_what_is_not_a_page_is_told_as_a_status(status: int) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    async with server(answer) as site:
        assert await reason(str(site.make_url("/")), allowing(site)) == "status"


@pytest.mark.parametrize(
    ("content", "declared", "kind"),
    [
        (HTML, "text/html", "html"),
        (HTML, "application/octet-stream", "html"),
        ("<main>x</main>", "text/plain", "html"),
        ("\ufeff <html>x", "image/png", "html"),
        ('<?xml version="1.0"?><html xmlns="x">', "application/xhtml+xml", "html"),
        ("Plain text", "image/png", "text"),
        ('{"a": 1}', "application/json", "json"),
        ("Text é".encode("utf-16"), "text/plain", "text"),
        ("", "text/plain", "text"),
        (b"%PDF-1.7 ...", "text/html", None),
        (b"\x89PNG\r\n\x1a\n", "text/html", None),
        (b"PK\x03\x04", "text/plain", None),
        (b"MZ\x90\x00\x03", "text/html", None),
        (b"GIF89a", "text/plain", None),
        ("<svg xmlns='x'/>", "image/svg+xml", None),
        ('<?xml version="1.0"?><rss/>', "text/html", None),
    ],
)
async def test_content_is_what_its_first_bytes_are(
    content: str | bytes, declared: str, kind: str | None
) -> None:
    async with server(body(content, declared)) as site:
        address = str(site.make_url("/"))
        if kind is None:
            assert await reason(address, allowing(site)) == "content"
        else:
            assert (await got(address, allowing(site))).kind == kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [("<rss/>", "feed"), ("<urlset></urlset>", "xml"), (b"%PDF-1.7", "pdf"), (b"PK\x03\x04\x14", "zip")],
)
async def test_other_kinds_are_read_where_they_are_asked_for_and_nowhere_else(
    content: str | bytes, kind: PageKind
) -> None:
    async with server(body(content, "application/octet-stream")) as site:
        address = str(site.make_url("/"))
        assert await reason(address, allowing(site)) == "content"
        assert (await got(address, allowing(site), kinds=frozenset({kind}))).kind == kind


async def test_a_feed_that_is_a_page_is_no_feed() -> None:
    async with server(body(HTML, "application/rss+xml")) as site:
        address, feeds = str(site.make_url("/")), frozenset[PageKind]({"feed"})
        with pytest.raises(NetworkError, match="content"):
            await got(address, allowing(site), kinds=feeds)


async def test_only_documents_may_be_large_and_no_larger_than_is_said() -> None:
    kinds = frozenset[PageKind]({"text", "pdf"})
    large = b"%PDF-1.7" + b"a" * LARGEST
    async with server(body(large, "application/pdf")) as site:
        address = str(site.make_url("/"))
        assert len((await got(address, allowing(site), kinds=kinds)).body) == len(large)
        with pytest.raises(NetworkError, match="too_large") as caught:
            await got(address, allowing(site), kinds=kinds, largest=LARGEST)
        assert caught.value.limit == LARGEST
    async with server(body(large[1:], "application/pdf")) as site:
        with pytest.raises(NetworkError, match="too_large"):
            await got(str(site.make_url("/")), allowing(site), kinds=kinds)


async def test_authorization_goes_to_the_server_that_was_named_and_nowhere_else() -> None:
    seen: list[tuple[str, str, str]] = []
    targets: dict[str, str] = {}

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((request.host, request.path, request.headers.get("Authorization", "")))
        if target := targets.get(request.path):
            return web.Response(status=302, headers={"Location": target})
        return web.Response(text="text")

    async with server(answer) as site, server(answer, port=0) as other:
        own, theirs = str(site.make_url("/")), str(other.make_url("/back"))
        targets |= {"/": "/moved", "/away": theirs, "/back": own + "end"}
        settings = allowing(site, other)
        await got(own, settings, authorization="Bearer x")
        await got(own + "away", settings, authorization="Bearer x")
    assert [(path, sent) for _, path, sent in seen] == [
        ("/", "Bearer x"),
        ("/moved", "Bearer x"),
        ("/away", "Bearer x"),
        ("/back", ""),
        ("/end", ""),
    ]


async def test_a_server_is_told_what_kinds_are_wanted() -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["Accept"])
        return web.Response(text="text")

    async with server(answer) as site:
        await got(str(site.make_url("/")), allowing(site))
        await got(str(site.make_url("/")), allowing(site), kinds=frozenset({"feed", "text"}))
    assert ("text/html" in seen[0], "rss" in seen[0]) == (True, False)
    assert ("text/html" in seen[1], "rss" in seen[1]) == (False, True)


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip"])
async def test_an_encoding_that_was_not_asked_for_is_not_read(encoding: str) -> None:
    async with server(body(b"text", "text/plain", Content_Encoding=encoding)) as site:
        assert await reason(str(site.make_url("/")), allowing(site)) in {"content", "unreachable"}


async def test_a_proxy_is_asked_only_for_what_could_be_asked_for_directly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with server(body(HTML)) as proxy:
        monkeypatch.setenv("http_proxy", str(proxy.make_url("/")))
        monkeypatch.setenv("no_proxy", "")
        settings = Settings(fetch_allow="127.0.0.1")  # type: ignore[arg-type]
        names = Names(inside_example_org=[["127.0.0.9"]], pages_example_org=[["127.0.0.1"]])
        for host in ("inside.example.org", "10.0.0.1", "169.254.169.254", "localhost"):
            assert await reason(f"http://{host}/", settings, names) == "refused"
        assert asked(proxy) == []
        for host in ("pages.example.org", "only-the-proxy-knows.example.org"):
            assert (await got(f"http://{host}/page", settings, names)).body == HTML.encode()
