"""A page at an address becomes material: its text, its title, where it is from; or a clear error."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp import web

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding import documents
from menagerie.grounding.document import Document
from menagerie.grounding.documents import PAGE_SECONDS
from menagerie.grounding.reader import MOST, MOST_EACH, Reader
from menagerie.net.page import LARGEST, Page
from menagerie.net.sniffing import PageKind
from menagerie.settings import Settings
from tests.grounding import files
from tests.net.pages import Names, allowing, asked, body, server

ARTICLE = "<p>" + "The Rideau Canal begins at the foot of Parliament Hill. " * 8 + "</p>"
PAGE = (
    "<!doctype html><html><head><title> The\n Canal </title></head><body><nav><a href='/'>Menu</a></nav>"
    f"<article><h1>Canal</h1>{ARTICLE}</article><script>var secret = 1;</script></body></html>"
)


async def read(address: str, settings: Settings, most: int = 4096, share: str = "ana") -> Document:
    reader = Reader(settings, Names())
    try:
        return await reader.read(address, share, most=most)
    finally:
        await reader.close()


async def code(address: str, settings: Settings, most: int = 4096) -> ErrorCode:
    with pytest.raises(MenagerieError) as caught:
        await read(address, settings, most)
    assert "127.0.0" not in caught.value.message("en") + caught.value.message("fr")
    return caught.value.code


async def text_of(
    content: str | bytes, kind: PageKind = "html", charset: str = "", most: int = 10_000
) -> str:
    sent = content if isinstance(content, bytes) else content.encode()
    reader = Reader(Settings())
    try:
        return (await reader.document(Page("http://a/", kind, charset, sent), most)).text
    finally:
        await reader.close()


async def test_a_page_of_html_is_its_main_text_with_title_and_address() -> None:
    async with server(body(PAGE)) as site:
        address = str(site.make_url("/canal"))
        given = await read(f"{address}#lock", allowing(site))
    assert (given.title, given.address) == ("The Canal", address)
    assert "Rideau Canal" in given.text
    assert "Menu" not in given.text
    assert "secret" not in given.text
    assert given.characters == 0


@pytest.mark.parametrize(
    ("content", "kind"), [('{"a": [1, 2]}', "application/json"), ("a\n  b", "text/plain")]
)
async def test_text_and_json_are_taken_as_they_are(content: str, kind: str) -> None:
    async with server(body(content, kind)) as site:
        assert (await read(str(site.make_url("/")), allowing(site))).text == content


async def test_a_page_without_a_main_text_is_all_of_its_text() -> None:
    assert await text_of("<html><body><div>One</div><div>Two</div></body></html>") == "One\n\nTwo"


async def test_a_long_page_is_cut_and_says_how_long_it_was() -> None:
    async with server(body("abc " * 1000, "text/plain")) as site:
        given = await read(str(site.make_url("/")), allowing(site), most=100)
    assert (len(given.text), given.characters) == (100, 3999)


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        ("Éléphant à l’école".encode(), ""),
        ("Éléphant à l’école".encode("cp1252"), "iso-8859-1"),
        ("Éléphant à l’école".encode("cp1252"), "utf-8"),
        ("Éléphant à l’école".encode("utf-16"), "utf-8"),
        ("Éléphant à l’école".encode("utf-8-sig"), "iso-8859-1"),
        ("Éléphant à l’école".encode(), "no-such-encoding"),
        ("Éléphant à l’école".encode(), "zip"),
    ],
)
async def test_letters_arrive_whole_whatever_the_server_says_of_them(content: bytes, charset: str) -> None:
    assert await text_of(content, "text", charset) == "Éléphant à l’école"


async def test_a_page_of_html_says_its_encoding_itself() -> None:
    page = '<html><head><meta charset="windows-1251"></head><body><p>Привет, мир</p></body></html>'
    assert await text_of(page.encode("cp1251")) == "Привет, мир"


async def document_of(content: bytes, kind: PageKind, path: str = "/") -> Document:
    reader = Reader(Settings())
    try:
        return await reader.document(Page(f"http://a.ca{path}", kind, "", content))
    finally:
        await reader.close()


async def test_a_page_has_parts_under_its_headings() -> None:
    page = f"<main><h1>Canal</h1>{ARTICLE}<h2>Fees</h2><p>None.</p><h2>Hours</h2><p>Nine to six.</p></main>"
    found = await document_of(page.encode(), "html")
    assert [part.heading for part in found.parts] == [("Canal",), ("Canal", "Fees"), ("Canal", "Hours")]
    assert found.language == "en"
    assert found.read is not None


async def test_files_at_an_address_are_read_like_those_that_are_handed_over() -> None:
    found = await document_of(files.pdf(["One.", "Two."]), "pdf", "/a/plan%20A.pdf")
    assert [(part.page, part.text) for part in found.parts] == [(1, "One."), (2, "Two.")]
    assert (found.title, found.address) == ("plan A", "http://a.ca/a/plan%20A.pdf")
    assert (await document_of(files.word(), "zip")).parts[1].heading == ("Fees", "Camping")
    assert (await document_of(b"# Fees\n\nNone.", "text", "/README.md")).parts[0].heading == ("Fees",)


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"%PDF-1.7", "pdf", ErrorCode.SOURCE_UNREADABLE),
        (b"PK\x03\x04", "zip", ErrorCode.SOURCE_UNREADABLE),
        (files.scanned(1), "pdf", ErrorCode.DOCUMENT_SCANNED),
        (files.pdf(["x"] * 5001), "pdf", ErrorCode.DOCUMENT_TOO_LARGE),
    ],
)
async def test_a_file_at_an_address_that_cannot_be_read_says_what_can_be_done(
    content: bytes, kind: PageKind, code: ErrorCode
) -> None:
    with pytest.raises(MenagerieError) as caught:
        await document_of(content, kind)
    assert caught.value.code == code


async def test_controls_and_directions_are_no_text() -> None:
    assert await text_of("a\x1b[31mb\u202ec\u2066d", "text") == "a[31mbcd"


@pytest.mark.parametrize("page", ["", "<html><body></body></html>"])
async def test_a_page_that_says_nothing_is_unreadable(page: str) -> None:
    async with server(body(page)) as site:
        assert await code(str(site.make_url("/")), allowing(site)) == ErrorCode.SOURCE_UNREADABLE


@pytest.mark.parametrize("page", ["<div>" * 300_000, "<p>a" * 300_000, "<ul><li>a</ul>" * 100_000])
async def test_a_page_of_very_many_parts_is_read_or_refused_in_time(page: str) -> None:
    began = time.monotonic()
    try:
        await text_of(page)
    except MenagerieError as failure:
        assert failure.code == ErrorCode.SOURCE_UNREADABLE  # noqa: PT017 - either will do
    assert time.monotonic() - began < 2 * PAGE_SECONDS + 2


async def test_a_page_that_takes_too_long_is_left_and_others_are_answered_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = "<p " + " ".join(f"a{number}=1" for number in range(300_000)) + ">x</p>"
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    began = time.monotonic()
    counting = asyncio.create_task(count())
    monkeypatch.setattr(documents, "PAGE_SECONDS", 1)
    with pytest.raises(MenagerieError) as caught:
        await text_of(page)
    counting.cancel()
    assert caught.value.code == ErrorCode.SOURCE_UNREADABLE
    assert turns > 50
    assert time.monotonic() - began < 12


async def test_every_failure_has_its_code() -> None:
    async def missing(_request: web.Request) -> web.Response:
        return web.Response(status=404)

    async with server(missing) as site:
        address, settings = str(site.make_url("/")), allowing(site)
        assert await code(address, settings) == ErrorCode.SOURCE_UNREACHABLE
        assert await code(address, allowing(site, fetch_deny="127.0.0.1")) == ErrorCode.SOURCE_REFUSED
        assert len(asked(site)) == 1
    assert await code(address, settings) == ErrorCode.SOURCE_UNREACHABLE
    async with server(body(b"a" * (LARGEST + 1), "text/plain")) as site:
        assert await code(str(site.make_url("/")), allowing(site)) == ErrorCode.SOURCE_TOO_LARGE
    async with server(body(b"%PDF-1.7", "text/html")) as site:
        assert await code(str(site.make_url("/")), allowing(site)) == ErrorCode.SOURCE_UNREADABLE


async def test_nothing_is_asked_for_where_reading_is_off_or_nothing_of_it_would_be_used() -> None:
    async with server(body(PAGE)) as site:
        address = str(site.make_url("/"))
        assert await code(address, allowing(site, fetch="off")) == ErrorCode.SOURCE_OFF
        assert await code(address, allowing(site), most=0) == ErrorCode.SOURCE_OFF
        assert asked(site) == []


async def test_one_user_reads_a_few_pages_at_a_time_and_others_still_can() -> None:
    waiting = asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        await waiting.wait()
        return web.Response(text="text")

    async with server(slow) as site:
        reader, address = Reader(allowing(site), Names()), str(site.make_url("/"))
        tasks = [asyncio.create_task(reader.read(address, "ana")) for _ in range(MOST_EACH)]
        await asyncio.sleep(0)
        with pytest.raises(MenagerieError) as caught:
            await reader.read(address, "ana")
        assert caught.value.code == ErrorCode.QUEUE_FULL
        tasks += [asyncio.create_task(reader.read(address, f"b{n}")) for n in range(MOST - MOST_EACH)]
        await asyncio.sleep(0)
        with pytest.raises(MenagerieError):
            await reader.read(address, "carl")
        waiting.set()
        assert {given.text for given in await asyncio.gather(*tasks)} == {"text"}
        assert (await reader.read(address, "carl")).text == "text"
        await reader.close()
