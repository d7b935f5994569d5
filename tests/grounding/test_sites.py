"""Sites are searched by whom the settings choose; what is not on them, or hostile, is dropped."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote_plus

import pytest
from aiohttp import web

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.grounding.reader import Reader
from menagerie.grounding.search import choice, in_turn, sitemap
from menagerie.grounding.search.answers import plain
from menagerie.grounding.search.domains import domain_of, within
from menagerie.grounding.search.in_turn import InTurn
from menagerie.grounding.search.map_ranking import ranked, worded
from menagerie.grounding.search.map_reading import Listed, Listing, listing_of
from menagerie.grounding.search.operators import LONGEST, LONGEST_WRITTEN, fitting, restricted
from menagerie.grounding.search.provider import Hit, Query
from menagerie.grounding.search.sitemap import Sitemap
from menagerie.grounding.source import Candidate, Kit, Lookup
from menagerie.grounding.sources import sites
from menagerie.grounding.sources.sites import Sites
from menagerie.locales import LANGUAGES, Language
from menagerie.net.page import Page
from menagerie.settings import Settings
from tests.net.pages import Answer, Names, allowing, asked, body, server

SEARCH = "search.example.org"
HERE = [["127.0.0.1"]]
RESULTS = [
    {
        "url": "https://www.canada.ca/ei",
        "title": "Employment <b>insurance</b>",
        "content": "Apply &amp; wait",
    },
    {
        "url": "https://CANADA.ca./other",
        "title": "Other",
        "content": None,
        "publishedDate": "2024-05-06T00:00:00",
    },
    {"url": "https://notcanada.ca/", "title": "Elsewhere"},
    {"url": "https://canada.ca.evil.com/", "title": "Elsewhere"},
    {"url": "https://evil.com/canada.ca", "title": "Elsewhere"},
    {"url": "https://canada.ca@evil.com/", "title": "Elsewhere"},
    {"url": "javascript:alert(1)//canada.ca", "title": "Script"},
    {"url": "file:///etc/passwd", "title": "File"},
    {"url": "http://169.254.169.254/canada.ca", "title": "Inside"},
    {"url": "https://www.canada.ca/ei", "title": "Twice"},
    {"url": 5, "title": "Number"},
    {"title": "None"},
    "text",
    None,
]


@asynccontextmanager
async def searching(answer: Answer, **how: Any) -> AsyncIterator[tuple[Sites, list[web.Request]]]:
    """The source with a search service on the loopback that gives this answer, and what that is asked."""
    requests: list[web.Request] = []

    async def noted(request: web.Request) -> web.StreamResponse:
        requests.append(request)
        return await answer(request)

    async with server(noted) as service:
        url = f"http://{SEARCH}:{service.port}{how.pop('path', '')}"
        settings = allowing(service, fetch_ports=f"443,{service.port}", search_url=url, **how)
        reader = Reader(settings, Names(**{SEARCH: HERE}))
        try:
            yield sites.source(kit(settings, reader)), requests
        finally:
            await reader.close()


@asynccontextmanager
async def mapped(answer: Answer, *domains: str) -> AsyncIterator[Sites]:
    """The source with sitemaps, and sites of those names on the loopback."""
    async with server(answer) as site:
        settings = allowing(site)
        reader = Reader(settings, Names(**dict.fromkeys(domains, HERE)))
        try:
            yield Sites(kit(settings, reader), Sitemap(reader, f"http://{{domain}}:{site.port}"))
        finally:
            await reader.close()


def kit(settings: Settings, reader: Reader) -> Kit:
    return Kit(settings, reader, cast("Any", None), cast("Any", None))


def lookup(terms: str, *where: str, language: Language = "en", **more: Any) -> Lookup:
    user = User(names=("ana",))
    return Lookup(
        question=f"How about {terms}?", terms=terms, language=language, user=user, where=where, **more
    )


def answering(results: Any) -> Answer:
    return body(json.dumps(results), "application/json")


def addresses(found: Sequence[Candidate]) -> list[str]:
    return [one.address for one in found]


async def code(source: Sites, wanted: Lookup) -> ErrorCode:
    with pytest.raises(MenagerieError) as caught:
        await source.search(wanted)
    return caught.value.code


async def test_searxng_is_asked_for_the_domains_in_the_language_and_only_their_results_count() -> None:
    async with searching(answering({"results": RESULTS}), search="searxng") as (source, requests):
        found = await source.search(lookup("emploi", "canada.ca", "Québec.ca", language="fr"))
    assert dict(requests[0].query) == {
        "q": "emploi (site:canada.ca OR site:xn--qubec-csa.ca)",
        "format": "json",
        "language": "fr-CA",
        "safesearch": "1",
    }
    assert requests[0].path == "/search"
    assert addresses(found) == ["https://www.canada.ca/ei"]
    assert (found[0].title, found[0].summary, found[0].kind) == (
        "Employment insurance",
        "Apply & wait",
        "site",
    )


async def test_brave_is_asked_with_its_key_and_tells_dates() -> None:
    result = {
        "url": "https://canada.ca/a",
        "title": "A",
        "description": "About <strong>a</strong>",
        "page_age": "2024-05-06T01:02:03",
        "language": "fr",
    }
    answer = answering({"web": {"results": [result, *RESULTS]}})
    async with searching(answer, search="brave", search_key="k3y", path="/res") as (source, requests):
        found = await source.search(lookup("a", "canada.ca", language="fr"))
    assert requests[0].path == "/res"
    assert requests[0].headers["X-Subscription-Token"] == "k3y"
    assert requests[0].query["q"] == "a site:canada.ca"
    assert (requests[0].query["country"], requests[0].query["search_lang"]) == ("CA", "fr")
    assert addresses(found) == ["https://canada.ca/a", "https://www.canada.ca/ei"]
    assert (found[0].summary, found[0].language) == ("About a", "fr")
    assert found[0].date == datetime(2024, 5, 6, 1, 2, 3, tzinfo=UTC)


async def test_a_key_goes_to_its_service_only() -> None:
    shown: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        shown.append(request.headers.get("X-Subscription-Token", ""))
        return web.json_response({"web": {"results": []}})

    async with server(elsewhere) as other:

        async def leading(request: web.Request) -> web.StreamResponse:
            raise web.HTTPFound(str(other.make_url("/")))

        async with server(leading) as service:
            url = f"http://{SEARCH}:{service.port}/"
            settings = allowing(service, other, search="brave", search_url=url, search_key="k3y")
            reader = Reader(settings, Names(**{SEARCH: HERE}))
            assert await sites.source(kit(settings, reader)).search(lookup("a", "canada.ca")) == []
            await reader.close()
    assert shown == [""]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "[]",
        '{"results": 5}',
        '{"results": {}}',
        '{"web": []}',
        "[" * 100_000,
        '{"results": ' + "[" * 100_000,
        '{"results": [{"url": "https://canada.ca/", "title": ' + "[" * 100_000,
        '{"web": {"results": [{"url": ' + '{"a":' * 100_000,
        "<!doctype html><html><body>Too many requests</body></html>",
        '{"results": [' + '{"url": "https://canada.ca/"},' * 400_000 + "1]}",
        '{"results": ["' + "a" * 10_000_000 + '"]}',
    ],
)
@pytest.mark.parametrize("search", ["searxng", "brave"])
async def test_hostile_answers_are_failures_or_nothing_never_more(answer: str, search: str) -> None:
    async with searching(body(answer, "application/json"), search=search, search_key="k") as (source, _):
        try:
            assert await source.search(lookup("a", "canada.ca")) == []
        except MenagerieError as failure:
            assert failure.code == ErrorCode.SEARCH_FAILED  # noqa: PT017 - either will do


async def test_titles_and_summaries_of_strangers_are_cut_and_cleaned() -> None:
    result = {
        "url": "https://canada.ca/",
        "title": "T\u202e\n" * 900,
        "content": "<script>" * 9 + "word " * 9000,
    }
    async with searching(answering({"results": [result]}), search="searxng") as (source, _):
        (found,) = await source.search(lookup("a", "canada.ca"))
    assert len(found.title) <= 201
    assert len(found.summary) <= 501
    assert "<" not in found.summary
    assert "\u202e" not in found.title


async def test_a_service_that_refuses_or_hangs_is_a_failed_search(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refusing(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=403)

    async def hanging(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    monkeypatch.setattr(sites, "SECONDS", 0.2)
    for answer in (refusing, hanging):
        async with searching(answer, search="searxng") as (source, _):
            assert await code(source, lookup("a", "canada.ca")) == ErrorCode.SEARCH_FAILED


async def test_where_nobody_searches_or_what_is_needed_lacks_it_says_so() -> None:
    for how in ({"search": "off"}, {"search": "brave", "search_key": ""}):
        async with searching(answering({"results": RESULTS}), **how) as (source, requests):
            assert await code(source, lookup("a", "canada.ca")) == ErrorCode.SEARCH_OFF
            assert requests == []
    closed = {"outside": "off", "fetch_allow": ()}
    async with searching(answering({"results": RESULTS}), search="off", **closed) as (source, requests):
        assert await code(source, lookup("a", "canada.ca")) == ErrorCode.SOURCE_OFF
        assert requests == []
    async with searching(answering({"results": RESULTS}), search="searxng", fetch="off") as (
        source,
        requests,
    ):
        assert await code(source, lookup("a", "canada.ca")) == ErrorCode.SOURCE_OFF
        assert requests == []


@pytest.mark.parametrize(
    ("settings", "installed", "provider"),
    [
        ({}, False, "sitemap"),
        ({}, True, "ddgs"),
        ({"search_key": "k"}, True, "brave"),
        ({"search_url": "https://s.example.org", "search_key": "k"}, True, "searxng"),
        ({"search": "sitemap", "search_key": "k"}, True, "sitemap"),
        ({"search": "off"}, True, "off"),
    ],
)
def test_who_searches_is_chosen_by_what_is_set(
    settings: dict[str, Any], installed: bool, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda _name: installed or None)
    assert choice.chosen(Settings(**settings)) == provider


class Found:
    """Finds what it is given, or fails, or takes its time."""

    def __init__(self, *hits: str, code: ErrorCode | None = None, seconds: float = 0.0) -> None:
        self._hits, self._code, self._seconds = hits, code, seconds

    async def search(self, query: Query) -> list[Hit]:
        await asyncio.sleep(self._seconds)
        if self._code:
            raise MenagerieError(self._code)
        return [Hit(title=query.terms, address=one) for one in self._hits]


async def test_where_one_fails_or_finds_nothing_on_the_sites_the_other_searches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(in_turn, "FIRST_SECONDS", 0.1)
    second = Found("https://a.ca/2")
    firsts = {
        Found("https://a.ca/1"): "https://a.ca/1",
        Found(): "https://a.ca/2",
        Found("https://b.ca/1"): "https://a.ca/2",
        Found(code=ErrorCode.SEARCH_FAILED): "https://a.ca/2",
        Found("https://a.ca/1", seconds=5): "https://a.ca/2",
    }
    query = Query(terms="a", question="a", domains=("a.ca",), language="en", share="ana", most=8)
    for first, expected in firsts.items():
        assert [hit.address for hit in await InTurn(first, second).search(query)] == [expected]
    with pytest.raises(MenagerieError) as caught:
        await InTurn(Found(code=ErrorCode.SOURCE_OFF), second).search(query)
    assert caught.value.code == ErrorCode.SOURCE_OFF


def test_a_query_has_room_for_all_engines() -> None:
    assert restricted("a b", ["x.ca"]) == "a b site:x.ca"
    long = restricted("word " * 200, [f"{'a' * 50}{n}.example.ca" for n in range(30)])
    assert len(long) <= LONGEST
    assert len(long.split()) <= 50
    assert long.startswith("word word")
    assert len(quote_plus(fitting("é" * 200 + " " + "été " * 200, 400))) <= LONGEST_WRITTEN
    assert fitting("one two three", 8) == "one two"


@pytest.mark.parametrize(
    ("where", "served"),
    [
        ("canada.ca", True),
        ("WWW.Canada.CA.", True),
        ("québec.ca", True),
        ("a.b.c.gc.ca", True),
        ("canada", False),
        ("127.0.0.1", False),
        ("0x7f.1", False),
        ("2130706433", False),
        ("[::1]", False),
        ("printer.local", False),
        ("wiki.intranet", False),
        ("wiki.corp", True),
        ("denied.ca", False),
        ("canada.ca/page", False),
        ("canada.ca:8080", False),
        ("user@canada.ca", False),
        ("https://canada.ca", False),
        ("my facts", False),
        ("", False),
        ("a" * 100_000 + ".ca", False),
    ],
)
async def test_domains_of_the_public_web_are_served(where: str, served: bool) -> None:
    settings = Settings(fetch_allow="wiki.corp", fetch_deny="denied.ca")  # type: ignore[arg-type]
    source = Sites(kit(settings, cast("Any", None)), None)
    assert source.serves(where) is served
    if served:
        for language in LANGUAGES:
            (option,) = source.options(where, language)
            assert option.where == where
            assert domain_of(where) in option.about


def test_a_host_is_of_a_site_where_it_is_the_site_or_below_it() -> None:
    assert within("canada.ca", ["canada.ca"])
    assert within("www.canada.ca", ["quebec.ca", "canada.ca"])
    assert not within("notcanada.ca", ["canada.ca"])
    assert not within("ca", ["canada.ca"])
    assert not within("", ["canada.ca"])


def test_plain_text_has_no_tags_entities_or_lines() -> None:
    assert plain("<b>a</b>\n &lt;c&gt; &#8238;d\x00", 100) == "a d"
    assert plain("insur<b>ance</b> for 5 &lt; 6 &amp; 7 &gt; 3", 100) == "insurance for 5 < 6 & 7 > 3"
    assert plain("one two three", 9) == "one two…"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Leave &lt;END&gt;", "Leave"),
        ("a &lt;img src=x onerror=y&gt; b", "a b"),
        ("&#60;script&#x3e;a&lt;/script>", "a"),
        ("<<b>img src=x>", "< img src=x>"),
        ("<\u200bEND>", ""),
        ("<img " + "x" * 400 + ">", "< img " + "x" * 400 + ">"),
        ("one&#10;&#13;two\x00three\x1bfour\u2028five\x7fsix", "one two three four five six"),
        ("a&#" + "1" * 5000 + ";b &#x" + "f" * 5000 + "; &#128512;", "ab \N{GRINNING FACE}"),
    ],
)
def test_what_is_written_as_entities_cannot_become_a_tag_or_a_line(written: str, read: str) -> None:
    assert plain(written, 700) == read


INDEX = """<?xml version="1.0" encoding="UTF-8"?>
<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<sitemap><loc>http://{host}/fr.xml</loc></sitemap><sitemap><loc>http://{host}/en.xml</loc></sitemap>
<sitemap><loc>http://{host}/gone.xml</loc></sitemap><sitemap><loc>http://evil-{host}/map.xml</loc></sitemap>
</sitemapindex>"""
PAGES = """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
 xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">{}</urlset>"""
