"""`/describe/<persona>`: what a persona is, and which model really answers for it."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from menagerie.locales import Language
from menagerie.models.wish import DEFAULT_MODEL, ModelWish
from menagerie.personas.persona import Persona
from menagerie.personas.resolve import Description
from menagerie.web.keys import caller_of
from menagerie.web.language import language_of
from menagerie.web.services import services_of

router = APIRouter(tags=["describe"])

_DESCRIPTION: dict[str, Any] = {
    "responses": {"200": {"description": "The persona.", "content": {"application/json": {"schema": {}}}}}
}


class ModelPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """The model that answers now. `wanted` is the persona's own one; `substituted`: it is not installed."""

    wanted: str
    substituted: bool = msgspec.field(default=False)
    state: str = ""
    name: str = ""
    file: str = ""
    sha256: str = ""
    quantization: str = ""
    parameters: str = ""
    licence: str = ""
    source: str = ""


class PersonaPart(msgspec.Struct, frozen=True):
    """The public attributes of a persona, its texts in `language`."""

    name: str
    title: str
    description: str
    introduction: str
    language: Language
    languages: tuple[Language, ...]
    context_window: int
    model: ModelPart


@router.get("/describe/{persona}", summary="What a persona is", openapi_extra=_DESCRIPTION)
async def describe(persona: str, request: Request) -> Response:
    """The public attributes of a persona: no path of the machine, no address of an engine, no key."""
    services = services_of(request)
    caller = await caller_of(request, public=True)
    found = caller.persona(services.personas, persona)
    language = language_of(request, services.settings)
    answering = await services.resolver.describe(found)
    body = msgspec.json.encode(_persona(found, answering, language))
    return Response(body, media_type="application/json", headers={"Content-Language": language})


def _persona(persona: Persona, answering: Description, language: Language) -> PersonaPart:
    return PersonaPart(
        name=persona.name,
        title=persona.text("title", language),
        description=persona.text("description", language),
        introduction=persona.text("intro_dialogue", language),
        language=language,
        languages=persona.languages,
        context_window=persona.context_window,
        model=ModelPart(
            wanted=public_label(persona.model_wish or DEFAULT_MODEL),
            substituted=answering.substituted,
            state=answering.state,
            name=answering.name,
            file=_last(answering.file),
            sha256=answering.sha256,
            quantization=answering.quantization,
            parameters=answering.parameters,
            licence=answering.licence or persona.licence,
            source=public_source(answering.source),
        ),
    )


def public_label(wish: ModelWish) -> str:
    """The label of a wish without what is the operator's own: folders, credentials and queries of addresses."""
    return public_source(wish.label)


def public_source(source: str) -> str:
    """As `public_label`, for where installed weights came from."""
    kind, separator, rest = source.partition(":")
    match kind:
        case "file":
            return f"file:{_last(rest)}"
        case "url":
            address = urlsplit(rest)
            host = address.netloc.rpartition("@")[2]
            return f"url:{address.scheme}://{host}{address.path}"
        case _:
            return f"{kind}{separator}{rest}"


def _last(path: str) -> str:
    return PurePath(path.replace("\\", "/")).name
