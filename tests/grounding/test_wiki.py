"""Wikis are searched by their API: in the language of the turn, however they are set up, whatever goes wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.grounding.document import Document
from menagerie.grounding.mediawiki import api
from menagerie.grounding.mediawiki.article import parts_of
from menagerie.grounding.mediawiki.places import Places
from menagerie.grounding.reader import Reader
from menagerie.grounding.registry import Sources
from menagerie.grounding.source import Candidate, Kit, Lookup
from menagerie.grounding.sources.wiki import WikiSource
from menagerie.locales import LANGUAGES, Language
from menagerie.net.page import PageCache
from menagerie.settings import Settings
from tests.grounding.wikis import Article, MediaWiki, broken
from tests.net.pages import Answer, Names, allowing, asked, server

LONG = "The canal runs from Ottawa to Kingston, and it has been in use since 1832. " * 4
CANAL = Article(
    "Rideau Canal",
    f"{LONG}\n\n\n== History ==\n{LONG}\n\n=== Locks ===\nThere are 45 locks.\n\n\n== See also ==\nErie Canal",
    11,
)
OLD_NAME = Article("Bytown canal", "The canal of Bytown, Ottawa", 12, leads_to="Rideau Canal")
NAMES = Article("Canal (names)", "Canal may refer to: Rideau Canal, Ottawa", 10, tells_apart=True)
CANAL_FR = Article("Canal Rideau", "Le canal relie la ville d’Ottawa à celle de Kingston depuis 1832.", 21)
WIKI = "wiki.example.org"


@asynccontextmanager
async def wiki_at(
    answer: Any, host: str = WIKI, **settings: Any
) -> AsyncIterator[tuple[WikiSource, TestServer]]:
    """The source, with a wiki at that host that the settings name."""
    async with server(answer) as site:
        address = f"http://{host}:{site.port}/"
        tokens = settings.pop("token", "")
        named = {"wikis": settings.pop("wikis", address), "wiki_tokens": f"{host}={tokens}" if tokens else ""}
        async with source_of(allowing(site, **named, **settings), **{host: [["127.0.0.1"]]}) as made:
            yield made, site


@asynccontextmanager
async def wikipedia(en: MediaWiki, fr: MediaWiki) -> AsyncIterator[WikiSource]:
    """The source, with the two Wikipedias on the loopback."""
    editions = {"en": en, "fr": fr}

    async def answer(request: web.Request) -> web.StreamResponse:
        return await editions[request.host[:2]](request)

    async with server(answer) as site:
        names = {f"{one}.wikipedia.org": [["127.0.0.1"]] for one in editions}
        pattern = f"http://{{host}}:{site.port}/w/api.php"
        async with source_of(allowing(site), pattern, **names) as made:
            yield made


@asynccontextmanager
async def source_of(settings: Settings, *pattern: str, **names: list[list[str]]) -> AsyncIterator[WikiSource]:
    reader = Reader(settings, Names(**names))
    try:
        yield WikiSource(Kit(settings, reader, cast("Any", None), cast("Any", None)), *pattern)
    finally:
        await reader.close()


def lookup(terms: str, *where: str, language: Language = "en", **more: Any) -> Lookup:
    user = User(names=("ana",))
    return Lookup(
        question=f"What of {terms}?", terms=terms, language=language, user=user, where=where, **more
    )


def titles(found: Sequence[Candidate]) -> list[str]:
    return [one.title for one in found]


def address(found: Candidate | Document) -> tuple[str, str]:
    """The host and the rest of an address, without the port of the test."""
    url = URL(found.address)
    return url.host or "", url.raw_path_qs


async def code(source: WikiSource, wanted: Lookup) -> ErrorCode:
    with pytest.raises(MenagerieError) as caught:
        await source.search(wanted)
    return caught.value.code


async def test_an_article_is_found_with_its_address_summary_language_and_time() -> None:
    async with wiki_at(MediaWiki(CANAL)) as (source, _):
        (found,) = await source.search(lookup("canal", WIKI))
    assert (found.kind, found.title, found.language) == ("wiki", "Rideau Canal", "en")
    assert address(found) == (WIKI, "/wiki/Rideau_Canal")
    assert found.summary.startswith("The canal runs from Ottawa")
    assert len(found.summary) <= 501
    assert found.date == datetime(2025, 3, 1, 10, tzinfo=UTC)
    assert found.passages == ()


@pytest.mark.parametrize("extracts", [True, False])
async def test_an_article_is_read_with_its_sections_as_headings(extracts: bool) -> None:
    async with wiki_at(MediaWiki(CANAL, extracts=extracts)) as (source, _):
        wanted = lookup("canal", WIKI)
        (found,) = await source.search(wanted)
        document = await source.read(found, wanted)
    assert (document.title, document.language) == ("Rideau Canal", "en")
    assert address(document) == (WIKI, "/wiki/Rideau_Canal")
    assert [part.heading for part in document.parts] == [(), ("History",), ("History", "Locks")]
    assert document.parts[2].text == "There are 45 locks."
    assert document.read is not None


async def test_a_wiki_without_extracts_has_snippets_as_summaries() -> None:
    async with wiki_at(MediaWiki(CANAL, extracts=False)) as (source, _):
        (found,) = await source.search(lookup("canal", WIKI))
    assert found.summary == "Rideau Canal & more"


async def test_redirects_are_followed_and_pages_that_tell_names_apart_come_last() -> None:
    async with wiki_at(MediaWiki(NAMES, OLD_NAME, CANAL)) as (source, _):
        found = await source.search(lookup("canal", WIKI))
    assert titles(found) == ["Rideau Canal", "Canal (names)"]


async def test_pages_that_do_not_exist_are_left_out() -> None:
    async with wiki_at(MediaWiki(CANAL, ghosts=("Canal of Mars",))) as (source, _):
        assert titles(await source.search(lookup("canal", WIKI))) == ["Rideau Canal"]


async def test_an_article_that_was_only_imagined_is_unreadable() -> None:
    async with wiki_at(MediaWiki(CANAL)) as (source, site):
        imagined = Candidate(
            kind="wiki", title="Canal of Mars", address=f"http://{WIKI}:{site.port}/wiki/Mars"
        )
        with pytest.raises(MenagerieError) as caught:
            await source.read(imagined, lookup("canal", WIKI))
    assert caught.value.code == ErrorCode.SOURCE_UNREADABLE


async def test_an_article_that_is_all_tables_is_read_from_its_page() -> None:
    wiki = MediaWiki(Article("Rideau Canal", "canal", 11))

    async def without_extract(request: web.Request) -> web.StreamResponse:
        if "exsectionformat" in request.query:
            page = {"pageid": 11, "title": "Rideau Canal", "extract": ""}
            return web.json_response({"query": {"pages": [page]}})
        return await wiki(request)

    async with wiki_at(without_extract) as (source, _):
        wanted = lookup("canal", WIKI)
        (found,) = await source.search(wanted)
        assert (await source.read(found, wanted)).text == "canal"


async def test_long_terms_in_any_letters_are_cut_to_what_a_wiki_takes() -> None:
    wiki = MediaWiki(CANAL)
    async with wiki_at(wiki) as (source, _):
        assert await source.search(lookup("canalé " * 400, WIKI)) == []
    assert all(200 < len(one) <= 300 or " OR " in one for one in wiki.searches)


async def test_an_article_that_nobody_searched_is_read_by_its_title() -> None:
    for extracts in (True, False):
        async with wiki_at(MediaWiki(CANAL, extracts=extracts)) as (source, site):
            named = Candidate(
                kind="wiki", title="Rideau Canal", address=f"http://{WIKI}:{site.port}/wiki/Rideau_Canal"
            )
            assert "45 locks" in (await source.read(named, lookup("canal", WIKI))).text


async def test_terms_that_are_misspelt_are_searched_as_the_wiki_spells_them() -> None:
    wiki = MediaWiki(CANAL, suggestion="canal")
    async with wiki_at(wiki) as (source, _):
        assert titles(await source.search(lookup("cannal", WIKI))) == ["Rideau Canal"]
    assert wiki.searches == ["cannal", "canal"]


async def test_a_wiki_that_suggests_for_ever_is_heard_once() -> None:
    wiki = MediaWiki(suggestion="another canal")
    async with wiki_at(wiki) as (source, _):
        assert await source.search(lookup("canal", WIKI)) == []
    assert wiki.searches == ["canal", "another canal"]


async def test_where_not_all_terms_are_found_some_are_and_the_question_stays_here() -> None:
    wiki = MediaWiki(CANAL)
    async with wiki_at(wiki) as (source, _):
        assert titles(await source.search(lookup("canal submarine", WIKI))) == ["Rideau Canal"]
    assert wiki.searches == ["canal submarine", "canal OR submarine"]


async def test_wikipedia_is_searched_in_the_language_of_the_turn() -> None:
    async with wikipedia(MediaWiki(CANAL), MediaWiki(CANAL_FR)) as source:
        english = await source.search(lookup("canal Ottawa", "wikipedia.org"))
        french = await source.search(lookup("canal Ottawa", "wikipedia.org", language="fr"))
        named = await source.search(lookup("canal Ottawa", "fr.wikipedia.org"))
    assert [(one.title, one.language) for one in english] == [("Rideau Canal", "en")]
    assert [(one.title, one.language) for one in french] == [("Canal Rideau", "fr")]
    assert titles(named) == ["Canal Rideau"]


async def test_where_one_official_language_has_nothing_the_other_is_searched_and_says_so() -> None:
    english = MediaWiki(Article("Locks", "About locks", 1))
    async with wikipedia(english, MediaWiki(CANAL_FR)) as source:
        found = await source.search(lookup("canal Kingston", "wikipedia.org"))
        assert [(one.title, one.language) for one in found] == [("Canal Rideau", "fr")]
        assert await source.search(lookup("nowhere", "wikipedia.org")) == []


async def test_where_one_language_fails_the_other_answers() -> None:
    failing = MediaWiki(CANAL, errors=["internal_api_error"] * 9)
    async with wikipedia(failing, MediaWiki(CANAL_FR)) as source:
        assert titles(await source.search(lookup("canal", "wikipedia.org"))) == ["Canal Rideau"]


async def test_several_wikis_take_turns_and_one_that_fails_does_not_stop_the_others() -> None:
    first = MediaWiki(CANAL, Article("Canal boats", "Boats of the canal", 13))
    async with wikipedia(first, MediaWiki(CANAL_FR)) as source:
        wanted = lookup("canal", "en.wikipedia.org", "fr.wikipedia.org", "de.wikipedia.org", most=2)
        assert titles(await source.search(wanted)) == ["Rideau Canal", "Canal Rideau"]


@pytest.mark.parametrize("how", [{"at": "/api.php", "says_where": False}, {"at": "/deep/inside/api.php"}])
async def test_the_api_is_found_by_the_page_or_at_the_usual_places_and_remembered(
    how: dict[str, Any],
) -> None:
    async with wiki_at(MediaWiki(CANAL, **how)) as (source, site):
        assert titles(await source.search(lookup("canal", WIKI))) == ["Rideau Canal"]
        assert titles(await source.search(lookup("locks", WIKI))) == ["Rideau Canal"]
        assert asked(site).count("/") == 1


async def test_the_address_of_the_api_may_be_named_itself() -> None:
    async with server(MediaWiki(CANAL, at="/odd/api.php")) as site:
        settings = allowing(site, wikis=f"http://{WIKI}:{site.port}/odd/api.php")
        async with source_of(settings, **{WIKI: [["127.0.0.1"]]}) as source:
            assert titles(await source.search(lookup("canal", WIKI))) == ["Rideau Canal"]
        assert "/" not in asked(site)


async def test_a_site_that_is_no_wiki_is_said_to_have_failed_and_is_not_asked_again_at_once() -> None:
    async with wiki_at(broken) as (source, site):
        assert await code(source, lookup("canal", WIKI)) == ErrorCode.SEARCH_FAILED
        before = len(asked(site))
        assert await code(source, lookup("canal", WIKI)) == ErrorCode.SEARCH_FAILED
        assert len(asked(site)) == before


async def test_a_private_wiki_is_asked_with_its_token_which_nobody_else_sees() -> None:
    private = MediaWiki(CANAL, token="s3cret")
    async with wiki_at(private, token="s3cret") as (source, _):
        wanted = lookup("canal", WIKI)
        (found,) = await source.search(wanted)
        assert "45 locks" in (await source.read(found, wanted)).text
    assert set(private.shown) == {"Bearer s3cret"}
    async with wiki_at(private) as (source, _):
        assert await code(source, lookup("canal", WIKI)) == ErrorCode.SEARCH_FAILED


async def test_what_a_private_wiki_answers_is_not_kept_for_others(tmp_path: Path) -> None:
    asked_for: list[str] = []

    def kept(wiki: MediaWiki) -> Answer:
        async def answer(request: web.Request) -> web.StreamResponse:
            asked_for.append(request.query_string)
            response = await wiki(request)
            response.headers["Cache-Control"] = "public, max-age=3600"
            return response

        return answer

    for token in ("s3cret", ""):
        async with server(kept(MediaWiki(CANAL, token=token))) as site:
            tokens = f"{WIKI}={token}" if token else ""
            settings = allowing(site, wikis=f"http://{WIKI}:{site.port}/", wiki_tokens=tokens)
            cache = PageCache(tmp_path / f"cache{token}", 1 << 20)
            reader = Reader(settings, Names(**{WIKI: [["127.0.0.1"]]}), cache)
            source = WikiSource(Kit(settings, reader, cast("Any", None), cast("Any", None)))
            await source.search(lookup("canal", WIKI))
            before = len(asked_for)
            assert titles(await source.search(lookup("canal", WIKI))) == ["Rideau Canal"]
            assert len(asked_for) - before == (2 if token else 0)
            await reader.close()


async def test_a_token_does_not_follow_a_page_that_leads_to_another_host() -> None:
    other = MediaWiki(CANAL, at="/api.php")
    async with server(other) as elsewhere:

        async def leading(_request: web.Request) -> web.StreamResponse:
            address = f"http://other.example.org:{elsewhere.port}/api.php?action=rsd"
            return web.Response(
                text=f'<html><link rel="EditURI" href="{address}"></html>', content_type="text/html"
            )

        async with server(leading) as site:
            settings = allowing(
                site, elsewhere, wikis=f"http://{WIKI}:{site.port}/", wiki_tokens=f"{WIKI}=s3cret"
            )
            names = {WIKI: [["127.0.0.1"]], "other.example.org": [["127.0.0.1"]]}
            async with source_of(settings, **names) as source:
                assert titles(await source.search(lookup("canal", WIKI))) == ["Rideau Canal"]
    assert set(other.shown) == {""}


def test_a_token_is_shown_to_its_host_only_at_the_port_of_the_wiki_or_of_https() -> None:
    settings = Settings(wikis="https://wiki.example.org:8443/", wiki_tokens="wiki.example.org=s3cret, broken")  # type: ignore[arg-type]
    places = Places(settings)
    (place,) = places.of("WIKI.Example.org.", "en")
    shown = {
        "https://wiki.example.org:8443/w/api.php": "Bearer s3cret",
        "https://wiki.example.org/w/api.php": "Bearer s3cret",
        "https://wiki.example.org:9000/w/api.php": "",
        "http://wiki.example.org/w/api.php": "",
        "https://wiki.example.org.evil.com/w/api.php": "",
        "https://evil.com/wiki.example.org": "",
    }
    assert {address: places.authorization(address, place) for address in shown} == shown


async def test_a_busy_wiki_is_asked_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PAUSE_S", 0.01)
    wiki = MediaWiki(CANAL)
    async with wiki_at(wiki) as (source, _):
        await source.search(lookup("canal", WIKI))
        wiki.errors = ["maxlag"]
        assert titles(await source.search(lookup("canal", WIKI))) == ["Rideau Canal"]
        wiki.errors = ["maxlag"] * 3
        assert await code(source, lookup("canal", WIKI)) == ErrorCode.SEARCH_FAILED


async def test_what_was_listed_counts_though_more_of_it_cannot_be_had() -> None:
    wiki = MediaWiki(CANAL)

    async def failing(request: web.Request) -> web.StreamResponse:
        if "pageids" in request.query:
            return web.json_response({"error": {"code": "internal_api_error"}})
        return await wiki(request)

    async with wiki_at(failing) as (source, _):
        (found,) = await source.search(lookup("canal", WIKI))
    assert (found.title, found.summary) == ("Rideau Canal", "Rideau Canal & more")
    assert address(found) == (WIKI, "/w/index.php?curid=11")


async def test_an_address_that_is_not_of_the_wiki_is_not_told() -> None:
    async with wiki_at(MediaWiki(CANAL, elsewhere="https://evil.example.com")) as (source, _):
        (found,) = await source.search(lookup("canal", WIKI))
    assert address(found) == (WIKI, "/w/index.php?curid=11")


@pytest.mark.parametrize(
    "answer",
    [
        "[]",
        "null",
        '{"query": 1}',
        '{"query": {"search": {"a": 1}}}',
        "[" * 100_000,
        '{"error": "no"}',
        '{"a": "\xff"}',
        '{"query": {"general": {"lang": "en"}, "search": [1, "a", {"pageid": "x"}, null]}}',
    ],
)
async def test_hostile_answers_are_failures_or_nothing_never_more(answer: str) -> None:
    async def hostile(request: web.Request) -> web.StreamResponse:
        if request.query.get("meta") == "siteinfo":
            return web.json_response({"query": {"general": {"lang": "en"}}})
        return web.Response(body=answer.encode("latin-1"), content_type="application/json")

    async with wiki_at(hostile) as (source, site):
        try:
            assert await source.search(lookup("canal", WIKI)) == []
        except MenagerieError as failure:
            assert failure.code == ErrorCode.SEARCH_FAILED  # noqa: PT017 - either will do
        assert asked(site)


async def test_summaries_and_sections_of_strangers_are_cut_and_cleaned() -> None:
    nasty = Article("Canal\u202e", "canal \x1b[31m" + "<b>a</b> " * 4000 + f"\n== {'H' * 299} ==\nx\x00y", 11)
    async with wiki_at(MediaWiki(nasty)) as (source, _):
        wanted = lookup("canal", WIKI)
        (found,) = await source.search(wanted)
        document = await source.read(found, wanted)
    assert found.title == "Canal"
    assert len(found.summary) <= 501
    assert "<b>" not in found.summary
    assert document.parts[1].text == "xy"
    assert len(document.parts[1].heading[0]) <= 201


async def test_nothing_is_asked_where_reading_is_off() -> None:
    async with wiki_at(MediaWiki(CANAL), fetch="off") as (source, site):
        assert await code(source, lookup("canal", WIKI)) == ErrorCode.SOURCE_OFF
        assert asked(site) == []


@pytest.mark.parametrize(
    ("where", "served"),
    [
        ("wikipedia.org", True),
        ("www.wikipedia.org", True),
        ("FR.wikipedia.org", True),
        ("en.m.wikipedia.org", True),
        ("fr.wiktionary.org", True),
        ("gcwiki.ca", True),
        ("wiki.gccollab.ca", True),
        ("wiki.example.org", True),
        ("canada.ca", False),
        ("wikipedia.org.evil.com", False),
        ("evil-wikipedia.org", False),
        ("a.b.wikipedia.org", False),
        ("", False),
    ],
)
async def test_wikis_are_known_by_their_hosts(where: str, served: bool) -> None:
    async with source_of(Settings(wikis="https://wiki.example.org/")) as source:  # type: ignore[arg-type]
        assert source.serves(where) is served
        if served:
            for language in LANGUAGES:
                (option,) = source.options(where, language)
                assert option.where == where
                assert option.about


async def test_sources_that_serve_nearly_all_come_after_those_that_serve_some() -> None:
    settings = Settings(search="sitemap")
    reader = Reader(settings, Names())
    sources = Sources.installed(Kit(settings, reader, cast("Any", None), cast("Any", None)))
    assert sources.of("wikipedia.org").kind == "wiki"
    assert sources.of("gcwiki.ca").kind == "wiki"
    assert sources.of("canada.ca").kind == "site"
    await reader.close()


@pytest.mark.parametrize(
    "unit",
    [
        "== " + " " * 6000 + "x\n",
        "=",
        " ",
        "\t",
        "\n",
        "==a==\n",
        "== a\n",
        "==" + "= " * 150 + "x\n",
        "== ",
        "==",
    ],
)
def test_headings_are_found_in_time_whatever_the_text(unit: str) -> None:
    began = time.perf_counter()
    parts_of((unit * 200_000)[:200_000])
    assert time.perf_counter() - began < 2


def test_headings_are_lines_between_equals_signs() -> None:
    ending = "== no\nno ==\n======\n== \t ==\n= x =\n==x= y"
    written = f"Top.\n==  One\t== \nA.\n=== Two = 2 ===\nB.\n=== Odd ==\nC.\n{ending}"
    assert [(part.heading, part.text) for part in parts_of(written)] == [
        ((), "Top."),
        (("One",), "A."),
        (("One", "Two = 2"), "B."),
        (("= Odd",), f"C.\n{ending}"),
    ]
    long = "== " + "x" * 500 + " =="
    assert [part.text for part in parts_of(f"{long}\nA.")] == [f"{long}\nA."]


async def test_a_large_answer_is_decoded_once_and_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    decoding: list[bool] = []
    decode = msgspec.json.decode

    def noted(body: Any, **how: Any) -> Any:
        if isinstance(body, bytes) and b'"parse"' in body[:20]:
            decoding.append(threading.current_thread() is threading.main_thread())
        return decode(body, **how)

    monkeypatch.setattr(msgspec.json, "decode", noted)
    async with wiki_at(MediaWiki(Article("Canal", f"Canal. {LONG * 1500}", 31), extracts=False)) as (
        source,
        _,
    ):
        (found,) = await source.search(lookup("canal", WIKI))
        assert "Ottawa" in (await source.read(found, lookup("canal", WIKI))).text
    assert decoding == [False]
