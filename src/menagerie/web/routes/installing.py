"""What a browser needs to install these pages like an application, and the files of a deployment's branding."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import LANGUAGES, Language, text
from menagerie.web.assets import CHECK_FIRST, FOREVER, assets
from menagerie.web.branding import SURFACES, Brand, branding_of
from menagerie.web.language import language_of
from menagerie.web.marks import POLICY
from menagerie.web.pages import redirect
from menagerie.web.path_language import PathLanguage
from menagerie.web.services import Services, services_of

READ: Final = ["GET", "HEAD"]

router = APIRouter(include_in_schema=False)
_in_language = APIRouter()


@router.api_route("/manifest.webmanifest", methods=READ)
async def manifest_by_language(
    request: Request, services: Annotated[Services, Depends(services_of)]
) -> Response:
    """On to the manifest in the caller's language."""
    return redirect(f"/{language_of(request, services.settings)}/manifest.webmanifest", request)


@_in_language.api_route("/manifest.webmanifest", methods=READ)
async def manifest(request: Request, language: PathLanguage) -> Response:
    """The web application manifest (W3C) in one language."""
    told = _manifest(branding_of(request).in_language(language), language)
    return Response(
        msgspec.json.encode(told),
        media_type="application/manifest+json",
        headers={"Cache-Control": CHECK_FIRST, "Content-Language": language},
    )


@router.api_route("/brand/{version}/{name}", methods=READ)
async def brand_file(request: Request, version: str, name: str) -> Response:
    """A file of the branding. An SVG comes with a policy of its own: opened by itself, it runs and loads nothing."""
    branding = branding_of(request)
    file = branding.files.get(name)
    if file is None:
        raise MenagerieError(ErrorCode.NOT_FOUND)
    headers = {"Cache-Control": FOREVER if version == branding.version else CHECK_FIRST}
    if file.media_type == "image/svg+xml":
        headers["Content-Security-Policy"] = POLICY
    return Response(file.content, media_type=file.media_type, headers=headers)


def _manifest(brand: Brand, language: Language) -> dict[str, object]:
    start = f"/{language}/chat"
    description = brand.department or text("page.manifest.description", language)
    return {
        "id": start,
        "name": brand.service,
        "short_name": brand.service,
        "description": description,
        "lang": f"{language}-CA",
        "dir": "ltr",
        "start_url": start,
        "scope": "/",
        "display": "standalone",
        "background_color": SURFACES[0],
        "theme_color": SURFACES[0],
        "icons": list(_icons(brand)),
    }


def _icons(brand: Brand) -> list[dict[str, str]]:
    """A brand's own mark where it has one, else ours, as a drawing and in the sizes that launchers ask for."""
    url = assets().url
    if brand.mark:
        return [{"src": brand.mark, "sizes": "any", "type": "image/svg+xml", "purpose": "any"}]
    png = [
        {"src": url(f"icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": "any"}
        for size in (192, 512)
    ]
    maskable = {
        "src": url("icon-maskable-512.png"),
        "sizes": "512x512",
        "type": "image/png",
        "purpose": "maskable",
    }
    return [
        {"src": url("mark.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
        *png,
        maskable,
    ]


for _language in LANGUAGES:
    router.include_router(_in_language, prefix=f"/{_language}")
