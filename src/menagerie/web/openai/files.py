"""Files of OpenAI's API: as objects, and as they arrive in a form, in constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from menagerie.batches.service import PURPOSES as OF_BATCHES
from menagerie.batches.service import Batches
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.grounding.uploads import PURPOSES as OF_DOCUMENTS
from menagerie.settings import Settings
from menagerie.store.files import File
from menagerie.store.folder import IncomingFile
from menagerie.web.errors import InvalidRequestError, shown
from menagerie.web.openai.fields import refuse_field
from menagerie.web.openai.names import clean_name

_LONGEST_VALUE: Final = 1024
_PIECE: Final = 262_144
"""Bytes that are gathered before they are written."""
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


async def receive(request: Request, batches: Batches, user: User, settings: Settings) -> File:
    """The file in a form (`purpose`, `file`), kept for `user`. Raises `request.invalid`, `request.too_large` for one of
    more bytes than its purpose allows, and `disk.full`."""
    async with batches.folder.receive() as incoming:
        form = _Form(request.headers.get("content-type", ""))
        async for chunk in request.stream():
            form.feed(chunk)
            if form.waiting >= _PIECE:
                await _write(form, incoming, settings)
        form.end()
        await _write(form, incoming, settings)
        if form.filename is None:
            raise refuse_field("file", "field_missing")
        if form.purpose is None:
            raise refuse_field("purpose", "field_missing")
        if form.purpose not in OF_BATCHES | OF_DOCUMENTS:
            raise refuse_field("purpose")
        if not incoming.size:
            raise refuse_field("file")
        await asyncio.to_thread(incoming.keep)
        now = datetime.now(UTC)
        file = File(
            id=incoming.id,
            owner=user.id,
            filename=form.filename,
            purpose=form.purpose,
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


async def _write(form: _Form, incoming: IncomingFile, settings: Settings) -> None:
    piece, largest = form.take(), largest_of(settings, form.purpose)
    if incoming.size + len(piece) > largest:
        raise MenagerieError(ErrorCode.BODY_TOO_LARGE, limit=largest)
    if piece:
        await asyncio.to_thread(incoming.write, piece)


class _Form:
    """A form as it comes. Raises `request.invalid` for what is none, has a field twice, or one that is not known."""

    def __init__(self, content_type: str) -> None:
        kind, parameters = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in parameters:
            raise InvalidRequestError("form_expected", status=415)
        self.filename: str | None = None
        self.purpose: str | None = None
        self._pieces: list[bytes] = []
        self.waiting = 0
        self._header = self._header_value = b""
        self._disposition = b""
        self._field = ""
        self._value = b""
        self._ended = False
        self._parser = MultipartParser(
            parameters[b"boundary"],
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_header,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._on_end,
                "on_end": self._on_all,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the body."""
        try:
            self._parser.write(chunk)
        except FormParserError as fault:
            raise InvalidRequestError("body_broken") from fault

    def end(self) -> None:
        """The body is over."""
        if not self._ended:
            raise InvalidRequestError("body_broken")

    def take(self) -> bytes:
        """What has come of the file since the last time."""
        piece = b"".join(self._pieces)
        self._pieces.clear()
        self.waiting = 0
        return piece

    def _begin(self) -> None:
        self._header = self._header_value = self._disposition = self._value = b""
        self._field = ""

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header = self._header_value = b""

    def _on_headers(self) -> None:
        _, parameters = parse_options_header(self._disposition)
        self._field = parameters.get(b"name", b"").decode("utf-8", "replace")
        if self._field == "file":
            if self.filename is not None:
                raise InvalidRequestError("field_twice", field="file")
            self.filename = clean_name(parameters.get(b"filename", b"").decode("utf-8", "replace"))
        elif self._field == "purpose":
            if self.purpose is not None:
                raise InvalidRequestError("field_twice", field="purpose")
        elif self._field not in _IGNORED:
            raise InvalidRequestError("field_unknown", field=shown(self._field), known="file, purpose")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._field == "file":
            self._pieces.append(data[start:end])
            self.waiting += end - start
        elif len(self._value) + end - start > _LONGEST_VALUE:
            raise InvalidRequestError("field_wrong", field=self._field)
        else:
            self._value += data[start:end]

    def _on_end(self) -> None:
        if self._field == "purpose":
            self.purpose = self._value.decode("utf-8", "replace")

    def _on_all(self) -> None:
        self._ended = True
