"""Engines without a key are searched by a library in a program of its own, whose way out leads to them only."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.search.ddgs import DDGS, ENGINES
from menagerie.grounding.search.provider import Query
from menagerie.net.gateway import Gateway
from menagerie.settings import Settings
from tests.net.pages import Names

pytest.importorskip("ddgs")

RESULTS = """<html><body><div class="links_main result__body"><h2 class="result__title"><a
href="https://www.canada.ca/passport">Renew a passport</a></h2><a href="https://www.canada.ca/passport">How to renew
it</a></div></body></html>"""


@asynccontextmanager
async def engines(certificate: Path) -> AsyncIterator[tuple[TestServer, list[tuple[str, str]]]]:
    """All the engines on the loopback, of which one answers; which were asked for what."""
    requests: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        requests.append((request.host, str(form.get("q") or request.query.get("q"))))
        if request.host == ENGINES["duckduckgo"]:
            return web.Response(text=RESULTS, content_type="text/html")
        return web.Response(status=429)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    started = TestServer(app, host="127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    await started.start_server(ssl=context)
    try:
        yield started, requests
    finally:
        await started.close()


class Trust(msgspec.Struct):
    """A certificate with its key for all the engines, and that of the authority behind it."""

    server: Path
    authority: Path


@pytest.fixture
async def trust(tmp_path: Path) -> Trust:
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    authority, key = await signed(tmp_path / "authority", "basicConstraints=critical,CA:TRUE")
    names = ",".join(f"DNS:{host}" for host in ENGINES.values())
    made, made_key = await signed(
        tmp_path / "server",
        f"subjectAltName={names}",
        "basicConstraints=critical,CA:FALSE",
        "-CA",
        str(authority),
        "-CAkey",
        str(key),
    )
    both = tmp_path / "both.pem"
    both.write_text(made.read_text() + made_key.read_text())
    return Trust(both, authority)


async def signed(place: Path, *how: str) -> tuple[Path, Path]:
    """A certificate with these extensions, signed by itself or by whom the options name, and its key."""
    made, key = place.with_suffix(".pem"), place.with_suffix(".key")
    options = [part for one in how for part in (("-addext", one) if "=" in one else (one,))]
    process = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", str(key), "-out", str(made), "-days", "2", "-subj", f"/CN={place.name}", *options),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
    return made, key


def searcher(certificate: Path | str, port: int, **settings: Any) -> DDGS:
    names = Names(**{host: [["127.0.0.1"]] for host in ENGINES.values()})
    allowed = Settings(**{"fetch_allow": "127.0.0.1/32", **settings})
    return DDGS(allowed, lambda: Gateway(allowed, ENGINES.values(), names, port), str(certificate))


def query(terms: str) -> Query:
    return Query(terms=terms, question=terms, domains=("canada.ca",), language="fr", share="ana", most=4)


async def test_the_library_finds_results_by_way_of_the_gateway(trust: Trust) -> None:
    async with engines(trust.server) as (site, requests):
        (found,) = await searcher(trust.authority, site.port or 0).search(query("passport"))
    assert (found.title, found.address) == ("Renew a passport", "https://www.canada.ca/passport")
    assert "How to renew it" in found.snippet
    assert (ENGINES["duckduckgo"], "passport site:canada.ca") in requests
    assert {host for host, _ in requests} <= set(ENGINES.values())


async def test_where_the_rules_refuse_the_engines_nothing_is_asked(trust: Trust) -> None:
    async with engines(trust.server) as (site, requests):
        for settings in ({"fetch_allow": ""}, {"fetch_deny": "*.duckduckgo.com,*.brave.com,*.mojeek.com"}):
            with pytest.raises(MenagerieError) as caught:
                await searcher(trust.authority, site.port or 0, **settings).search(query("passport"))
            assert caught.value.code == ErrorCode.SEARCH_FAILED
        for off in ({"fetch": "off"}, {"outside": "off"}):
            with pytest.raises(MenagerieError) as caught:
                await searcher(trust.authority, site.port or 0, **off).search(query("passport"))
            assert caught.value.code == ErrorCode.SOURCE_OFF
    assert requests == []


async def test_a_certificate_of_nobody_is_not_believed(trust: Trust) -> None:
    async with engines(trust.server) as (site, requests):
        with pytest.raises(MenagerieError):
            await searcher("", site.port or 0).search(query("passport"))
    assert requests == []
