"""What this service is and promises: the pages about it, the privacy notice, the accessibility statement; and the
settings of the pages as a form, for browsers without scripts."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from menagerie.locales import LANGUAGES
from menagerie.web.language import language_of
from menagerie.web.pages import A_YEAR, redirect, render
from menagerie.web.path_language import PathLanguage
from menagerie.web.services import Services, services_of
from menagerie.web.view import CHOICES, COOKIE, view_from

READ: Final = ["GET", "HEAD"]

router = APIRouter(include_in_schema=False)
_in_language = APIRouter()

Serving = Annotated[Services, Depends(services_of)]


@router.api_route("/about", methods=READ)
@router.api_route("/privacy", methods=READ)
@router.api_route("/accessibility", methods=READ)
@router.api_route("/settings", methods=READ)
async def by_language(request: Request, services: Serving) -> Response:
    """On to the same page in the caller's language."""
    return redirect(f"/{language_of(request, services.settings)}{request.url.path}", request)


@_in_language.api_route("/about", methods=READ)
async def about(request: Request, language: PathLanguage) -> Response:
    """What this service is."""
    return render(request, "about.html", language)


@_in_language.api_route("/privacy", methods=READ)
async def privacy(request: Request, services: Serving, language: PathLanguage) -> Response:
    """What is kept, how long, who sees it, and that it is an AI that answers."""
    return render(request, "privacy.html", language, days=services.settings.file_days)


@_in_language.api_route("/accessibility", methods=READ)
async def accessibility(request: Request, language: PathLanguage) -> Response:
    """What these pages aim for, how that is tested, and what is not there yet."""
    return render(request, "accessibility.html", language)


@_in_language.api_route("/settings", methods=READ)
async def settings(
    request: Request, language: PathLanguage, saved: Annotated[str, Query(max_length=10)] = ""
) -> Response:
    """The choices that the first paint of a page needs, as a form."""
    return render(request, "settings.html", language, choices=CHOICES, saved=bool(saved))


@_in_language.post("/settings")
async def save_settings(
    language: PathLanguage,
    scheme: Annotated[str, Form(max_length=20)] = "",
    text: Annotated[str, Form(max_length=20)] = "",
    motion: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Keep the choices in the cookie; what is none of ours counts as not chosen."""
    response = RedirectResponse(f"/{language}/settings?saved=1", status_code=303)
    view = view_from([scheme, text, motion])
    response.set_cookie(COOKIE, view.cookie(), max_age=A_YEAR, samesite="lax", path="/")
    return response


for _language in LANGUAGES:
    router.include_router(_in_language, prefix=f"/{_language}")