EN = (
    "services/employment-insurance/apply",
    "services/employment-insurance",
    "services/passports/renew-passport",
    "news/2024/01",
)
FR = ("services/assurance-emploi/demande", "services/passeports")


def site_with_maps(request: web.Request) -> web.Response:
    host = request.host
    pages = {"/en.xml": [f"en/{one}" for one in EN], "/fr.xml": [f"fr/{one}" for one in FR]}
    if request.path == "/robots.txt":
        return web.Response(
            text=f"User-agent: *\nDisallow: /private\nSITEMAP: http://{host}/index.xml # all\n"
        )
    if request.path == "/index.xml":
        return web.Response(text=INDEX.format(host=host), content_type="application/xml")
    if request.path in pages:
        urls = "".join(
            f"<url><loc>http://{host}/{one}</loc><lastmod>2024-02-03</lastmod>"
            "<image:image><image:loc>http://evil.example.com/a.png</image:loc></image:image></url>"
            for one in pages[request.path]
        )
        urls += "<url><loc>http://evil.example.com/employment</loc></url><url><loc>javascript:employment</loc></url>"
        return web.Response(text=PAGES.format(urls), content_type="application/xml")
    return web.Response(status=404)


async def maps(request: web.Request) -> web.StreamResponse:
    return site_with_maps(request)


