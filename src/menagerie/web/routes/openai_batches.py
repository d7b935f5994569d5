"""`/v1/files` and `/v1/batches`: many requests at once, answered while nobody waits, as OpenAI's batch API."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from menagerie.batches.service import PURPOSES as OF_BATCHES
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.uploads import PURPOSES as OF_DOCUMENTS
from menagerie.web.errors import InvalidRequestError
from menagerie.web.keys import caller_of
from menagerie.web.language import language_of
from menagerie.web.openai.batches import batch_object, create
from menagerie.web.openai.files import file_object, page, receive
from menagerie.web.services import services_of
from menagerie.web.strict_json import decode_object
from menagerie.web.uploading import is_from_page

router = APIRouter(prefix="/v1", tags=["openai"])

After = Annotated[str, Query(max_length=100)]
Files = Annotated[int, Query(ge=1, le=10_000)]
Page = Annotated[int, Query(ge=1, le=100)]

_ANSWER: Final[dict[str, Any]] = {
    "responses": {"200": {"description": "As OpenAI’s.", "content": {"application/json": {"schema": {}}}}}
}
_FORM: Final[dict[str, Any]] = {
    **_ANSWER,
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": ["batch", "user_data", "assistants"]},
                    },
                }
            }
        },
    },
}
_BATCH: Final[dict[str, Any]] = {
    **_ANSWER,
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["input_file_id", "endpoint", "completion_window"],
                    "properties": {
                        "input_file_id": {"type": "string"},
                        "endpoint": {"type": "string"},
                        "completion_window": {"type": "string", "description": "Such as `24h` or `7d`."},
                        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                }
            }
        },
    },
}


@router.post("/files", summary="Send a file", openapi_extra=_FORM)
async def send_file(request: Request) -> Response:
    """Keep a file of requests (`batch`), or a document that messages may name (`user_data`)."""
    services, from_page = services_of(request), is_from_page(request)
    caller = await caller_of(request, public=from_page)
    limits = services.uploading if caller.key is None else None
    if limits is not None:
        limits.enter(caller.user)
    purposes = OF_DOCUMENTS if from_page and caller.key is None else OF_BATCHES | OF_DOCUMENTS
    file = await receive(request, services.batches, caller.user, services.settings, purposes)
    if limits is not None:
        limits.charge(caller.user, file.bytes)
    return _json(file_object(file))


@router.get("/files", summary="The caller’s files", openapi_extra=_ANSWER)
async def list_files(
    request: Request,
    after: After = "",
    limit: Files = 10_000,
    order: Literal["asc", "desc"] = "desc",
    purpose: After = "",
) -> Response:
    """Of callers with a name; of others nobody’s."""
    services, caller = services_of(request), await caller_of(request)
    found = await services.store.files.list(
        caller.user, limit=limit + 1, after=after, order=order, purpose=purpose
    )
    return _json(page([file_object(file) for file in found], limit))


@router.get("/files/{file}", summary="One file", openapi_extra=_ANSWER)
async def retrieve_file(file: str, request: Request) -> Response:
    """What is known of it."""
    services, caller = services_of(request), await caller_of(request)
    return _json(file_object(await services.store.files.get(file, caller.user)))


@router.get("/files/{file}/content", summary="What is in a file")
async def file_content(file: str, request: Request) -> Response:
    """The file itself."""
    services, caller = services_of(request), await caller_of(request)
    found = await services.store.files.get(file, caller.user)
    if not services.batches.folder.has(found.id):
        raise MenagerieError(ErrorCode.FILE_UNKNOWN)
    path = services.batches.folder.path(found.id)
    return FileResponse(path, media_type="application/octet-stream", filename=found.filename)


@router.delete("/files/{file}", summary="Delete a file", openapi_extra=_ANSWER)
async def delete_file(file: str, request: Request) -> Response:
    """Forget it, and what is in it."""
    services, caller = services_of(request), await caller_of(request, public=is_from_page(request))
    await services.batches.delete_file(file, caller.user)
    return _json({"id": file, "object": "file", "deleted": True})


@router.post("/batches", summary="Begin a batch", openapi_extra=_BATCH)
async def create_batch(request: Request) -> Response:
    """Answer the requests in a file, behind whoever waits in person."""
    services, caller = services_of(request), await caller_of(request)
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InvalidRequestError("json_expected", status=415)
    body = await run_in_threadpool(decode_object, await request.body())
    return _json(await create(services.batches, caller, language_of(request, services.settings), body))


@router.get("/batches", summary="The caller’s batches", openapi_extra=_ANSWER)
async def list_batches(request: Request, after: After = "", limit: Page = 20) -> Response:
    """Of callers with a name, the newest first; of others nobody’s."""
    services, caller = services_of(request), await caller_of(request)
    found = await services.batches.list(caller.user, limit=limit + 1, after=after)
    return _json(page([batch_object(batch) for batch in found], limit))


@router.get("/batches/{batch}", summary="One batch", openapi_extra=_ANSWER)
async def retrieve_batch(batch: str, request: Request) -> Response:
    """How far it is."""
    services, caller = services_of(request), await caller_of(request)
    return _json(batch_object(await services.batches.get(batch, caller.user)))


@router.post("/batches/{batch}/cancel", summary="Cancel a batch", openapi_extra=_ANSWER)
async def cancel_batch(batch: str, request: Request) -> Response:
    """Ask no more of its requests; what was answered is kept."""
    services, caller = services_of(request), await caller_of(request)
    cancelled = await services.batches.cancel(batch, caller.user)
    if cancelled is None:
        raise InvalidRequestError("batch_over", status=409)
    return _json(batch_object(cancelled))


def _json(body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")
