"""How failures are told: a status for every code, and a body in the form and language the caller wants."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import APIRouter, Form, Query, Request
from fastapi.exceptions import HTTPException
from starlette.requests import HTTPConnection

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import LANGUAGES, Language, text
from menagerie.logs import configure_logging
from menagerie.settings import Settings
from menagerie.web.errors import RETRY_AFTER, STATUS, shown, status_of, wanted_form
from tests.web import errors_page
from tests.web.serving import parts, serving

SECRET = "/srv/secret/place"

router = APIRouter()


@router.get("/broken")
async def broken() -> None:
    raise RuntimeError(SECRET)


@router.get("/busy")
async def busy() -> None:
    raise MenagerieError(ErrorCode.QUEUE_FULL, retry_after=7.5)


@router.get("/number")
async def number(n: Annotated[int, Query()]) -> int:
    return n


@router.get("/teapot")
async def teapot() -> None:
    raise HTTPException(418, SECRET)


@router.get("/gateway")
async def gateway() -> None:
    raise HTTPException(502, SECRET)


@router.post("/form")
async def form(a: Annotated[str, Form()] = "") -> str:
    return a


@router.post("/read")
async def read(request: Request) -> int:
    return len(await request.body())


def test_every_code_has_a_status_that_tells_of_an_error() -> None:
    assert set(STATUS) == set(ErrorCode)
    assert all(400 <= status < 600 for status in STATUS.values())
    assert set(RETRY_AFTER) <= set(ErrorCode)
    assert status_of("nonsense") == 500
    assert status_of("queue.full") == 503


@pytest.mark.parametrize(
    ("path", "accept", "form"),
    [
        ("/toil/otter", "text/html", "json"),
        ("/describe/otter", "", "json"),
        ("/gpt/otter", "", "text"),
        ("/gpt/otter", "text/html,*/*", "text"),
        ("/gpt/otter", "application/json", "json"),
        ("/chat", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("/chat", "*/*", "text"),
        ("/chat", "", "text"),
        ("/chat", "application/json, text/html", "json"),
        ("/chat", "text/html;q=0.5, application/json;q=0.9", "json"),
        ("/chat", "text/html;q=0, text/plain", "text"),
        ("/chat", "text/html;level=1;q=0.2, text/plain;q=0.1", "html"),
        ("/chat", "text/html;q=nonsense", "text"),
        ("/chat", ",;,;=" * 10_000, "text"),
    ],
)
def test_an_error_comes_in_the_form_that_is_wanted(path: str, accept: str, form: str) -> None:
    scope = {"type": "http", "path": path, "headers": [(b"accept", accept.encode())] if accept else []}
    assert wanted_form(HTTPConnection(scope)) == form


async def test_an_unknown_address_is_a_page_for_a_browser_and_text_for_others(tmp_path: Path) -> None:
    async with serving(parts(tmp_path)) as client:
        async with client.get("/nothing?lang=fr", headers={"Accept": "text/html"}) as response:
            assert response.status == 404
            assert response.content_type == "text/html"
            body = await response.text()
            assert '<html lang="fr' in body
            assert "request.not_found" in body
        async with client.get("/nothing", headers={"Accept-Language": "fr-CA"}) as response:
            assert await response.text() == f"{text('error.request.not_found', 'fr')} [request.not_found]\n"


async def test_what_nobody_foresaw_is_told_without_a_word_of_the_inside(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.routers = (router,)
    async with serving(given) as client:
        for accept, kind in (
            ("text/html", "text/html"),
            ("application/json", "application/json"),
            ("*/*", "text/plain"),
        ):
            async with client.get("/broken", headers={"Accept": accept}) as response:
                assert (response.status, response.content_type) == (500, kind)
                body = await response.text()
                assert SECRET not in body
                assert "internal" in body
                assert len(response.headers.getall("X-Request-Id")) == 1
                assert "Content-Security-Policy" in response.headers


async def test_what_nobody_foresaw_is_logged_with_the_number_the_caller_was_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(Settings(log_format="json"))
    given = parts(tmp_path)
    given.routers = (router,)
    async with (
        serving(given) as client,
        client.get("/broken?prompt=private", headers={"Accept": "application/json"}) as response,
    ):
        number = (await response.json())["error"]["request"]
    said = capsys.readouterr()
    logged = said.out + said.err
    assert number == response.headers["X-Request-Id"]
    assert logged.count(number) == 1
    assert logged.count("Traceback") == 1
    assert "private" not in logged.partition("Traceback")[0]


async def test_a_failure_that_passes_says_when_to_try_again(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.routers = (router,)
    async with (
        serving(given) as client,
        client.get("/busy", headers={"Accept": "application/json"}) as response,
    ):
        assert response.status == 503
        assert response.headers["Retry-After"] == "8"
        assert (await response.json())["error"]["retry_after"] == 7.5


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/number", 400, "request.invalid"),
        ("/number?n=x", 400, "request.invalid"),
        ("/teapot", 418, "request.invalid"),
        ("/gateway", 502, "internal"),
    ],
)
async def test_what_the_framework_refuses_is_told_in_our_words(
    tmp_path: Path, path: str, status: int, code: str
) -> None:
    given = parts(tmp_path)
    given.routers = (router,)
    async with serving(given) as client, client.get(path) as response:
        assert response.status == status
        body = await response.text()
        assert body.endswith(f"[{code}]\n")
        assert SECRET not in body


@pytest.mark.parametrize("path", ["/form", "/read"])
async def test_a_body_over_the_limit_is_told_as_such_by_every_kind_of_route(
    tmp_path: Path, path: str
) -> None:
    given = parts(tmp_path, max_body=2000)
    given.routers = (router,)

    async def endless() -> object:
        for _ in range(100):
            yield b"a=" + b"x" * 100 + b"&"
            await asyncio.sleep(0)

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with serving(given) as client, client.post(path, data=endless(), headers=headers) as response:
        assert response.status == 413
        assert "2000" in await response.text()


def test_a_name_is_shown_short_and_printable() -> None:
    assert shown("a\r\nb\x00\u202e") == "a��b��"
    assert len(shown("x" * 10_000)) == 61


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_documentation_lists_every_error_as_it_is(language: Language) -> None:
    assert errors_page.path(language).read_text(encoding="utf-8") == errors_page.page(language)
