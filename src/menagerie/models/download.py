"""One file from one address to the disk: resumed where it broke off, and believed only after its hash."""

from __future__ import annotations

import asyncio
import errno
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from menagerie.core.errors import ErrorCode
from menagerie.models.blocking import in_thread
from menagerie.models.catalogue import hash_files
from menagerie.models.failures import ModelError
from menagerie.models.manifest import read_json, write_json
from menagerie.net.client import NetworkError, fetch

ATTEMPTS: Final = 5
"""Attempts in a row that bring not a single byte, after which a download fails."""
BACKOFF_SECONDS: Final = 1.0
"""The first pause between two attempts; it doubles each time."""
MAX_PAUSE_SECONDS: Final = 30.0
DISK_RESERVE: Final = 32 * 2**20
"""Bytes that a download leaves free: the database lives on the same disk."""
_PIECE: Final = 2**20
_UNKNOWN_SIZE_CHECK: Final = 64 * 2**20
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Remote(msgspec.Struct, frozen=True):
    """A file at an address. `size` in bytes and `sha256` where they are known; `unverified` as for `fetch`."""

    url: str
    name: str
    size: int | None = None
    sha256: str = ""
    authorization: str = ""
    unverified: frozenset[str] = frozenset()


class _Validator(msgspec.Struct, frozen=True):
    """What a server said of the content that a `.part` file is the beginning of."""

    entity: str


async def download(
    client: aiohttp.ClientSession, remote: Remote, part: Path, moved: Callable[[int, int | None], None]
) -> str:
    """Bring `remote` to the file `part`, going on where an earlier attempt stopped, and give its SHA-256.

    `moved` is told bytes done and in all. What was resumed and has the wrong hash is fetched again from the
    beginning, once. Raises `disk.full`, `model.download_failed` (what arrived is kept for
    the next time) and `model.hash_mismatch` (nothing is kept).
    """
    downloading = _Download(client, remote, part, moved)
    resumed = downloading.have() > 0
    await downloading.complete()
    digest = await asyncio.to_thread(hash_files, [part])
    if remote.sha256 and digest != remote.sha256:
        discard(part)
        if resumed:
            return await download(client, remote, part, moved)
        raise ModelError(ErrorCode.MODEL_HASH_MISMATCH, "hash", model=remote.name, found=digest)
    _validator_path(part).unlink(missing_ok=True)
    return digest


def check_disk(folder: Path, needed: int, model: str) -> None:
    """Raise `disk.full` unless `needed` bytes and the reserve are free where `folder` is."""
    free = shutil.disk_usage(folder).free
    if free < needed + DISK_RESERVE:
        raise ModelError(
            ErrorCode.DISK_FULL, "disk", model=model, needed_bytes=needed + DISK_RESERVE, free_bytes=free
        )


