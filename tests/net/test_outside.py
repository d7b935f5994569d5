"""Nothing leaves the machine where the settings say so; what is allowed by name or by network is still asked for."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from aiohttp import web

from menagerie.core.errors import MenagerieError
from menagerie.locales import text
from menagerie.models.catalogue import Catalogue
from menagerie.models.pull import pull
from menagerie.models.wish import ModelWish
from menagerie.net.client import NetworkError, Reason, fetch, open_client, read_limited
from menagerie.net.page import PageClient
from menagerie.settings import Settings
from tests.net.cutting import Cut
from tests.net.pages import Names, allowing, asked, body, server

OFF = Settings(outside="off")
ADDRESSES = [
    "http://example.org/",
    "https://192.0.2.7/",
    "http://93.184.216.34/",
    "http://10.1.2.3/",
    "http://[2606:2800:220:1::1]/",
    "http://[::ffff:93.184.216.34]/",
]


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Cut:
    return Cut(monkeypatch)


async def read(settings: Settings, address: str) -> bytes:
    async with open_client(settings) as client, fetch(client, address) as response:
        return await read_limited(response, 10_000)


@pytest.mark.parametrize("address", ADDRESSES)
async def test_no_page_is_asked_for_and_no_name_is_looked_up(address: str, cut: Cut) -> None:
    names = Names()
    pages = PageClient(OFF, names)
    for crawling in (False, True):
        with pytest.raises(NetworkError, match="outside"):
            await pages.get(address, crawling=crawling)
    await pages.close()
    assert (names.asked, cut.tried) == ([], [])


@pytest.mark.parametrize("address", ADDRESSES)
async def test_nothing_of_the_administrator_s_is_asked_for_either(address: str, cut: Cut) -> None:
    with pytest.raises(NetworkError, match="outside"):
        await read(OFF, address)
    assert cut.tried == []


async def test_the_same_would_be_asked_for_where_it_may(cut: Cut) -> None:
    with pytest.raises(NetworkError, match="unreachable"):
        await read(Settings(), "http://192.0.2.7/")
    assert cut.connected == ["192.0.2.7"]


async def test_this_machine_is_not_outside() -> None:
    async with server(body("text")) as site:
        assert await read(OFF, str(site.make_url("/"))) == b"text"
        assert await read(OFF, f"http://localhost:{site.port}/") == b"text"


async def test_what_is_allowed_is_asked_for_and_what_it_redirects_to_is_not(cut: Cut) -> None:
    async with server(body("text")) as site:
        names = Names(wiki_example_org=[["127.0.0.1"]])
        settings = allowing(site, outside="off")
        pages = PageClient(settings, names)
        assert (await pages.get(str(site.make_url("/")))).body == b"text"
        with pytest.raises(NetworkError, match="outside"):
            await pages.get(f"http://wiki.example.org:{site.port}/")
        await pages.close()
        assert (asked(site), names.asked, cut.tried) == (["/"], [], [])


async def test_a_name_is_allowed_with_whatever_it_leads_to_but_never_with_this_machine(cut: Cut) -> None:
    names = Names(wiki_example_org=[["10.9.8.7"]], evil_example_org=[["127.0.0.1"]])
    pages = PageClient(Settings(outside="off", fetch_allow="*.example.org"), names)  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match="unreachable"):
        await pages.get("http://wiki.example.org/")
    with pytest.raises(NetworkError, match="refused"):
        await pages.get("http://evil.example.org/")
    with pytest.raises(NetworkError, match="outside"):
        await pages.get("http://10.9.8.7/")
    await pages.close()
    assert cut.connected == ["10.9.8.7"]


async def test_a_redirect_of_an_allowed_host_does_not_lead_outside(cut: Cut) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://192.0.2.7/"})

    async with server(answer) as site:
        pages = PageClient(allowing(site, outside="off", fetch_ports=f"80,{site.port}"), Names())
        with pytest.raises(NetworkError, match="outside"):
            await pages.get(str(site.make_url("/")))
        await pages.close()
        with pytest.raises(NetworkError, match="outside"):
            await read(OFF, str(site.make_url("/")))
    assert cut.tried == []


async def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch, cut: Cut) -> None:
    async with server(body("text")) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, str(proxy.make_url("/")))
        pages = PageClient(OFF, Names())
        for address in ADDRESSES:
            with pytest.raises(NetworkError, match="outside"):
                await pages.get(address)
            with pytest.raises(NetworkError, match="outside"):
                await read(OFF, address)
        await pages.close()
        monkeypatch.setenv("no_proxy", "")
        async with server(body("inside")) as site:
            pages = PageClient(allowing(site, outside="off"), Names())
            assert (await pages.get(str(site.make_url("/")))).body == b"inside"
            await pages.close()
            assert await read(OFF, str(site.make_url("/"))) == b"inside"
        assert asked(proxy) == []
    assert cut.tried == []


async def test_a_model_is_not_fetched_and_the_reason_is_told_in_both_languages(
    tmp_path: Path, cut: Cut
) -> None:
    wish = ModelWish(kind="url", url="https://models.example.org/a.gguf", sha256="0" * 64)
    with pytest.raises(MenagerieError) as caught:
        await pull(wish, Catalogue(tmp_path), Settings(data=tmp_path, outside="off"))
    for language in ("en", "fr"):
        message = caught.value.message(language)
        assert "MENAGERIE_OUTSIDE" in message
        assert "models.example.org" in message
    assert cut.tried == []


@pytest.mark.parametrize(
    "reason", [one for one in get_args(Reason) if one not in {"refused", "content", "robots"}]
)
def test_every_reason_that_a_download_fails_for_has_its_text(reason: str) -> None:
    for language in ("en", "fr"):
        assert text(f"models.reason.network_{reason}", language, host="a", status=1)
