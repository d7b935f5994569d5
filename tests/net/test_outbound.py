"""Every request that leaves is accounted for, and the account holds no more than it must."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from menagerie.net.client import NetworkError, fetch, open_client, read_limited, send
from menagerie.net.outbound import Departure, facts, observed_by
from menagerie.net.page import LARGEST, PageCache, PageClient
from menagerie.settings import Settings
from tests.net.pages import Names, allowing, body, server
from tests.service import running_service

PAGE = "<!doctype html><title>Fees</title><p>The fee is ten dollars.</p>"


@pytest.fixture
def left() -> Iterator[list[Departure]]:
    found: list[Departure] = []
    with observed_by(found.append):
        yield found


async def test_a_page_is_told_of_with_its_host_and_nothing_that_somebody_looks_for(
    left: list[Departure],
) -> None:
    async with server(body("text", "text/plain")) as site:
        port = site.port
        pages = PageClient(allowing(site), Names())
        await pages.get(str(site.make_url("/secret?query=secret")), authorization="Bearer secret")
        await pages.close()
    (one,) = left
    assert facts(one) == {
        "purpose": "page",
        "method": "GET",
        "scheme": "http",
        "host": "127.0.0.1",
        "port": port,
        "status": 200,
        "bytes": 4,
        "milliseconds": one.milliseconds,
    }
    assert 0 < one.milliseconds < 5000
    assert "secret" not in str(left)


async def test_every_redirect_is_one_and_what_is_here_did_not_leave(
    left: list[Departure], tmp_path: Path
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/":
            return web.Response(status=302, headers={"Location": "/next"})
        return web.Response(text="text", headers={"Cache-Control": "max-age=60"})

    async with server(answer) as site:
        pages = PageClient(allowing(site), Names(), PageCache(tmp_path, 1_000_000))
        for _ in range(2):
            await pages.get(str(site.make_url("/")), purpose="feed")
        await pages.close()
    assert [(one.status, one.cached, one.bytes) for one in left] == [
        (302, False, 0),
        (200, False, 4),
        (302, False, 0),
        (200, True, 4),
    ]
    assert {one.purpose for one in left} == {"feed"}


async def test_rules_are_a_purpose_of_their_own(left: list[Departure]) -> None:
    async with server(body("", "text/plain")) as site:
        pages = PageClient(allowing(site), Names())
        await pages.get(str(site.make_url("/")), crawling=True, purpose="crawl")
        await pages.close()
    assert [one.purpose for one in left] == ["robots", "crawl"]


@pytest.mark.parametrize(
    ("address", "host", "reason"),
    [
        ("http://127.0.0.1/", "127.0.0.1", "refused"),
        ("http://inside.example.org/", "inside.example.org", "refused"),
        ("file:///etc/passwd", "", "refused"),
    ],
)
async def test_what_was_refused_is_told_of_too(
    left: list[Departure], address: str, host: str, reason: str
) -> None:
    pages = PageClient(Settings(), Names(inside_example_org=[["10.0.0.1"]]))
    with pytest.raises(NetworkError):
        await pages.get(address)
    await pages.close()
    assert [(one.host, one.reason, one.status) for one in left] == [(host, reason, 0)]


async def test_what_breaks_off_is_told_of_with_its_reason(
    left: list[Departure], unused_tcp_port: int
) -> None:
    async with server(body(b"a" * (LARGEST + 1), "text/plain")) as site:
        pages = PageClient(allowing(site), Names())
        with pytest.raises(NetworkError):
            await pages.get(str(site.make_url("/")))
        await pages.close()
    async with open_client(Settings()) as client:
        with pytest.raises(NetworkError):
            async with fetch(client, f"http://127.0.0.1:{unused_tcp_port}/"):
                pass
    assert [(one.purpose, one.reason, one.status) for one in left] == [
        ("page", "too_large", 200),
        ("model", "unreachable", 0),
    ]


async def test_who_gives_up_is_told_of(left: list[Departure]) -> None:
    async def slow(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    async with server(slow) as site:
        pages = PageClient(allowing(site), Names())
        with pytest.raises(NetworkError):
            await pages.get(str(site.make_url("/")), seconds=0.1)
        await pages.close()
    assert [(one.reason, one.status) for one in left] == [("interrupted", 0)]


async def test_downloads_and_what_is_sent_are_told_of_once(left: list[Departure]) -> None:
    async with server(body("text", "text/plain")) as site, open_client(Settings()) as client:
        address = str(site.make_url("/"))
        async with fetch(client, address.replace("http://", "http://me:secret@")) as response:
            await read_limited(response, 100)
        async with send(client, "POST", address, b"x") as response:
            await response.read()
    assert [(one.purpose, one.method, one.status) for one in left] == [
        ("model", "GET", 200),
        ("service", "POST", 405),
    ]
    assert "secret" not in str(left)


async def test_a_service_writes_it_into_its_log_and_keeps_the_page(tmp_path: Path, tiny_model: Path) -> None:
    def ask(url: str, address: str) -> None:
        asked = json.dumps({"prompt": "What is the fee?", "text": address, "schema": {"type": "boolean"}})
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}/toil/beaver", asked.encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            response.read()

    def ask_twice(address: str, port: int) -> list[dict[str, object]]:
        settings = {"MENAGERIE_FETCH_ALLOW": "127.0.0.1/32", "MENAGERIE_FETCH_PORTS": str(port)}
        with running_service(tmp_path, tiny_model, **settings) as service:
            for _ in range(2):
                ask(service.url, address)
        with sqlite3.connect(next(tmp_path.glob("*.sqlite*"))) as store:
            rows = store.execute("select data from events where event = 'outbound' order by key")
            return [json.loads(data) for (data,) in rows]

    async with server(body(PAGE, Cache_Control="max-age=60")) as site:
        port = int(site.port or 0)
        told = await asyncio.to_thread(ask_twice, str(site.make_url("/fees?secret")), port)
    assert [(one["host"], one["port"], one.get("cached", False)) for one in told] == [
        ("127.0.0.1", port, False),
        ("127.0.0.1", port, True),
    ]
    assert "secret" not in str(told)
    assert len(list((tmp_path / "fetched").iterdir())) == 1
