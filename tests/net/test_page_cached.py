"""A page that was here already: when its server is asked again, and when nobody may have it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import pytest
from aiohttp import web

from menagerie.net.client import NetworkError
from menagerie.net.page import LARGEST, PageCache, PageClient, PageKind
from menagerie.settings import Settings
from tests.net.pages import Answer, Names, allowing, asked, body, server

HTML = "<!doctype html><title>T</title><p>Hello</p>"
MIB = 1024 * 1024
FRESH = {"Cache_Control": "max-age=60"}


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> float:
        return time.time() + self.passed


@pytest.fixture
def cache(tmp_path: Path) -> PageCache:
    return PageCache(tmp_path / "fetched", 64 * MIB)


@asynccontextmanager
async def client(
    settings: Settings, cache: PageCache, clock: Clock | None = None, names: Names | None = None
) -> AsyncIterator[PageClient]:
    made = PageClient(settings, names or Names(), cache, clock or Clock())
    try:
        yield made
    finally:
        await made.close()


def conditional(tag: str, clock: Clock, control: str) -> Answer:
    """Answers 304 to who has the entity with this tag already, and else a page."""

    async def answer(request: web.Request) -> web.StreamResponse:
        named = {"ETag": tag, "Cache-Control": control, "Date": formatdate(clock(), usegmt=True)}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=named)
        return web.Response(text=HTML, content_type="text/html", headers=named)

    return answer


async def test_a_page_is_asked_for_once_while_it_is_fresh(cache: PageCache) -> None:
    clock = Clock()
    async with server(body(HTML, **FRESH)) as site, client(allowing(site), cache, clock) as pages:
        address = str(site.make_url("/"))
        first, second = await pages.get(address), await pages.get(address + "#part")
        assert (first.cached, second.cached, len(asked(site))) == (False, True, 1)
        assert (second.body, second.fetched, second.address) == (first.body, first.fetched, first.address)
        clock.passed = 61
        assert not (await pages.get(address)).cached
        assert len(asked(site)) == 2


async def test_a_page_without_a_date_of_expiry_is_asked_for_every_time(cache: PageCache) -> None:
    async with server(body(HTML)) as site, client(allowing(site), cache) as pages:
        for _ in range(2):
            assert not (await pages.get(str(site.make_url("/")))).cached
        assert len(asked(site)) == 2


@pytest.mark.parametrize("control", ["no-cache", "max-age=0", "max-age=60"])
async def test_what_has_not_changed_is_not_sent_again(cache: PageCache, control: str) -> None:
    clock = Clock()
    site_of = server(conditional('"a"', clock, control))
    async with site_of as site, client(allowing(site), cache, clock) as pages:
        first = await pages.get(str(site.make_url("/")))
        clock.passed = 61
        second = await pages.get(str(site.make_url("/")))
        assert (second.cached, second.body, second.etag) == (True, first.body, '"a"')
        assert second.fetched > first.fetched
        assert len(asked(site)) == 2


async def test_what_was_confirmed_is_fresh_again(cache: PageCache) -> None:
    clock = Clock()
    async with (
        server(conditional('"a"', clock, "max-age=60")) as site,
        client(allowing(site), cache, clock) as pages,
    ):
        for clock.passed in (0, 61, 100, 122):
            await pages.get(str(site.make_url("/")))
        assert len(asked(site)) == 3


async def test_a_page_is_asked_about_by_its_date_where_it_has_no_tag(cache: PageCache) -> None:
    seen: list[str] = []
    changed = "Mon, 02 Jan 2023 03:04:05 GMT"

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("If-Modified-Since", ""))
        if seen[-1]:
            return web.Response(status=304)
        return web.Response(text=HTML, headers={"Last-Modified": changed, "Cache-Control": "no-cache"})

    async with server(answer) as site, client(allowing(site), cache) as pages:
        for _ in range(2):
            page = await pages.get(str(site.make_url("/")))
    assert (seen, page.cached, page.last_modified) == (["", changed], True, changed)


async def test_who_says_unchanged_without_being_asked_is_not_believed(cache: PageCache) -> None:
    async with server(body(HTML)) as site, client(allowing(site), cache) as pages:
        await pages.get(str(site.make_url("/")))

    async def unchanged(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=304)

    async with server(unchanged, port=site.port) as site, client(allowing(site), cache) as pages:
        with pytest.raises(NetworkError, match="status"):
            await pages.get(str(site.make_url("/")))


@pytest.mark.parametrize("headers", [{"Cache_Control": "no-store, max-age=60"}, FRESH | {"Vary": "*"}])
async def test_what_must_not_be_kept_is_not_in_the_folder(
    cache: PageCache, tmp_path: Path, headers: dict[str, str]
) -> None:
    async with server(body(HTML, **headers)) as site, client(allowing(site), cache) as pages:
        await pages.get(str(site.make_url("/")))
    assert list((tmp_path / "fetched").iterdir()) == []


async def test_what_authorization_shows_is_never_kept_nor_shown_from_what_is(
    cache: PageCache, tmp_path: Path
) -> None:
    async with server(body(HTML, **FRESH)) as site, client(allowing(site), cache) as pages:
        address = str(site.make_url("/"))
        await pages.get(address, authorization="Bearer x")
        assert not (tmp_path / "fetched").exists()
        await pages.get(address)
        assert not (await pages.get(address, authorization="Bearer x")).cached
        assert len(asked(site)) == 3


async def test_other_kinds_are_other_answers(cache: PageCache) -> None:
    async with server(body(HTML, **FRESH)) as site, client(allowing(site), cache) as pages:
        address = str(site.make_url("/"))
        await pages.get(address)
        with pytest.raises(NetworkError, match="content"):
            await pages.get(address, kinds=frozenset({"feed"}))
        assert len(asked(site)) == 2


async def test_a_document_that_is_here_is_still_too_large_for_who_wants_less(cache: PageCache) -> None:
    kinds = frozenset[PageKind]({"pdf"})
    large = b"%PDF-" + b"a" * LARGEST
    async with server(body(large, **FRESH)) as site, client(allowing(site), cache) as pages:
        address = str(site.make_url("/"))
        await pages.get(address, kinds=kinds)
        with pytest.raises(NetworkError, match="too_large"):
            await pages.get(address, kinds=kinds, largest=LARGEST)


async def test_a_permanent_redirect_is_followed_without_asking_again(cache: PageCache) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/":
            return web.Response(status=301, headers={"Location": "/next"})
        return web.Response(text=HTML, headers={"Cache-Control": "max-age=60"})

    async with server(answer) as site, client(allowing(site), cache) as pages:
        for _ in range(2):
            page = await pages.get(str(site.make_url("/")))
        assert (page.cached, page.address) == (True, str(site.make_url("/next")))
        assert asked(site) == ["/", "/next"]


async def test_a_redirect_that_is_here_is_checked_like_one_that_comes(cache: PageCache) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        target = f"http://wiki.example.org:{request.url.port}/"
        return web.Response(status=301, headers={"Location": target})

    names = Names(wiki_example_org=[["127.0.0.9"]])
    async with server(answer) as site:
        for denied in ("", "wiki.example.org"):
            async with client(allowing(site, fetch_deny=denied), cache, names=names) as pages:
                with pytest.raises(NetworkError, match="refused"):
                    await pages.get(str(site.make_url("/")))
        assert (len(asked(site)), names.asked) == (1, ["wiki.example.org"])


async def test_a_server_that_is_gone_is_stood_in_for_but_not_for_ever(cache: PageCache) -> None:
    clock = Clock()
    async with server(body(HTML, **FRESH)) as site:
        settings, address = allowing(site), str(site.make_url("/"))
        async with client(settings, cache, clock) as pages:
            first = await pages.get(address)
    async with client(settings, cache, clock) as pages:
        clock.passed = 3600
        page = await pages.get(address)
        assert (page.cached, page.fetched) == (True, first.fetched)
        clock.passed = 2 * 86_400
        with pytest.raises(NetworkError, match="unreachable"):
            await pages.get(address)


async def test_an_answer_that_says_no_is_not_stood_in_for(cache: PageCache) -> None:
    gone = False

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=404) if gone else web.Response(text=HTML)

    async with server(answer) as site, client(allowing(site), cache) as pages:
        await pages.get(str(site.make_url("/")))
        gone = True
        with pytest.raises(NetworkError, match="status"):
            await pages.get(str(site.make_url("/")))


async def test_what_may_not_be_asked_for_any_more_is_not_given_from_here(cache: PageCache) -> None:
    names = Names(pages_example_org=[["127.0.0.1"]])
    async with server(body(HTML, **FRESH)) as site:
        address = f"http://pages.example.org:{site.port}/"
        async with client(allowing(site), cache, names=names) as pages:
            await pages.get(address)
        for settings in (
            Settings(fetch_ports=f"{site.port}"),  # type: ignore[arg-type]
            allowing(site, fetch_deny="pages.example.org"),
            allowing(site, fetch_deny="127.0.0.0/24"),
            allowing(site, fetch_ports=(80,)),
        ):
            async with client(settings, cache, names=names) as pages:
                with pytest.raises(NetworkError, match="refused"):
                    await pages.get(address)
        assert len(asked(site)) == 1


async def test_a_page_that_is_here_costs_next_to_no_time(cache: PageCache) -> None:
    async with server(body(HTML * 10_000, **FRESH)) as site, client(allowing(site), cache) as pages:
        address = str(site.make_url("/"))
        await pages.get(address)
        took = []
        for _ in range(50):
            began = time.perf_counter()
            assert (await pages.get(address)).cached
            took.append(time.perf_counter() - began)
    assert sorted(took)[25] < 0.005


async def test_a_page_on_the_disk_costs_a_few_thousandths_of_a_second(
    cache: PageCache, tmp_path: Path
) -> None:
    async with server(body(HTML * 10_000, **FRESH)) as site:
        settings, address = allowing(site), str(site.make_url("/"))
        async with client(settings, cache) as pages:
            await pages.get(address)
        async with client(settings, PageCache(tmp_path / "fetched", 64 * MIB)) as pages:
            began = time.perf_counter()
            assert (await pages.get(address)).cached
            assert time.perf_counter() - began < 0.03
