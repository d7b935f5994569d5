"""Files that users have handed over, as documents: each for its owner only."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.grounding.document import Document
from menagerie.grounding.documents import MOST, Documents
from menagerie.grounding.pictures import LARGEST, kind_of_picture, unsupported
from menagerie.grounding.telling import shown_file
from menagerie.store.files import File, Files
from menagerie.store.folder import FileFolder

PURPOSES: Final = frozenset({"user_data", "assistants"})
"""What files are sent for that are to be read."""
KEPT_WITH_REQUEST: Final = timedelta(days=1)
"""For how long a file is kept that came within a request."""


class Uploads:
    """The documents of a service's users. `folder` has what is in their files."""

    def __init__(self, files: Files, folder: FileFolder, documents: Documents) -> None:
        self.folder = folder
        self._files = files
        self._documents = documents

    async def document(self, file: str, user: User, *, most: int = MOST) -> Document:
        """The document in a file, with at most `most` characters of it; its title is at least the file's name, and
        `read` is when it was handed over.

        Raises `file.unknown`, also for the file of somebody else, and as `Documents.read` does, with the file's name.
        """
        known = await self.check(file, user)
        with _naming(known):
            document = await self._documents.read(
                self.folder.path(file),
                name=known.filename,
                most=most,
                digest=known.sha256,
                share=user.share,
            )
        return msgspec.structs.replace(document, read=known.created_at)

    async def picture(self, file: str, user: User) -> str:
        """The picture in a file, as a `data:` address. Raises `file.unknown`, also for the file of somebody else, and
        `picture.unsupported` with the file's name."""
        known = await self.check(file, user)
        with _naming(known):
            if known.bytes > LARGEST:
                raise unsupported()
            return await asyncio.to_thread(_picture, self.folder.path(file))

    async def check(self, file: str, user: User) -> File:
        """What is known of a file that is there and the user's. Raises `file.unknown`."""
        known = await self._files.get(file, user)
        if not await asyncio.to_thread(self.folder.has, file):
            raise MenagerieError(ErrorCode.FILE_UNKNOWN)
        return known

    async def keep(self, body: bytes, filename: str, user: User) -> File:
        """Keep a file that came within a request, for a day. Raises `disk.full`."""
        async with self.folder.receive() as incoming:
            await asyncio.to_thread(incoming.write, body)
            await asyncio.to_thread(incoming.keep)
            now = datetime.now(UTC)
            file = File(
                id=incoming.id,
                owner=user.id,
                filename=filename,
                purpose="user_data",
                sha256=incoming.sha256,
                bytes=incoming.size,
                created_at=now,
                expires_at=now + KEPT_WITH_REQUEST,
            )
            try:
                await self._files.add(file)
            except MenagerieError:
                await self.folder.delete(incoming.id)
                raise
            return file


@contextmanager
def _naming(file: File) -> Iterator[None]:
    """Let a failure say which file it is about: several may go along with a message."""
    try:
        yield
    except MenagerieError as failure:
        raise failure.of(shown_file(file.filename)) from failure


def _picture(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as gone:
        raise MenagerieError(ErrorCode.FILE_UNKNOWN) from gone
    return f"data:image/{kind_of_picture(content)};base64,{base64.b64encode(content).decode('ascii')}"