def paths(found: Sequence[Candidate]) -> list[str]:
    return [one.address.partition("/en/")[2] or one.address.partition("/fr/")[2] for one in found]


async def test_a_site_is_searched_by_its_own_maps_in_the_language_of_the_turn() -> None:
    async with mapped(maps, "site.example.org") as source:
        found = await source.search(lookup("applying for employment insurance", "site.example.org"))
        french = await source.search(lookup("renouveler un passeport", "site.example.org", language="fr"))
    assert paths(found)[:2] == ["services/employment-insurance/apply", "services/employment-insurance"]
    assert (found[0].title, found[0].language) == ("Apply", "en")
    assert found[0].date == datetime(2024, 2, 3, tzinfo=UTC)
    assert paths(french)[0] == "services/passeports"
    assert not [one for one in [*found, *french] if "evil" in one.address or "java" in one.address]


async def test_maps_are_read_once_and_nothing_elsewhere_is_asked_for() -> None:
    async with server(maps) as site:
        settings = allowing(site)
        names = Names(**{"site.example.org": HERE})
        reader = Reader(settings, names)
        source = Sites(kit(settings, reader), Sitemap(reader, f"http://{{domain}}:{site.port}"))
        await source.search(lookup("passport", "site.example.org"))
        before = asked(site)[:]
        await source.search(lookup("insurance", "site.example.org"))
        await reader.close()
        assert asked(site) == before
    assert sorted(set(before)) == ["/en.xml", "/fr.xml", "/gone.xml", "/index.xml", "/robots.txt"]
    assert set(names.asked) == {"site.example.org"}