class _Download:
    def __init__(
        self,
        client: aiohttp.ClientSession,
        remote: Remote,
        part: Path,
        moved: Callable[[int, int | None], None],
    ) -> None:
        self._client = client
        self._remote = remote
        self._part = part
        self._moved = moved
        self._total = remote.size

    async def complete(self) -> None:
        """Attempt until all is there; an attempt that brought something starts the count anew."""
        fruitless = 0
        while not self._finished():
            before = self.have()
            try:
                await self._attempt()
            except NetworkError as failure:
                fruitless = 0 if self.have() > before else fruitless + 1
                if not failure.passing or fruitless >= ATTEMPTS:
                    raise network_failure(failure, self._remote.name) from failure
                pause = max(failure.retry_after, BACKOFF_SECONDS * 2**fruitless)
                await asyncio.sleep(min(pause, MAX_PAUSE_SECONDS))

    def have(self) -> int:
        with suppress(FileNotFoundError):
            return self._part.stat().st_size
        return 0

    def _finished(self) -> bool:
        have = self.have()
        if self._total is not None and have > self._total:
            discard(self._part)
            return False
        return have > 0 and have == self._total

    async def _attempt(self) -> None:
        have = self.have()
        known = read_json(_validator_path(self._part), _Validator)
        headers = {"Accept-Encoding": "identity"}
        if have and (known or self._remote.sha256):
            headers["Range"] = f"bytes={have}-"
            headers |= {"If-Range": known.entity} if known else {}
        async with fetch(
            self._client,
            self._remote.url,
            headers=headers,
            authorization=self._remote.authorization,
            unverified=self._remote.unverified,
        ) as response:
            if response.status == 416:
                self._out_of_range(response, have)
                return
            start = self._start(response, have)
            self._expect(response, start)
            check_disk(self._part.parent, (self._total or start) - start, self._remote.name)
            if entity := _entity(response):
                write_json(_validator_path(self._part), _Validator(entity))
            await self._receive(response, start)

    def _out_of_range(self, response: aiohttp.ClientResponse, have: int) -> None:
        """Nothing follows what we have: either that is all, or it is no beginning of this content."""
        if response.headers.get("Content-Range", "") == f"bytes */{have}":
            self._total = have
        else:
            discard(self._part)
            raise NetworkError("interrupted", host=response.url.host or "")

    def _start(self, response: aiohttp.ClientResponse, have: int) -> int:
        """Where the bytes of this response begin: at `have`, or at 0 where the server sends everything again."""
        if response.status != 206:
            return 0
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != have:
            discard(self._part)
            raise NetworkError("interrupted", host=response.url.host or "")
        return have

    def _expect(self, response: aiohttp.ClientResponse, start: int) -> None:
        """Learn the size from the answer. One that contradicts what the index announced is not our file."""
        announced = response.content_length if "Content-Encoding" not in response.headers else None
        total = start + announced if announced is not None else None
        if self._remote.size is not None and total is not None and total != self._remote.size:
            raise ModelError(
                ErrorCode.MODEL_HASH_MISMATCH, "size", model=self._remote.name,
                expected_bytes=self._remote.size, found_bytes=total,
            )  # fmt: skip
        self._total = self._remote.size if total is None else total

    async def _receive(self, response: aiohttp.ClientResponse, start: int) -> None:
        done, checked = start, start
        self._moved(done, self._total)
        with self._open(start) as file:
            buffer = bytearray()
            try:
                async for piece in response.content.iter_any():
                    buffer += piece
                    done += len(piece)
                    self._check_excess(response, done)
                    if len(buffer) >= _PIECE:
                        full, buffer = buffer, bytearray()
                        await self._write(file, full)
                        self._moved(done, self._total)
                    if self._total is None and done - checked >= _UNKNOWN_SIZE_CHECK:
                        check_disk(self._part.parent, 0, self._remote.name)
                        checked = done
            except ModelError:
                raise
            except BaseException:
                await self._write(file, buffer)
                raise
            await self._write(file, buffer)
        self._moved(done, self._total)
        if self._total is None:
            self._total = done
        elif done < self._total:
            raise NetworkError("interrupted", host=response.url.host or "")

    def _check_excess(self, response: aiohttp.ClientResponse, done: int) -> None:
        if self._total is not None and done > self._total:
            raise NetworkError("too_large", host=response.url.host or "")

    def _open(self, start: int) -> FileIO:
        file = FileIO(self._part, "r+" if start else "w")
        file.seek(start)
        return file

    async def _write(self, file: FileIO, data: bytearray) -> None:
        try:
            await in_thread(_write_all, file, data)
        except OSError as failure:
            raise disk_failure(failure, self._part.parent, self._remote.name) from failure


def _write_all(file: FileIO, data: bytearray) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def disk_failure(failure: OSError, folder: Path, model: str) -> ModelError:
    """What to raise for a write that failed: `disk.full`, or that the folder cannot be written to."""
    if failure.errno in {errno.ENOSPC, errno.EDQUOT}:
        free = shutil.disk_usage(folder).free
        return ModelError(
            ErrorCode.DISK_FULL, "disk", model=model, needed_bytes=free + DISK_RESERVE, free_bytes=free
        )
    return ModelError(
        ErrorCode.MODEL_DOWNLOAD_FAILED,
        "folder",
        model=model,
        folder=str(folder),
        detail=failure.strerror or "",
    )


def network_failure(failure: NetworkError, model: str) -> ModelError:
    """The failure of a request as one of a model."""
    reason = f"network_{failure.reason}"
    if failure.reason == "status" and failure.status in {401, 403, 404}:
        reason = "network_absent" if failure.status == 404 else "network_denied"
    return ModelError(
        ErrorCode.MODEL_DOWNLOAD_FAILED, reason, model=model, host=failure.host, status=failure.status
    )


def _entity(response: aiohttp.ClientResponse) -> str:
    """A strong validator of the content (RFC 9110, section 8.8), or an empty text."""
    tag = response.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag
    return response.headers.get("Last-Modified", "")


def _validator_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def discard(part: Path) -> None:
    """Delete a `.part` file and what was noted of it."""
    part.unlink(missing_ok=True)
    _validator_path(part).unlink(missing_ok=True)
