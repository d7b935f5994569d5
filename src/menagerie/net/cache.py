"""What was fetched, kept in a folder and the most wanted of it in memory. What is damaged was never there.

Each entry is a file, named by the hash of its key: a SHA-256 of the rest, then the entry. Files are read and written
in threads; what is known of them changes in the event loop alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Final

import msgspec
import structlog

from menagerie.net.freshness import Freshness
from menagerie.net.sniffing import PageKind
from menagerie.settings import Settings

log = structlog.get_logger("menagerie.net")

HOT: Final = 32 * 1024 * 1024
"""Bytes of bodies in memory, at most; one body takes no more than a quarter of it."""

_DIGEST: Final = hashlib.sha256().digest_size
_SUFFIX: Final = ".page"
_OVERHEAD: Final = 512
_BLOCK: Final = 4096


NEVER: Final = Freshness(came=0.0, age=0.0, lifetime=0.0, stale=0.0)


class Entry(msgspec.Struct, frozen=True):
    """A response as it is kept: a page, or where a redirect leads (`location`)."""

    key: str
    address: str
    headers: dict[str, str]
    """Those of `freshness.KEPT`."""
    peers: tuple[str, ...]
    """The IP addresses that it came from, or that its host had; none where only a proxy knows."""
    freshness: Freshness = NEVER
    status: int = 200
    location: str = ""
    kind: PageKind = "text"
    charset: str = ""
    body: bytes = b""
    fetched: float = 0.0
    """When its server last sent it, or said that it is still so, in seconds since the epoch."""


class PageCache:
    """Entries by their keys, the least recently used leaving first, at most `most` bytes of files."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._sizes: OrderedDict[str, int] | None = None
        self._total = 0
        self._hot: OrderedDict[str, Entry] = OrderedDict()
        self._hot_bytes = 0
        self._opening = asyncio.Lock()

    @classmethod
    def of(cls, settings: Settings) -> PageCache | None:
        """The cache in the data folder, or none where the settings keep nothing."""
        most = settings.fetch_cache * 1024 * 1024
        return cls(settings.data / "fetched", most) if most else None

    async def find(self, key: str) -> Entry | None:
        """The entry with this key."""
        name = _name(key)
        if name in self._hot:
            self._hot.move_to_end(name)
            if self._sizes is not None and name in self._sizes:
                self._sizes.move_to_end(name)
            return self._hot[name]
        sizes = await self._index()
        if name not in sizes:
            return None
        entry = await asyncio.to_thread(_read, self._folder / name)
        if name in self._hot:  # and newer than the file was
            return self._hot[name]
        if entry is None or entry.key != key:
            self._total -= sizes.pop(name, 0)
            return None
        if name in sizes:
            sizes.move_to_end(name)
            self._warm(name, entry)
        return entry

    async def keep(self, entry: Entry) -> None:
        """Keep an entry instead of the one with its key; one that is too large for the folder is not kept."""
        name = _name(entry.key)
        sizes = await self._index()
        if len(entry.body) + _OVERHEAD > self._most:
            return
        self._warm(name, entry)
        try:
            size = await asyncio.to_thread(_write, self._folder / name, entry)
        except OSError as failure:
            log.warning("cache.not_written", failure=failure.strerror or type(failure).__name__)
            await self.drop(entry.key)
            return
        self._total += size - sizes.get(name, 0)
        sizes[name] = size
        sizes.move_to_end(name)
        await self._make_room(sizes)

    async def drop(self, key: str) -> None:
        """Forget the entry with this key."""
        name = _name(key)
        self._cool(name)
        size = (await self._index()).pop(name, 0)
        self._total -= size
        if size:
            await asyncio.to_thread(_delete, [self._folder / name])

    async def _index(self) -> OrderedDict[str, int]:
        """The files there are and their sizes, the least recently used first."""
        async with self._opening:
            if self._sizes is None:
                self._sizes = await asyncio.to_thread(_open, self._folder)
                self._total = sum(self._sizes.values())
                await self._make_room(self._sizes)
            return self._sizes

    async def _make_room(self, sizes: OrderedDict[str, int]) -> None:
        leaving = []
        while self._total > self._most and sizes:
            name, size = sizes.popitem(last=False)
            self._cool(name)
            self._total -= size
            leaving.append(self._folder / name)
        if leaving:
            await asyncio.to_thread(_delete, leaving)

    def _warm(self, name: str, entry: Entry) -> None:
        self._cool(name)
        most = min(HOT, self._most)
        if _weight(entry) > most // 4:
            return
        self._hot[name] = entry
        self._hot_bytes += _weight(entry)
        while self._hot_bytes > most:
            self._cool(next(iter(self._hot)))

    def _cool(self, name: str) -> None:
        entry = self._hot.pop(name, None)
        if entry is not None:
            self._hot_bytes -= _weight(entry)


def _weight(entry: Entry) -> int:
    return len(entry.body) + _OVERHEAD


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest() + _SUFFIX


def _open(folder: Path) -> OrderedDict[str, int]:
    """What is in the folder, which is made where there is none, and closed to others."""
    found: list[tuple[float, str, int]] = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        for path in folder.iterdir():
            if path.suffix == _SUFFIX:
                is_ = path.stat()
                found.append((is_.st_mtime, path.name, _taken(is_.st_size)))
            elif path.name.startswith(".") and path.is_file():
                path.unlink()  # of a write that did not end
    except OSError as failure:
        log.warning("cache.not_opened", failure=failure.strerror or type(failure).__name__)
    return OrderedDict((name, size) for _, name, size in sorted(found))


def _read(path: Path) -> Entry | None:
    """The entry in a file, which counts as used now; one that is damaged is deleted."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    rest = memoryview(content)[_DIGEST:]
    with contextlib.suppress(msgspec.DecodeError):
        if hashlib.sha256(rest).digest() == content[:_DIGEST]:
            entry = msgspec.msgpack.decode(rest, type=Entry)
            with contextlib.suppress(OSError):
                os.utime(path)
            return entry
    _delete([path])
    return None


def _write(path: Path, entry: Entry) -> int:
    """Replace a file, or leave it as it was. Gives the bytes that it takes."""
    rest = msgspec.msgpack.encode(entry)
    handle, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(rest).digest())
            file.write(rest)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return _taken(_DIGEST + len(rest))


def _taken(size: int) -> int:
    """What a file of so many bytes takes: whole blocks. So there are never more files than blocks."""
    return -(-size // _BLOCK) * _BLOCK


def _delete(paths: list[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
