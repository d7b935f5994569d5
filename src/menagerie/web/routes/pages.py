"""The pages: the directory of personas, a conversation with one, and the static files."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.grounding.given import Given
from menagerie.locales import LANGUAGES, Language
from menagerie.web.assets import assets
from menagerie.web.cards import Card, card, directory, persona_title
from menagerie.web.form_turn import FormTurn
from menagerie.web.guard import LISTENING
from menagerie.web.identity import identify
from menagerie.web.language import language_of
from menagerie.web.material import Material, material
from menagerie.web.pages import page_texts, redirect, render, render_live
from menagerie.web.path_language import PathLanguage
from menagerie.web.routes import installing, notices
from menagerie.web.services import Services, services_of

READ: Final = ["GET", "HEAD"]
MAX_QUERY: Final = 200

router = APIRouter(include_in_schema=False)
_in_language = APIRouter()


Serving = Annotated[Services, Depends(services_of)]


@router.api_route("/", methods=READ)
async def start(request: Request) -> Response:
    """On to the directory."""
    return redirect("/chat", request)


@router.api_route("/chat", methods=READ)
async def by_language(request: Request, services: Serving) -> Response:
    """On to the same page in the caller's language."""
    return redirect(f"/{language_of(request, services.settings)}{request.url.path}", request)


@router.api_route("/chat/{persona}", methods=READ)
async def chat_by_language(request: Request, services: Serving, persona: str) -> Response:
    """On to the persona's page in the caller's language; `persona.unknown` (404) where there is none."""
    name = quote(services.personas.get(persona).name, safe="@+")
    return redirect(f"/{language_of(request, services.settings)}/chat/{name}", request)


@router.api_route("/favicon.ico", methods=READ)
async def favicon(request: Request, services: Serving) -> Response:
    """For clients that ask without having read a page."""
    language = language_of(request, services.settings)
    mark = services.branding.in_language(language).mark
    return RedirectResponse(mark or assets().url("mark.svg"), status_code=302)


@router.api_route("/static/{version}/{name:path}", methods=READ)
async def static(request: Request, version: str, name: str) -> Response:
    """A static file; for ever under the current version, else with a question each time."""
    response = assets().respond(request, version, name)
    if response is None:
        raise MenagerieError(ErrorCode.NOT_FOUND)
    return response


@_in_language.api_route("", methods=READ)
async def start_in_language(request: Request, language: PathLanguage) -> Response:
    """On to the directory in this language."""
    return redirect(f"/{language}/chat", request)


@_in_language.api_route("/chat", methods=READ)
async def personas(
    request: Request,
    services: Serving,
    language: PathLanguage,
    q: Annotated[str, Query(max_length=MAX_QUERY)] = "",
) -> Response:
    """The directory of personas; `q` are words to look for."""
    found = await directory(services, language, q)
    everyone = len(services.personas.listed())
    return render(request, "directory.html", language, cards=found, everyone=everyone, query=q)


@_in_language.api_route("/chat/{persona}", methods=READ)
async def chat(request: Request, services: Serving, language: PathLanguage, persona: str) -> Response:
    """The page on which to talk with a persona."""
    known = services.personas.get(persona)
    shown = await card(services, known, language)
    user = identify(request, services.settings)
    offered = await material(services, known, user)
    script = _script(services, shown, language, offered, user)
    response = render(request, "chat.html", language, card=shown, turn=None, script=script)
    if offered.dictation == "browser":
        response.headers["Permissions-Policy"] = LISTENING
    return response


@_in_language.post("/chat/{persona}")
async def chat_by_form(
    request: Request,
    services: Serving,
    language: PathLanguage,
    persona: str,
    prompt: Annotated[str, Form()] = "",
    session: Annotated[str, Form()] = "",
    context: Annotated[str, Form()] = "",
) -> Response:
    """One turn for a browser without scripts: the same page, the answer shown as it comes."""
    known = services.personas.get(persona)
    user = identify(request, services.settings)
    shown = await card(services, known, language)
    turn = FormTurn(
        services.turns,
        persona=shown.name,
        prompt=prompt,
        user=user,
        language=language,
        session=session or None,
        given=(Given(kind="context", text=context),) if context.strip() else (),
    )
    script = _script(services, shown, language, await material(services, known, user), user)
    zone = ZoneInfo(services.settings.timezone)
    return render_live(request, "chat.html", language, card=shown, turn=turn, script=script, zone=zone)


@_in_language.api_route("/conversations", methods=READ)
async def conversations(request: Request, services: Serving, language: PathLanguage) -> Response:
    """All conversations of whoever asks; the list itself comes by `/conversations`, or from their browser."""
    kept = bool(identify(request, services.settings).names)
    titles = {persona.name: persona_title(persona, language) for persona in services.personas.listed()}
    script = {
        "language": language,
        "personas": {
            name: {"title": title.text, "language": title.language} for name, title in titles.items()
        },
        "texts": page_texts("page.live.", language),
    }
    return render(request, "conversations.html", language, script=script, kept=kept)


def _script(
    services: Services, shown: Card, language: Language, offered: Material, user: User
) -> dict[str, object]:
    """What the script of the chat page needs to know. `who` tells apart people who share a browser."""
    return {
        "who": hashlib.sha256(user.id.encode()).hexdigest()[:16],
        "persona": shown.name,
        "name": shown.title.text,
        "language": language,
        "socket": f"/gpt-socket/{quote(shown.name, safe='@+')}?lang={language}",
        "texts": page_texts("page.live.", language),
        "classification": services.branding.in_language(language).classification,
        "features": msgspec.to_builtins(offered),
    }


for _language in LANGUAGES:
    router.include_router(_in_language, prefix=f"/{_language}")
router.include_router(notices.router)
router.include_router(installing.router)
