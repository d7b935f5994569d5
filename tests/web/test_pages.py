"""The pages as they leave the server: languages, caching, escaping, and the form that needs no script."""

from __future__ import annotations

import asyncio
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from menagerie.core.events import Done
from menagerie.core.provenance import SourceFacts
from menagerie.locales import LANGUAGES, catalogue
from menagerie.web.assets import assets
from menagerie.web.routes import pages
from tests.web.serving import Parts, a_turn, parts, raw, serving

HTML = {"Accept": "text/html"}
PATHS = ("/en/chat", "/fr/chat", "/en/chat/otter", "/fr/chat/otter", "/fr/conversations", "/fr/about")


UI = Path(__file__).parents[2] / "ui"


def scripts() -> list[Path]:
    """What the scripts of the pages are built from."""
    folders = (UI / name for name in ("client", "parts", "pages"))
    return [file for folder in folders for file in folder.rglob("*.[jt]s")]


def on_stage(folder: Path) -> Parts:
    """Parts with the pages among their routes."""
    given = parts(folder)
    given.routers = (pages.router,)
    return given


async def location(client: aiohttp.ClientSession, path: str, **headers: str) -> tuple[str, str]:
    """Where a redirect leads, and on which headers that depends."""
    async with client.get(path, allow_redirects=False, headers=headers) as response:
        assert response.status == 307
        return response.headers["Location"], response.headers["Vary"]


async def test_the_bare_paths_lead_to_the_callers_language(tmp_path: Path) -> None:
    async with serving(on_stage(tmp_path)) as client:
        french = {"Accept-Language": "fr-CA,en;q=0.5"}

        assert (await location(client, "/"))[0] == "/chat"
        assert await location(client, "/chat", **french) == ("/fr/chat", "Accept-Language, Cookie")
        assert (await location(client, "/chat/otter", **french))[0] == "/fr/chat/otter"
        assert (await location(client, "/about?x=1&lang=fr"))[0] == "/fr/about?x=1"
        assert (await location(client, "/chat", Cookie="lang=en", **french))[0] == "/en/chat"
        assert (await location(client, "/fr"))[0] == "/fr/chat"


async def test_reading_a_page_in_a_language_is_remembered(tmp_path: Path) -> None:
    async with serving(on_stage(tmp_path)) as client:
        async with client.get("/fr/chat") as page:
            assert page.headers["Content-Language"] == "fr"
            assert page.cookies["lang"].value == "fr"
            assert page.cookies["lang"]["samesite"] == "lax"
        async with client.get("/fr/chat", headers={"Cookie": "lang=fr"}) as again:
            assert "Set-Cookie" not in again.headers


@pytest.mark.parametrize(
    "path", ["/chat/nobody", "/en/chat/nobody", "/fr/chat/..%2f..%2fetc", "/static/x/none.css"]
)
async def test_what_does_not_exist_is_a_page_that_says_so(tmp_path: Path, path: str) -> None:
    async with serving(on_stage(tmp_path)) as client, client.get(path, headers=HTML) as response:
        assert response.status == 404
        assert response.content_type == "text/html"
        assert 'href="/' in await response.text()


@pytest.mark.parametrize("path", PATHS)
async def test_pages_obey_a_strict_policy_and_ask_nowhere_else(tmp_path: Path, path: str) -> None:
    async with serving(on_stage(tmp_path)) as client, client.get(path) as response:
        page = await response.text()

        assert response.status == 200
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page)
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page)


async def test_a_personas_texts_are_never_markup(tmp_path: Path) -> None:
    given = on_stage(tmp_path)
    file = given.settings.personalities[0] / "20-more.json"
    file.write_text(json.dumps({"imp": {"title": "<script>alert(1)</script>", "intro_dialogue": "'\"><b>"}}))
    assert given.personas.reload()

    async with serving(given) as client:
        for path in ("/en/chat", "/en/chat/imp"):
            async with client.get(path) as response:
                page = await response.text()
                assert "&lt;script&gt;alert(1)" in page
                assert "<script>alert" not in page
                assert "><b>" not in page


async def test_the_page_of_conversations_says_where_they_are_kept_and_what_it_needs(tmp_path: Path) -> None:
    given = parts(tmp_path, trusted_proxies=("127.0.0.0/8",))
    given.routers = (pages.router,)
    async with serving(given) as client:
        async with client.get("/fr/conversations") as response:
            nobodys = await response.text()
        async with client.get("/fr/conversations", headers={"X-Forwarded-User": "ann"}) as response:
            anns = await response.text()

    assert "que dans ce navigateur" in nobodys
    assert "sous votre nom" in anns
    assert "que dans ce navigateur" not in anns
    unscripted = re.search(r"<noscript>(.*)</noscript>", anns, re.DOTALL)
    assert unscripted
    assert 'href="/fr/chat"' in unscripted[1]


async def test_pages_answer_head(tmp_path: Path) -> None:
    async with serving(on_stage(tmp_path)) as client, client.head("/en/chat") as response:
        assert response.status == 200


async def test_static_files_are_kept_for_ever_under_the_name_of_their_content(tmp_path: Path) -> None:
    address = assets().entry("chat").styles[0]
    async with serving(on_stage(tmp_path)) as client:
        async with client.get(address) as first:
            assert first.status == 200
            assert first.content_type == "text/css"
            assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert first.headers["Content-Encoding"] == "gzip"
            tag = first.headers["ETag"]
        async with client.get(address, headers={"If-None-Match": tag}) as again:
            assert again.status == 304
        async with client.get(f"/static/0123/{address.rsplit('/', 1)[1]}") as old:
            assert old.headers["Cache-Control"] == "public, no-cache"


