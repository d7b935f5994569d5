"""`/facts`: collections of documents on the server, for those who may use them."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.facts.access import Asker
from menagerie.grounding.facts.folders import too_large
from menagerie.grounding.facts.service import LONGEST_TITLE, FactBases
from menagerie.store.facts.documents import DocumentRecord
from menagerie.web.errors import InvalidRequestError
from menagerie.web.facts import (
    MOST_FOUND,
    ChangedCollection,
    NewAddress,
    NewCollection,
    Question,
    collection_object,
    document_object,
    found_object,
    readers_of,
    web_address,
)
from menagerie.web.file_form import FILE, FileForm, receive_form
from menagerie.web.json_body import JSON, json_object
from menagerie.web.keys import caller_of
from menagerie.web.language import language_of
from menagerie.web.openai.fields import read, refuse_field
from menagerie.web.services import services_of
from menagerie.web.streaming import ClientGoneError, while_connected

T = TypeVar("T")

A_MOMENT_S: Final = 1.0
"""Seconds that whoever adds a document waits for it; then it goes on by itself."""
_CLIENT_GONE: Final = 499
_NAMES: Final = "`everyone`, `user:NAME` or `persona:NAME`."

Limit = Annotated[int, Query(ge=1, le=1000)]
After = Annotated[str, Query(max_length=100)]

_COLLECTION: Final[dict[str, Any]] = {
    "title": {"type": "string", "maxLength": LONGEST_TITLE},
    "readers": {"type": "array", "items": {"type": "string"}, "description": f"Who may search: {_NAMES}"},
}
_ONE: Final[dict[str, Any]] = {"content": {JSON: {"schema": {"type": "object"}}}}


def _told(description: str, status: str = "200", **more: Any) -> dict[str, Any]:
    return {"responses": {status: {"description": description, **_ONE}, **more.pop("also", {})}, **more}


def _body(required: list[str], **properties: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }
    return {"required": True, "content": {JSON: {"schema": schema}}}


_NEW: Final = _told(
    "The collection.",
    "201",
    requestBody=_body(["name"], name={"type": "string", "pattern": "^[a-z][a-z0-9-]{0,63}$"}, **_COLLECTION),
)
_CHANGE: Final = _told("The collection.", requestBody=_body([], **_COLLECTION))
_ADD: Final = _told(
    "The document, read (`ready`) or not readable (`failed`, with its `error`).",
    "201",
    also={"202": {"description": "The document, `waiting` to be read: ask for it again later.", **_ONE}},
    requestBody={
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FILE],
                    "properties": {FILE: {"type": "string", "format": "binary"}},
                }
            },
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["address"],
                    "properties": {"address": {"type": "string", "format": "uri"}},
                }
            },
        },
    },
)
_SEARCH: Final = _told(
    "`passages`, the best first, each with its `score` from 0 to 1.",
    requestBody=_body(
        ["question"],
        question={"type": "string"},
        most={"type": "integer", "minimum": 1, "maximum": MOST_FOUND, "default": 8},
    ),
)

router = APIRouter(prefix="/facts", tags=["facts"])


@router.get("", summary="The collections that you may use", openapi_extra=_told("`collections`, by name."))
async def list_collections(request: Request) -> Response:
    """By name, with how much is in them."""
    bases, asker = await _asked(request)
    return _answer({"collections": [collection_object(one) for one in await bases.list(asker)]})


@router.post("", summary="Make a collection", openapi_extra=_NEW, status_code=201)
async def create_collection(request: Request) -> Response:
    """It belongs to the caller, who must be known by name or by key."""
    bases, asker = await _asked(request)
    if asker.user.personas:
        raise InvalidRequestError("key_limited", status=403)
    wanted = read(await json_object(request), NewCollection)
    made = await bases.create(wanted.name, asker, title=wanted.title, readers=readers_of(wanted.readers))
    return _answer(collection_object(await bases.summary(made.name, asker)), 201)


@router.get("/{name}", summary="One collection", openapi_extra=_told("The collection."))
async def get_collection(name: str, request: Request) -> Response:
    """How much is in it, and how far it is."""
    bases, asker = await _asked(request)
    return _answer(collection_object(await bases.summary(name, asker)))


@router.patch("/{name}", summary="Change a collection’s title or readers", openapi_extra=_CHANGE)
async def change_collection(name: str, request: Request) -> Response:
    """What is not given stays as it is."""
    bases, asker = await _asked(request)
    await bases.get(name, asker, change=True)
    wanted = read(await json_object(request), ChangedCollection)
    readers = None if wanted.readers is None else readers_of(wanted.readers)
    await bases.change(name, asker, title=wanted.title, readers=readers)
    return _answer(collection_object(await bases.summary(name, asker)))


@router.delete("/{name}", summary="Remove a collection", status_code=204)
async def remove_collection(name: str, request: Request) -> Response:
    """And all that is kept of its documents."""
    bases, asker = await _asked(request)
    await bases.remove(name, asker)
    return Response(status_code=204)


@router.get(
    "/{name}/documents",
    summary="The documents of a collection",
    openapi_extra=_told("`documents` and `has_more`."),
)
async def list_documents(name: str, request: Request, limit: Limit = 100, after: After = "") -> Response:
    """In the order in which they were added."""
    bases, asker = await _asked(request)
    language = language_of(request, services_of(request).settings)
    found = await bases.documents(name, asker, limit=limit + 1, after=after)
    told = [document_object(one, language) for one in found[:limit]]
    return _answer({"documents": told, "has_more": len(found) > limit})


@router.post("/{name}/documents", summary="Add a document", openapi_extra=_ADD, status_code=201)
async def add_document(name: str, request: Request) -> Response:
    """A file, in a form, or the address of a page. One of the same name is replaced once the new one is read."""
    bases, asker = await _asked(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    record = await (_sent if kind == "multipart/form-data" else _named)(bases, name, asker, request)
    record = await bases.arrivals.settled(record, A_MOMENT_S)
    return _document(request, record, 202 if record.state == "waiting" else 201)


@router.get("/{name}/documents/{document}", summary="One document", openapi_extra=_told("The document."))
async def get_document(name: str, document: str, request: Request) -> Response:
    """How far it is."""
    bases, asker = await _asked(request)
    return _document(request, await bases.document(name, document, asker))


@router.delete("/{name}/documents/{document}", summary="Remove a document", status_code=204)
async def remove_document(name: str, document: str, request: Request) -> Response:
    """And all that is kept of it."""
    bases, asker = await _asked(request)
    await bases.remove_document(name, document, asker)
    return Response(status_code=204)


@router.post("/{name}/search", summary="Find passages", openapi_extra=_SEARCH)
async def search(name: str, request: Request) -> Response:
    """What answers a question best, in either language."""
    bases, asker = await _asked(request)
    wanted = read(await json_object(request), Question)
    language = language_of(request, services_of(request).settings)
    try:
        async with while_connected(request.receive):
            found = await bases.search([name], wanted.question, asker, language=language, most=wanted.most)
    except ClientGoneError:
        return Response(status_code=_CLIENT_GONE)
    return _answer({"passages": [found_object(one) for one in found]})


async def _sent(bases: FactBases, name: str, asker: Asker, request: Request) -> DocumentRecord:
    largest = services_of(request).settings.max_document
    form = FileForm(request.headers["content-type"])
    async with bases.receive(name, asker) as incoming:
        await receive_form(request, incoming, form, lambda: largest, too_large)
        if form.filename is None:
            raise refuse_field(FILE, "field_missing")
        if not incoming.size:
            raise MenagerieError(ErrorCode.DOCUMENT_EMPTY)
        await run_in_threadpool(incoming.keep)
        return await bases.add_upload(name, asker, incoming, form.filename)


async def _named(bases: FactBases, name: str, asker: Asker, request: Request) -> DocumentRecord:
    await bases.get(name, asker, change=True)
    wanted = read(await json_object(request), NewAddress)
    return await bases.add_address(name, asker, web_address(wanted.address))


async def _asked(request: Request) -> tuple[FactBases, Asker]:
    """The collections, and who wants to use them: one more request of their key's."""
    services, caller = services_of(request), await caller_of(request)
    services.rates.enter(caller.key)
    return services.facts, Asker(caller.user)


def _document(request: Request, record: DocumentRecord, status: int = 200) -> Response:
    language = language_of(request, services_of(request).settings)
    headers = {"Location": f"{request.url.path}/{record.id}"} if status != 200 else None
    return _answer(document_object(record, language), status, headers)


def _answer(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, media_type=JSON, headers=headers)
