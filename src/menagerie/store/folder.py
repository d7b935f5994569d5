"""Where the content of files lies: in one folder, each under its id, never under a name that somebody else chose."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

from menagerie.core.errors import ErrorCode, MenagerieError

LEFT_FREE: Final = 512 * 1_048_576
"""Bytes of the disk that files leave to everything else."""
_ID: Final = re.compile(r"file-[0-9a-f]{32}")
_UNFINISHED: Final = ".part"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class FileFolder:
    """The folder of a service's files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._receiving: set[Path] = set()

    def path(self, file: str) -> Path:
        """Where the content of a file is, or would be. Raises `file.unknown` for what is no id of ours."""
        if not _ID.fullmatch(file):
            raise MenagerieError(ErrorCode.FILE_UNKNOWN)
        return self._folder / file

    def has(self, file: str) -> bool:
        """Whether the content of a file lies here."""
        return _ID.fullmatch(file) is not None and self.path(file).is_file()

    @asynccontextmanager
    async def receive(self) -> AsyncGenerator[IncomingFile, None]:
        """A file that is being received. What is not `keep`-ed is gone at the end.

        Raises `disk.full` where the disk has no room for it.
        """
        path = self.path(new_file_id())
        unfinished = path.with_name(path.name + _UNFINISHED)
        self._receiving.add(unfinished)
        try:
            incoming = await asyncio.to_thread(IncomingFile, path, unfinished)
            try:
                yield incoming
            finally:
                await asyncio.to_thread(incoming.close)
        finally:
            self._receiving.discard(unfinished)

    async def delete(self, file: str) -> None:
        """Remove the content of a file."""
        await asyncio.to_thread(self.path(file).unlink, missing_ok=True)

    def clear(self) -> None:
        """Remove what was being received when an earlier service died."""
        for path in self._folder.glob(f"*{_UNFINISHED}"):
            if path not in self._receiving:
                path.unlink(missing_ok=True)


class IncomingFile:
    """The content of a file as it comes. `size` counts its bytes."""

    def __init__(self, path: Path, unfinished: Path) -> None:
        self.id = path.name
        self.size = 0
        self._path = path
        self._unfinished = unfinished
        self._hash = hashlib.sha256()
        with _disk_full():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if shutil.disk_usage(path.parent).free < LEFT_FREE:
                raise MenagerieError(ErrorCode.DISK_FULL)
            self._file: IO[bytes] = self._unfinished.open("xb")

    @property
    def sha256(self) -> str:
        """Of what has come so far."""
        return self._hash.hexdigest()

    def write(self, piece: bytes) -> None:
        """Add a piece. Raises `disk.full`."""
        with _disk_full():
            if shutil.disk_usage(self._path.parent).free < LEFT_FREE + len(piece):
                raise MenagerieError(ErrorCode.DISK_FULL)
            self._file.write(piece)
        self._hash.update(piece)
        self.size += len(piece)

    def keep(self) -> None:
        """It is whole: let it lie under its id, on the disk. Raises `disk.full`."""
        with _disk_full():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._unfinished.replace(self._path)

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(OSError):  # what could not be written before cannot be now
            self._file.close()
        self._unfinished.unlink(missing_ok=True)


def new_file_id() -> str:
    """An id that nobody can guess."""
    return f"file-{secrets.token_hex(16)}"


@contextlib.contextmanager
def _disk_full() -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        if failure.errno not in _FULL:
            raise
        raise MenagerieError(ErrorCode.DISK_FULL) from failure