async def test_a_site_that_is_slow_counts_with_what_has_come_and_is_asked_once_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sitemap, "SECONDS", 4.0)
    fetched: list[str] = []

    async def slow(request: web.Request) -> web.StreamResponse:
        fetched.append(request.path)
        if request.path == "/fr.xml":
            await asyncio.sleep(9)
        return site_with_maps(request)

    async with mapped(slow, "site.example.org") as source:
        wanted = lookup("passport", "site.example.org")
        both = await asyncio.gather(source.search(wanted), source.search(wanted))
    assert [paths(found) for found in both] == [["services/passports/renew-passport"]] * 2
    assert fetched.count("/en.xml") == 1


async def test_a_site_without_robots_is_asked_for_its_map_at_the_usual_place() -> None:
    async def plain_map(request: web.Request) -> web.StreamResponse:
        if request.path == "/sitemap.xml" and request.host.startswith("www."):
            return web.Response(text=f"http://{request.host}/passports\nnot an address\n")
        return web.Response(status=404)

    async with mapped(plain_map, "site.example.org", "www.site.example.org") as source:
        (found,) = await source.search(lookup("passport", "site.example.org"))
    assert found.title == "Passports"


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE a [<!ENTITY b 'http://site.example.org/passport'>]><urlset><url><loc>&b;</loc></url></urlset>",
        b"<urlset><url><loc>http://site.example.org/passport</loc>",
        b"<urlset>" + b"<a>" * 100_000,
        b"<urlset/>",
        b"<html><body>Nothing</body></html>",
        gzip.compress(b"<urlset/>"),
        b"",
    ],
)
async def test_a_broken_or_hostile_map_is_nothing_or_a_failure_never_more(content: bytes) -> None:
    async with mapped(body(content, "application/xml"), "site.example.org", "www.site.example.org") as source:
        try:
            assert await source.search(lookup("passport", "site.example.org")) == []
        except MenagerieError as failure:
            assert failure.code == ErrorCode.SEARCH_FAILED  # noqa: PT017 - either will do