async def test_every_file_that_a_page_or_a_module_names_is_there(tmp_path: Path) -> None:
    async with serving(on_stage(tmp_path)) as client:
        named = set()
        for path in PATHS:
            async with client.get(path) as response:
                named |= set(re.findall(r'(?:src|href)="(/static/[^"]+)"', await response.text()))
        for address in sorted(named):
            async with client.get(address) as response:
                assert response.status == 200
                if response.content_type != "text/javascript":
                    continue
                for module in re.findall(r'from\s*"\./([^"]+)"', await response.text()):
                    assert f"{address.rsplit('/', 1)[0]}/{module}" in named, f"{module} is not preloaded"


@pytest.mark.parametrize(
    "path", ["../pages.py", "..%2fpages.py", "%2e%2e/%2e%2e/settings.py", "/etc/passwd", ""]
)
async def test_no_path_leads_out_of_the_static_files(tmp_path: Path, path: str) -> None:
    async with serving(on_stage(tmp_path)) as client, raw(client) as (reader, writer):
        writer.write(
            f"GET /static/x/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        assert (await reader.readline()).split()[1] == b"404"


async def test_the_form_shows_an_answer_while_it_comes(tmp_path: Path) -> None:
    given = on_stage(tmp_path)
    given.turns.script = a_turn("First <b>piece</b>", " and the rest")
    given.turns.hangs = True

    async with serving(given) as client, client.post("/en/chat/otter", data={"prompt": "hi"}) as response:
        async with asyncio.timeout(5):
            seen = b""
            while b"and the rest" not in seen:
                seen += await response.content.readany()
        assert b"First &lt;b&gt;piece&lt;/b&gt;" in seen
        assert b"</html>" not in seen


async def test_leaving_the_page_stops_the_turn_that_its_form_began(tmp_path: Path) -> None:
    given = on_stage(tmp_path)
    given.turns.hangs = True

    async with serving(given) as client:
        response = await client.post("/en/chat/otter", data={"prompt": "hi"})
        await response.content.readany()
        response.close()
        await asyncio.wait_for(given.turns.cancelled.wait(), 2)


async def test_the_form_hands_on_all_that_it_was_given(tmp_path: Path) -> None:
    given = on_stage(tmp_path)
    form = {"prompt": "hi", "session": "s1", "context": "mud"}

    async with serving(given) as client, client.post("/fr/chat/otter", data=form) as response:
        page = await response.text()

    (request,) = given.turns.requests
    assert (request.prompt, request.session, request.language, request.persona) == ("hi", "s1", "fr", "otter")
    assert [each.text for each in request.given] == ["mud"]
    assert 'name="session" id="session" value="s1"' in page


async def test_the_form_lists_what_the_answer_rests_on(tmp_path: Path) -> None:
    given = on_stage(tmp_path)
    found: list[dict[str, Any]] = [
        {
            "title": "Congés",
            "heading": "Congés",
            "address": "https://a.ca/x?a=1&b=2",
            "page": 3,
            "language": "fr",
        },
        {"title": "Feuille <b>", "heading": "Feuille <b> › Prix › Été", "address": "javascript:alert(1)"},
        {"read": "2026-12-01T03:05:00+00:00", "passage": "<script>x</script>", "address": "https://[a/"},
    ]
    sources = (
        SourceFacts(1, "content", characters=1234),
        *(SourceFacts(number, "page", **facts) for number, facts in enumerate(found, 2)),
    )
    *events, done = a_turn("Twenty days [2].")
    assert isinstance(done, Done)
    account = msgspec.structs.replace(done.provenance, sources=sources)
    given.turns.script = [*events, msgspec.structs.replace(done, provenance=account)]

    async with serving(given) as client, client.post("/fr/chat/otter", data={"prompt": "?"}) as response:
        page = " ".join((await response.text()).split())

    assert '<h3>Sources</h3> <ul role="list">' in page
    assert '<span class="source-number">[1]</span> Texte collé, 1 234 caractères' in page
    assert '<span lang="fr-CA">Congés</span>, page 3 <p' in page
    assert '<a href="https://a.ca/x?a=1&amp;b=2" rel="noopener noreferrer nofollow">' in page
    assert "<span>Feuille &lt;b&gt;, Prix › Été</span>" in page
    assert '<p class="source-address">javascript:alert(1)</p>' in page
    assert '<p class="source-address">https://[a/</p>' in page
    assert "<span>Sans titre</span>" in page
    assert "Consulté le lundi 30 novembre 2026, 22 h 05" in page
    assert (
        "<summary>Passage de la source 4</summary> <blockquote>&lt;script&gt;x&lt;/script&gt;</blockquote>"
        in page
    )
    assert "<dt>Demandée le</dt><dd>lundi 23 novembre 2026, 12 h 00" in page
    assert "2026-11-23" not in page


def test_no_text_of_the_pages_is_unused() -> None:
    web = resources.files("menagerie.web")
    files = [
        *Path(str(web.joinpath("templates"))).iterdir(),
        *scripts(),
        *(
            Path(str(web.joinpath(name)))
            for name in ("routes/pages.py", "routes/installing.py", "branding.py")
        ),
    ]
    sources = "".join(file.read_text(encoding="utf-8") for file in files)
    built = (
        "page.language.",
        "page.docs.where.",
        "page.live.about.",
        "page.live.queued",
        "page.settings.",
        "page.stats.",
    )

    for language in LANGUAGES:
        for key in catalogue(language):
            if key.startswith("page.") and not key.startswith(built):
                assert (
                    f'"{key}"' in sources
                    or f"'{key}'" in sources
                    or f'"{key.removeprefix("page.live.")}"' in sources
                ), key
