"""What people send for collections: kept under the ids of its documents, so that it can be read anew."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.store.folder import IncomingFile

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
_ARRIVING: Final = ".in"
_UNFINISHED: Final = ".part"


class Uploads:
    """The folder of them. Nothing in it has a name that somebody else chose."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def receive(self) -> AsyncGenerator[IncomingFile, None]:
        """A file as it comes; what is not kept (`keep`) and taken over (`adopt`) inside the block is gone after it.
        Raises `disk.full`."""
        path = self._folder / (secrets.token_hex(16) + _ARRIVING)
        incoming = await asyncio.to_thread(IncomingFile, path, path.with_name(path.name + _UNFINISHED))
        try:
            yield incoming
        finally:
            await asyncio.to_thread(incoming.close)
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def adopt(self, incoming: IncomingFile, document: str) -> None:
        """Let what has come be the content of this document from now on."""
        await asyncio.to_thread((self._folder / incoming.id).replace, self.path(document))

    def path(self, document: str) -> Path:
        """Where the content of a document lies, or would lie. Raises `document.unknown` for what is no id."""
        if not _ID.fullmatch(document):
            raise MenagerieError(ErrorCode.DOCUMENT_UNKNOWN)
        return self._folder / document

    async def delete(self, document: str) -> None:
        """Remove the content of a document."""
        await asyncio.to_thread(self.path(document).unlink, missing_ok=True)

    async def clear(self, is_known: Callable[[str], Awaitable[bool]], before: float) -> None:
        """Remove what belongs to no document that `is_known`, and was there `before` that moment (seconds since 1970):
        a service that died left it."""
        for path in await asyncio.to_thread(self._old, before):
            if path.suffix or not await is_known(path.name):
                await asyncio.to_thread(path.unlink, missing_ok=True)

    def _old(self, before: float) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return [path for path in self._folder.iterdir() if path.stat().st_mtime < before]
