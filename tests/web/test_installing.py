"""What a browser needs to install the pages like an application."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from menagerie.web.routes import pages
from tests.web.brands import brand
from tests.web.serving import Parts, parts, serving


def with_pages(folder: Path, **settings: object) -> Parts:
    """Parts with the pages among their routes."""
    given = parts(folder, **settings)
    given.routers = (pages.router,)
    return given


@pytest.mark.parametrize(("language", "name"), [("en", "menagerie"), ("fr", "ménagerie")])
async def test_each_language_has_a_manifest_that_the_pages_name(
    tmp_path: Path, language: str, name: str
) -> None:
    async with serving(with_pages(tmp_path)) as client:
        async with client.get(f"/{language}/chat") as page:
            assert f'<link rel="manifest" href="/{language}/manifest.webmanifest">' in await page.text()
        async with client.get(f"/{language}/manifest.webmanifest") as response:
            assert response.content_type == "application/manifest+json"
            manifest: dict[str, Any] = await response.json(content_type=None)
    assert manifest["name"] == name
    assert manifest["lang"] == f"{language}-CA"
    assert manifest["start_url"] == manifest["id"] == f"/{language}/chat"
    assert manifest["display"] == "standalone"


async def test_the_icons_are_there_in_the_sizes_that_the_manifest_says(tmp_path: Path) -> None:
    async with serving(with_pages(tmp_path)) as client:
        async with client.get("/en/manifest.webmanifest") as response:
            icons = (await response.json(content_type=None))["icons"]
        for icon in icons:
            async with client.get(icon["src"]) as file:
                assert file.content_type == icon["type"]
                if icon["type"] == "image/png":
                    width, height = Image.open(BytesIO(await file.read())).size
                    assert f"{width}x{height}" == icon["sizes"]
    assert {icon["purpose"] for icon in icons} == {"any", "maskable"}
    assert {"192x192", "512x512", "any"} <= {icon["sizes"] for icon in icons}


async def test_a_brand_brings_its_name_and_its_mark(tmp_path: Path) -> None:
    given = with_pages(tmp_path, branding=str(brand(tmp_path / "brand")))
    async with serving(given) as client, client.get("/fr/manifest.webmanifest") as response:
        manifest = await response.json(content_type=None)
    assert manifest["name"] == "Assistant du Fanal"
    assert [icon["src"].rpartition("/")[2] for icon in manifest["icons"]] == ["mark.svg"]


async def test_without_a_language_the_callers_own_is_meant(tmp_path: Path) -> None:
    asked = {"Accept-Language": "fr"}
    async with (
        serving(with_pages(tmp_path)) as client,
        client.get("/manifest.webmanifest", headers=asked, allow_redirects=False) as response,
    ):
        assert response.headers["Location"] == "/fr/manifest.webmanifest"
