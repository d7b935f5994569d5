"""What every page shares: the templates, the two languages, and the page that tells of an error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from typing import Final
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from menagerie import __version__
from menagerie.core.errors import ErrorCode
from menagerie.core.languages import OTHER
from menagerie.core.numbers import number_text
from menagerie.locales import LANGUAGES, Language, catalogue, text
from menagerie.web.assets import assets
from menagerie.web.branding import Brand, branding_of
from menagerie.web.cards import Shown, shown
from menagerie.web.identity import identify
from menagerie.web.shown_sources import moment_text, shown_source
from menagerie.web.view import view_of

LANGUAGE_COOKIE: Final = "lang"
MOST_SUGGESTED: Final = 6
A_YEAR: Final = 365 * 24 * 3600


def render(
    request: Request, template: str, language: Language, *, status: int = 200, **values: object
) -> HTMLResponse:
    """The page `template` in `language`. The cookie remembers the language of a page read at `/en/…`, `/fr/…`."""
    page = _environment().get_template(template).render(**_shared(request, language), **values)
    response = HTMLResponse(page, status_code=status)
    _describe(request, response, language)
    return response


def render_live(
    request: Request, template: str, language: Language, *, status: int = 200, **values: object
) -> StreamingResponse:
    """As `render`, sent piece by piece: asynchronous iterables among `values` are shown as they yield.

    A client that goes away ends the iteration.
    """
    pieces = _live_environment().get_template(template).generate_async(**_shared(request, language), **values)
    response = StreamingResponse(_bytes(pieces), status_code=status, media_type="text/html")
    _describe(request, response, language)
    response.headers["X-Accel-Buffering"] = "no"
    return response


def error_page(
    request: Request, status: int, code: ErrorCode | str, message: str, language: Language
) -> Response:
    """The page that tells of an error: its number, its sentence, its stable code, and ways on."""
    return render(
        request,
        "error.html",
        language,
        status=status,
        error_status=status,
        code=str(code),
        message=message,
        number=request.scope.get("state", {}).get("request_id", ""),
        personas=_suggested(request, language) if status == 404 else (),
    )


def in_other_language(path: str, language: Language) -> str | None:
    """The path of the same page in the other language; None where the path does not name a language."""
    prefix = f"/{language}"
    if path == prefix or path.startswith(f"{prefix}/"):
        return f"/{OTHER[language]}{path[len(prefix) :]}"
    return None


def _suggested(request: Request, language: Language) -> list[tuple[str, Shown]]:
    """Names and titles of some personas, for who has lost the way."""
    services = getattr(getattr(request.scope.get("app"), "state", None), "services", None)
    listed = services.personas.listed() if services is not None else ()
    return [(persona.name, shown(persona, "title", language)) for persona in listed[:MOST_SUGGESTED]]


def redirect(path: str, request: Request) -> Response:
    """On to `path`, which the caller's language has chosen, with what was asked for."""
    query = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "lang"])
    address = f"{path}?{query}" if query else path
    headers = {"Vary": "Accept-Language, Cookie", "Cache-Control": "private, no-cache"}
    return RedirectResponse(address, status_code=307, headers=headers)


def page_title(request: Request, page: str, language: Language) -> str:
    """The title of a page: its own, then the name of the service."""
    return text("page.title", language, page=page, service=branding_of(request).in_language(language).service)


def page_texts(prefix: str, language: Language) -> dict[str, str]:
    """The texts of the catalogue under `prefix`, by the rest of their keys: for a page's script."""
    return {
        key.removeprefix(prefix): value
        for key, value in catalogue(language).items()
        if key.startswith(prefix)
    }


def _shared(request: Request, language: Language) -> dict[str, object]:
    brand = branding_of(request).in_language(language)

    def translated(key: str, **values: object) -> str:
        return text(key, language, **_named(key, language, brand), **values)

    return {
        "brand": brand,
        "view": view_of(request),
        "person": _person(request),
        "t": translated,
        "language": language,
        "other": OTHER[language],
        "other_url": _toggle(request, language),
        "path": request.url.path,
        "asset": assets().url,
        "entry": assets().entry,
        "version": __version__,
        "page_texts": page_texts,
    }


def _person(request: Request) -> str:
    """The name of who is signed in; empty where no proxy names anybody."""
    services = getattr(getattr(request.scope.get("app"), "state", None), "services", None)
    names = identify(request, services.settings).names if services is not None else ()
    return names[0] if names else ""


def _named(key: str, language: Language, brand: Brand) -> dict[str, object]:
    """The name of the service, for the texts that say it."""
    return {"service": brand.service} if "{service}" in catalogue(language)[key] else {}


def _toggle(request: Request, language: Language) -> str:
    """The address of the same place in the other language: by its path, else by the query."""
    moved = in_other_language(request.url.path, language)
    if moved is not None:
        return f"{moved}?{request.url.query}" if request.url.query else moved
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return "?" + urlencode([*kept, ("lang", OTHER[language])])


def _describe(request: Request, response: Response, language: Language) -> None:
    response.headers["Content-Language"] = language
    response.headers["Cache-Control"] = "private, no-cache"
    # Under `no-referrer`, browsers send forms with `Origin: null` (Fetch, "append a request Origin header").
    response.headers["Referrer-Policy"] = "same-origin"
    in_path = in_other_language(request.url.path, language) is not None
    if not in_path:
        response.headers["Vary"] = "Accept-Language, Cookie"
        return
    response.headers["Vary"] = "Cookie"
    if request.cookies.get(LANGUAGE_COOKIE) != language:
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=A_YEAR, samesite="lax", path="/")


async def _bytes(pieces: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if piece:
            yield piece.encode()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("menagerie.web", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["languages"] = LANGUAGES
    environment.filters["number"] = localized_number
    environment.filters["seconds"] = localized_seconds
    environment.filters["moment"] = moment_text
    environment.filters["shown_source"] = shown_source
    return environment


@cache
def _live_environment() -> jinja2.Environment:
    return _environment().overlay(enable_async=True)


def localized_number(value: float, language: Language, digits: int = 0) -> str:
    """`1,234.5` in English, `1 234,5` in French (with a non-breaking space)."""
    return number_text(value, language, digits)


def localized_seconds(milliseconds: float, language: Language) -> str:
    """Milliseconds as seconds with a unit: `1.2 s`, `1,2 s`."""
    return f"{localized_number(milliseconds / 1000, language, 1)}\u00a0s"
