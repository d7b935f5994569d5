"""`/conversations`: what people said and were told, to be found again, read, named, judged, taken along and deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from menagerie.conversation.export.document import Branch
from menagerie.conversation.export.download import MEDIA, Format, download
from menagerie.core.errors import MenagerieError
from menagerie.core.identity import User
from menagerie.locales import Language
from menagerie.store.conversations import Tree, Wanted
from menagerie.store.listing import on_one_line
from menagerie.web.conversations import (
    LONGEST_COMMENT,
    LONGEST_TITLE,
    NewFeedback,
    NewTitle,
    page_object,
    summary_object,
    tree_object,
)
from menagerie.web.json_body import JSON, json_object
from menagerie.web.keys import caller_of
from menagerie.web.language import language_of
from menagerie.web.openai.fields import read
from menagerie.web.services import Services, services_of

CHANNELS: Final = ("socket", "page")
"""The interfaces of people. What programs say by others can be read by its id, and is in no list."""

Words = Annotated[
    str, Query(max_length=200, description="Words that must all occur, whatever their case and accents.")
]
PersonaName = Annotated[str, Query(max_length=100, description="Only conversations with this persona.")]
Leaf = Annotated[
    str, Query(max_length=100, description="The turn that the branch ends with; default: the newest.")
]
Form = Annotated[Format, Query(alias="format")]
Limit = Annotated[int, Query(ge=1, le=100)]
Before = Annotated[str, Query(max_length=100, description="The `next` of an earlier page.")]

_TITLE: Final[dict[str, Any]] = {"type": "string", "maxLength": LONGEST_TITLE}
_FEEDBACK: Final[dict[str, Any]] = {
    "value": {"type": "string", "enum": ["good", "bad", ""]},
    "comment": {"type": "string", "maxLength": LONGEST_COMMENT},
}


def _told(description: str) -> dict[str, Any]:
    shape = {"content": {JSON: {"schema": {"type": "object"}}}}
    return {"responses": {"200": {"description": description, **shape}}}


def _body(required: list[str], **properties: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


_LIST: Final = _told(
    "`conversations`, each with `id`, `persona`, `title`, whether it was `named`, `language`, `started`, `last_at` and"
    " how many `turns` were answered; `next` for the page that follows, or null; `kept`: whether there is a list of"
    " this caller’s conversations at all."
)
_ONE: Final = _told(
    "The conversation. `turns` are in order of time and form a tree by `parent`; `leaf` is the newest, `running` one"
    " that is still being answered."
)

_EXPORT: Final[dict[str, Any]] = {
    "responses": {"200": {"description": "The file.", "content": {kind: {} for kind in MEDIA.values()}}}
}

router = APIRouter(prefix="/conversations", tags=["conversations"])


@router.get("", summary="Your conversations", openapi_extra=_LIST)
async def list_conversations(
    request: Request,
    q: Words = "",
    persona: PersonaName = "",
    limit: Limit = 50,
    before: Before = "",
) -> Response:
    """The one last active first. A search that would take long ends its page early: go on with `next`. Whoever is known
    by no name and no key has no list."""
    services, user, _ = await _asked(request)
    wanted = Wanted(words=q, persona=persona, channels=CHANNELS)
    page = await services.store.conversations.list(user, wanted, limit=limit, before=before)
    return _answer(page_object(page, kept=bool(user.names)))


@router.get("/{conversation}", summary="One conversation", openapi_extra=_ONE)
async def get_conversation(conversation: str, request: Request) -> Response:
    """With all its branches, by the id of any of its sessions."""
    services, user, language = await _asked(request)
    tree = await services.store.conversations.get(conversation, user)
    return Response(await run_in_threadpool(_encoded, tree, language), media_type=JSON)


@router.patch(
    "/{conversation}",
    summary="Name a conversation",
    openapi_extra={**_told("The conversation, as in the list."), **_body(["title"], title=_TITLE)},
)
async def rename_conversation(conversation: str, request: Request) -> Response:
    """With an empty title, it is called by the beginning of its first prompt again."""
    services, user, _ = await _asked(request)
    title = on_one_line(read(await json_object(request), NewTitle).title)
    return _answer(summary_object(await services.store.conversations.rename(conversation, title, user)))


@router.delete("/{conversation}", summary="Delete a conversation", status_code=204)
async def delete_conversation(conversation: str, request: Request) -> Response:
    """With all its branches, and all that was said in them."""
    services, user, _ = await _asked(request)
    services.live.forget(await services.store.conversations.delete(conversation, user))
    return Response(status_code=204)


@router.get("/{conversation}/export", summary="Take a conversation along", openapi_extra=_EXPORT)
async def export_conversation(
    conversation: str, request: Request, form: Form = "md", leaf: Leaf = ""
) -> Response:
    """One branch of it as a file, with the account of every answer, in the language of `lang`."""
    services, user, language = await _asked(request)
    tree = await services.store.conversations.get(conversation, user)
    branch = Branch(
        about=tree.about,
        turns=tree.branch(leaf or None),
        persona=_title(services, tree.about.persona, language),
        language=language,
        zone=ZoneInfo(services.settings.timezone),
        at=datetime.now(UTC),
    )
    async with services.exporting.place(user.share):
        made = await run_in_threadpool(download, branch, form)
    name = f"filename=\"{made.name}\"; filename*=UTF-8''{quote(made.full_name, safe='')}"
    headers = {"Content-Disposition": f"attachment; {name}", "Content-Language": language}
    return Response(made.content, media_type=made.media_type, headers=headers)


@router.put(
    "/{conversation}/turns/{turn}/feedback",
    summary="Say what you think of an answer",
    openapi_extra=_body(["value"], **_FEEDBACK),
    status_code=204,
)
async def rate_answer(conversation: str, turn: str, request: Request) -> Response:
    """It replaces what you said of it before; an empty `value` takes that back."""
    services, user, _ = await _asked(request)
    given = read(await json_object(request), NewFeedback)
    await services.store.conversations.rate(conversation, turn, given.feedback, user)
    return Response(status_code=204)


async def _asked(request: Request) -> tuple[Services, User, Language]:
    """Who asks, in which language: one more request of their key's, if they show one."""
    services, caller = services_of(request), await caller_of(request, public=True)
    services.rates.enter(caller.key)
    return services, caller.user, language_of(request, services.settings)


def _title(services: Services, persona: str, language: Language) -> str:
    """The title of a persona; its name where it is no longer there."""
    try:
        return services.personas.get(persona).text("title", language) or persona
    except MenagerieError:
        return persona


def _encoded(tree: Tree, language: Language) -> bytes:
    return msgspec.json.encode(tree_object(tree, language))


def _answer(body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), media_type=JSON)