def test_a_map_that_breaks_off_counts_up_to_there_and_entities_are_not_made() -> None:
    page = b"<url><loc>https://a.ca/1</loc></url>"
    assert listing_of(b"<urlset>" + page + b"<url><loc>https://a.ca/2", 9).pages == [Listed("https://a.ca/1")]
    assert listing_of(b"<urlset>" + page * 9, 3).pages == [Listed("https://a.ca/1")] * 3
    entity = b"<!DOCTYPE a [<!ENTITY b 'https://a.ca/'>]><urlset><url><loc>&b;</loc></url></urlset>"
    assert listing_of(entity, 9).pages == []


def test_of_the_maps_that_a_site_names_the_first_are_known() -> None:
    named = "".join(f"Sitemap: /{number}.xml\n" for number in range(9000))
    robots = Page("http://a.ca/robots.txt", "text", "utf-8", f"Sitemap: /{'x' * 9000}\n{named}".encode())
    usable = sitemap._usable(robots, "a.ca")
    assert (usable[0], len(usable)) == ("http://a.ca/0.xml", 500)


async def test_a_site_without_maps_is_a_failed_search_but_others_count() -> None:
    async def some(request: web.Request) -> web.StreamResponse:
        if request.host.startswith("site."):
            return site_with_maps(request)
        return web.Response(status=404)

    async with mapped(some, "site.example.org", "other.example.org") as source:
        assert await code(source, lookup("passport", "other.example.org")) == ErrorCode.SEARCH_FAILED
        assert await source.search(lookup("passport", "other.example.org", "site.example.org"))


