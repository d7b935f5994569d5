"""The pages about the service, and how a page looks by a cookie that nobody needs to trust."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from menagerie.web.routes import pages
from menagerie.web.view import View, view_from
from tests.web.serving import Parts, parts, serving


def with_pages(folder: Path, **settings: object) -> Parts:
    """Parts with the pages among their routes."""
    given = parts(folder, **settings)
    given.routers = (pages.router,)
    return given


@pytest.mark.parametrize("path", ["about", "privacy", "accessibility", "settings"])
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_every_page_is_there_in_both_languages(tmp_path: Path, path: str, language: str) -> None:
    async with serving(with_pages(tmp_path)) as client:
        async with client.get(f"/{language}/{path}") as response:
            assert response.status == 200
            assert f'<html lang="{language}-CA">' in await response.text()
        asked = {"Accept-Language": language}
        async with client.get(f"/{path}?x=1", headers=asked, allow_redirects=False) as response:
            assert response.headers["Location"] == f"/{language}/{path}?x=1"


async def test_old_anchors_still_lead_on(tmp_path: Path) -> None:
    async with serving(with_pages(tmp_path)) as client, client.get("/en/about") as response:
        page = await response.text()
    assert re.search(r'id="privacy">[^<]*<a href="/en/privacy">', page)
    assert re.search(r'id="accessibility">[^<]*<a href="/en/accessibility">', page)


async def test_the_privacy_notice_says_how_long_files_are_kept_here(tmp_path: Path) -> None:
    async with serving(with_pages(tmp_path, file_days=7)) as client, client.get("/fr/privacy") as response:
        assert "pendant 7 jours" in await response.text()


async def test_the_header_says_who_is_signed_in_and_believes_only_a_trusted_proxy(tmp_path: Path) -> None:
    named = {"X-Forwarded-User": "<b>Ann"}
    for folder, proxies, count in (("one", ("127.0.0.0/8",), 2), ("two", (), 0)):
        (tmp_path / folder).mkdir()
        given = with_pages(tmp_path / folder, trusted_proxies=proxies)
        async with serving(given) as client, client.get("/fr/about", headers=named) as response:
            page = await response.text()
        assert page.count('<bdi translate="no">&lt;b&gt;ann</bdi>') == count
        assert page.count("Session de") == count
        assert "<b>ann" not in page.lower()
    async with serving(with_pages(tmp_path)) as client, client.get("/fr/about") as response:
        assert "Session de" not in await response.text()


async def test_an_error_page_has_the_number_of_the_request_and_ways_on(tmp_path: Path) -> None:
    asked = {"Accept": "text/html"}
    async with serving(with_pages(tmp_path)) as client, client.get("/fr/nothing", headers=asked) as response:
        page = await response.text()
        number = response.headers["X-Request-Id"]
    assert number in page
    assert '<a class="button" href="/fr/chat/otter">Loutre</a>' in page


@pytest.mark.parametrize(
    ("cookie", "attributes"),
    [
        ("dark.large.reduced", ' data-scheme="dark" data-text="large" data-motion="reduced"'),
        ("light.normal.system", ' data-scheme="light"'),
        ("system.normal.system", ""),
        ("pink.large.system", ' data-text="large"'),
        ('dark"><script>', ""),
        ("dark.large", ""),
        ("dark.large.reduced.more", ""),
        ("", ""),
    ],
)
async def test_only_known_choices_of_the_cookie_reach_the_page(
    tmp_path: Path, cookie: str, attributes: str
) -> None:
    headers = {"Cookie": f"view={cookie}"}
    async with serving(with_pages(tmp_path)) as client, client.get("/en/about", headers=headers) as response:
        page = await response.text()
        assert response.headers["Vary"] == "Cookie"
    assert f'<html lang="en-CA"{attributes}>' in page


async def test_the_form_of_the_settings_sets_the_cookie(tmp_path: Path) -> None:
    form = {"scheme": "dark", "text": "larger", "motion": "shaking"}
    async with serving(with_pages(tmp_path)) as client:
        async with client.post("/fr/settings", data=form, allow_redirects=False) as response:
            assert response.status == 303
            assert response.headers["Location"] == "/fr/settings?saved=1"
            assert response.cookies["view"].value == "dark.larger.system"
            assert response.cookies["view"]["samesite"] == "lax"
        async with client.get("/fr/settings?saved=1", headers={"Cookie": "view=dark.larger.system"}) as page:
            shown = await page.text()
    assert 'name="scheme" value="dark" checked' in shown
    assert "Vos paramètres sont enregistrés." in shown


def test_a_view_comes_back_from_its_cookie() -> None:
    view = View("dark", "large", "reduced")
    assert view_from(view.cookie().split(".")) == view
