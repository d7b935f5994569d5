"""Files in messages: those that were sent before, by their ids, and those that come within the request."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from menagerie.core.errors import MenagerieError
from menagerie.core.identity import User
from menagerie.grounding.uploads import Uploads
from menagerie.web.openai.fields import refuse_field
from menagerie.web.openai.names import clean_name

MAX_FILES: Final = 16

_DATA: Final = re.compile(r"data:[^;,]{0,200}(?:;[^;,]{0,200}){0,4};base64,", re.ASCII)


class Attached(msgspec.Struct, frozen=True):
    """A file in a message: the `id` of one that was sent before, or what is in it. `path` is the place of its part."""

    path: str
    id: str = ""
    content: bytes = b""
    filename: str = ""


def attached(path: str, file_id: str | None, file_data: str | None, filename: str | None) -> Attached:
    """The file of the part at `path`: its id, or its content in base64, as a `data:` address or not. Raises
    `request.invalid` where it has neither, both, or none that can be decoded."""
    if bool(file_id) == bool(file_data):
        raise refuse_field(f"{path}.file_id", "field_missing" if not file_id else "field_wrong")
    if file_id:
        return Attached(path, file_id)
    place, written = f"{path}.file_data", file_data or ""
    head = _DATA.match(written) if written.startswith("data:") else None
    if written.startswith("data:") and head is None:
        raise refuse_field(place)
    try:
        content = base64.b64decode("".join(written[head.end() if head else 0 :].split()), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise refuse_field(place) from fault
    if not content:
        raise refuse_field(place)
    return Attached(path, content=content, filename=clean_name(filename or ""))


async def documents(files: Sequence[Attached], uploads: Uploads, user: User) -> tuple[str, ...]:
    """The ids of the files, in order, each once; what came within the request is kept first. Raises `file.unknown`
    with the field, `disk.full`."""
    for file in files:
        try:
            if file.id:
                await uploads.check(file.id, user)
        except MenagerieError as unknown:
            unknown.values = {"field": f"{file.path}.file_id", **unknown.values}
            raise
    ids = [file.id or (await uploads.keep(file.content, file.filename, user)).id for file in files]
    return tuple(dict.fromkeys(ids))
