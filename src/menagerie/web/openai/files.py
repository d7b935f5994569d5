"""Files of OpenAI's API: as objects, and as they arrive in a form, in constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request

from menagerie.batches.service import PURPOSES as OF_BATCHES
from menagerie.batches.service import Batches
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.grounding.uploads import PURPOSES as OF_DOCUMENTS
from menagerie.settings import Settings
from menagerie.store.files import File
from menagerie.web.errors import InvalidRequestError
from menagerie.web.file_form import FileForm, receive_form
from menagerie.web.openai.fields import refuse_field

_IGNORED: Final = frozenset({"expires_after[anchor]", "expires_after[seconds]"})
"""Fields of OpenAI's that are heeded only as far as every file expires."""


def file_object(file: File) -> dict[str, Any]:
    """The file, as OpenAI's API tells of it."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": int(file.created_at.timestamp()),
        "expires_at": int(file.expires_at.timestamp()) if file.expires_at else None,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def page(objects: Sequence[dict[str, Any]], limit: int) -> dict[str, Any]:
    """A page of a list, of which one more than `limit` was asked for."""
    told = list(objects[:limit])
    return {
        "object": "list",
        "data": told,
        "first_id": told[0]["id"] if told else None,
        "last_id": told[-1]["id"] if told else None,
        "has_more": len(objects) > limit,
    }


def largest_of(settings: Settings, purpose: str | None = None) -> int:
    """The most bytes of a file that is sent for `purpose`; of any file, where that is not known yet."""
    if purpose is None:
        return max(settings.max_file, settings.max_document)
    return settings.max_document if purpose in OF_DOCUMENTS else settings.max_file


async def receive(
    request: Request,
    batches: Batches,
    user: User,
    settings: Settings,
    purposes: Collection[str] = OF_BATCHES | OF_DOCUMENTS,
) -> File:
    """The file in a form (`purpose`, one of `purposes`, and `file`), kept for `user`. Raises
    `request.invalid`, `request.too_large` for one of more bytes than its purpose allows, and `disk.full`."""
    async with batches.folder.receive() as incoming:
        form = FileForm(request.headers.get("content-type", ""), ("purpose",), _IGNORED)

        def largest() -> int:
            return largest_of(settings, form.values.get("purpose") or None)

        await receive_form(request, incoming, form, largest, _too_large)
        if form.filename is None:
            raise refuse_field("file", "field_missing")
        purpose = form.values.get("purpose")
        if purpose is None:
            raise refuse_field("purpose", "field_missing")
        if purpose not in purposes:
            known = ", ".join(sorted(purposes))
            raise InvalidRequestError("field_choice", field="purpose", known=known)
        if not incoming.size:
            raise refuse_field("file")
        await asyncio.to_thread(incoming.keep)
        now = datetime.now(UTC)
        file = File(
            id=incoming.id,
            owner=user.id,
            filename=form.filename,
            purpose=purpose,
            sha256=incoming.sha256,
            bytes=incoming.size,
            created_at=now,
            expires_at=now + batches.kept,
        )
        try:
            await batches.add_file(file)
        except MenagerieError:
            await batches.folder.delete(incoming.id)
            raise
        return file


def _too_large(limit: int) -> MenagerieError:
    return MenagerieError(ErrorCode.BODY_TOO_LARGE, limit=limit)
