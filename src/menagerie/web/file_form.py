"""A form with one file in it, as it comes: the file in pieces, in constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from menagerie.core.errors import MenagerieError
from menagerie.store.folder import IncomingFile
from menagerie.web.errors import InvalidRequestError, shown
from menagerie.web.openai.names import clean_name

FILE: Final = "file"
"""The field that has the file."""
_LONGEST_VALUE: Final = 1024
_MOST_PARTS: Final = 10
_PIECE: Final = 262_144
"""Bytes that are gathered before they are written."""


async def receive_form(
    request: Request,
    incoming: IncomingFile,
    form: FileForm,
    largest: Callable[[], int],
    refusal: Callable[[int], MenagerieError],
) -> None:
    """Take in the body of `request` by `form`, and write its file to `incoming`. Raises the `refusal` of a file of
    more than `largest()` bytes, by what is known then, `request.invalid`, and `disk.full`."""

    async def write() -> None:
        piece, most = form.take(), largest()
        if incoming.size + len(piece) > most:
            raise refusal(most)
        if piece:
            await asyncio.to_thread(incoming.write, piece)

    async for chunk in request.stream():
        form.feed(chunk)
        if form.waiting >= _PIECE:
            await write()
    form.end()
    await write()


class FileForm:
    """A form as it comes, with a file and the `texts` of these names; those that are `ignored` may be there. Raises
    `request.invalid` for what is none, has a field twice, or one that is not known."""

    def __init__(self, content_type: str, texts: Collection[str] = (), ignored: Collection[str] = ()) -> None:
        kind, parameters = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in parameters:
            raise InvalidRequestError("form_expected", status=415)
        self.filename: str | None = None
        self.values: dict[str, str] = {}
        self._texts = texts
        self._ignored = ignored
        self._pieces: list[bytes] = []
        self.waiting = 0
        self._parts = 0
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
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise InvalidRequestError("body_broken")
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
        if self._field == FILE:
            if self.filename is not None:
                raise InvalidRequestError("field_twice", field=FILE)
            self.filename = clean_name(parameters.get(b"filename", b"").decode("utf-8", "replace"))
        elif self._field in self._texts:
            if self._field in self.values:
                raise InvalidRequestError("field_twice", field=self._field)
            self.values[self._field] = ""
        elif self._field not in self._ignored:
            known = ", ".join((FILE, *self._texts))
            raise InvalidRequestError("field_unknown", field=shown(self._field), known=known)

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._field == FILE:
            self._pieces.append(data[start:end])
            self.waiting += end - start
        elif len(self._value) + end - start > _LONGEST_VALUE:
            raise InvalidRequestError("field_wrong", field=self._field)
        else:
            self._value += data[start:end]

    def _on_end(self) -> None:
        if self._field in self.values:
            self.values[self._field] = self._value.decode("utf-8", "replace")

    def _on_all(self) -> None:
        self._ended = True