async def test_pages_elsewhere_take_no_room_and_are_not_told() -> None:
    async def crowded(request: web.Request) -> web.StreamResponse:
        here = f"http://{request.host}/passport"
        return web.Response(text="http://evil.example.com/passport\n" * 4000 + here)

    async with server(crowded) as site:
        reader = Reader(allowing(site), Names(**{"site.example.org": HERE}))
        wanted = Query(
            terms="passport", question="", domains=("site.example.org",), language="en", share="ana", most=8
        )
        hits = await Sitemap(reader, f"http://{{domain}}:{site.port}").search(wanted)
        await reader.close()
        assert [hit.address for hit in hits] == [f"http://site.example.org:{site.port}/passport"]


def test_pages_in_the_language_of_the_question_come_first() -> None:
    listing = Listing([Listed("https://a.ca/fr/budget-2024"), Listed("https://a.ca/en/budget-2024")])
    for language in LANGUAGES:
        first = ranked(worded(listing, language), "budget 2024", language)[0]
        assert first.language == language


async def test_a_large_site_is_known_in_part_and_ranked_in_time() -> None:
    async def large(request: web.Request) -> web.StreamResponse:
        if request.path != "/sitemap.xml":
            return web.Response(status=404)
        urls = "".join(
            f"<url><loc>http://{request.host}/a/page-{n}/passport</loc></url>" for n in range(40_000)
        )
        return web.Response(text=PAGES.format(urls), content_type="application/xml")

    async with mapped(large, "site.example.org") as source:
        began = time.monotonic()
        found = await source.search(lookup("passport 4999", "site.example.org"))
        assert time.monotonic() - began < 5
        assert found[0].address.endswith("/a/page-4999/passport")
        assert len(found) == 8
        assert await source.search(lookup("39999", "site.example.org")) == []


async def test_a_page_is_read_and_titled_and_may_not_lead_away_from_the_site() -> None:
    async def pages(request: web.Request) -> web.StreamResponse:
        if request.path == "/away":
            raise web.HTTPFound(f"http://other.example.org:{request.url.port}/")
        return web.Response(text="A page about passports.")

    async with server(pages) as site:
        settings = allowing(site)
        reader = Reader(settings, Names(**{"site.example.org": HERE, "other.example.org": HERE}))
        source = Sites(kit(settings, reader), None)
        wanted = lookup("passport", "site.example.org")
        base = f"http://site.example.org:{site.port}"
        page = await source.read(Candidate(kind="site", title="Passports", address=f"{base}/p"), wanted)
        assert (page.title, page.text) == ("Passports", "A page about passports.")
        with pytest.raises(MenagerieError) as caught:
            await source.read(Candidate(kind="site", title="Away", address=f"{base}/away"), wanted)
        assert caught.value.code == ErrorCode.SOURCE_REFUSED
        await reader.close()
