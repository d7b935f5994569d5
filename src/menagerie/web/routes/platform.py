"""`/platform/stats`: what is loaded, how much memory is in use and how long people wait, as a page and as JSON."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from menagerie.engines.figures import shown_name
from menagerie.locales import LANGUAGES, Language
from menagerie.web.errors import wanted_form
from menagerie.web.language import language_of
from menagerie.web.pages import render
from menagerie.web.services import Services, services_of
from menagerie.web.stats import stats_page
from menagerie.web.stats_words import When

Serving = Annotated[Services, Depends(services_of)]
Span = Annotated[Literal["hour", "day"], Query()]

router = APIRouter(include_in_schema=False)


@router.api_route("/platform/stats", methods=["GET", "HEAD"])
async def stats_by_language(request: Request, services: Serving) -> Response:
    """On to the page in the caller's language, or the figures themselves for who asks for JSON."""
    if wanted_form(request) == "json":
        return _json(services)
    language = language_of(request, services.settings)
    query = f"?{request.url.query}" if request.url.query else ""
    headers = {"Vary": "Accept, Accept-Language, Cookie", "Cache-Control": "private, no-cache"}
    return RedirectResponse(f"/{language}/platform/stats{query}", status_code=307, headers=headers)


@router.api_route("/platform/stats.json", methods=["GET", "HEAD"])
async def stats_as_json(services: Serving) -> Response:
    """The figures: `overview`, and `hour` and `day` period by period; times are Unix seconds."""
    return _json(services)


async def stats(
    request: Request, services: Serving, span: Span = "hour", part: Literal["page", "live"] = "page"
) -> Response:
    """The page over the last hour or day; with `part=live` only what changes, for the page's script."""
    if wanted_form(request) == "json":
        return _json(services)
    language = language_of(request, services.settings)
    figures = services.figures
    shown = stats_page(
        services.engines.overview(),
        figures.hour() if span == "hour" else figures.day(),
        When(language, ZoneInfo(services.settings.timezone)),
        span,
    )
    template = "stats.html" if part == "page" else "stats_live.html"
    response = render(request, template, language, stats=shown, part=part)
    response.headers["Vary"] = "Accept, Cookie"
    return response


def _json(services: Services) -> Response:
    overview = services.engines.overview()
    engines = [msgspec.structs.replace(engine, name=shown_name(engine.name)) for engine in overview.engines]
    told = {
        "overview": msgspec.structs.replace(overview, engines=tuple(engines)),
        "hour": services.figures.hour(),
        "day": services.figures.day(),
    }
    return Response(msgspec.json.encode(told), media_type="application/json", headers={"Vary": "Accept"})


def _in_language(language: Language) -> None:
    router.add_api_route(f"/{language}/platform/stats", stats, methods=["GET", "HEAD"])


for _language in LANGUAGES:
    _in_language(_language)
