"""Folders of the machine, as collections are made of them: what lies in one now, and reading a file of it without ever
leaving it. Whoever may write into such a folder is not trusted with what this process may read."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError

Skipped = Literal["hidden", "link", "kind", "special", "unreadable", "deep", "many"]

SUFFIXES: Final = (
    *(".pdf", ".docx", ".docm", ".pptx", ".pptm", ".xlsx", ".xlsm", ".odt", ".ods", ".odp"),
    *(".html", ".htm", ".xhtml", ".eml", ".md", ".markdown", ".txt", ".text", ".csv", ".tsv"),
)
"""How names of files end whose text is read."""
MOST_FILES: Final = 100_000
DEEPEST: Final = 32
_TEMPORARY: Final = ("~$", ".")
"""How names of files begin that are hidden, or that an office program keeps beside an open one."""
_DIRECTORY: Final = getattr(os, "O_DIRECTORY", 0)
_STAYS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)
_STEPWISE: Final = os.open in os.supports_dir_fd


class FolderFile(msgspec.Struct, frozen=True):
    """A file by its name inside the folder (`a/b.pdf`), as `stat` shows it: bytes, and nanoseconds since 1970."""

    name: str
    size: int
    modified_ns: int


class Look(msgspec.Struct, frozen=True):
    """What a look at a folder has found. `unread` are the folders inside it that could not be listed: what is known of
    them is neither there nor gone. `mark` tells this folder from another one at the same place."""

    mark: str
    files: Mapping[str, FolderFile]
    skipped: Mapping[Skipped, int]
    unread: frozenset[str] = frozenset()

    def is_gone(self, name: str) -> bool:
        """Whether a file that was there is there no more."""
        if name in self.files or self.skipped.get("many"):
            return False
        return not any(name == folder or name.startswith(f"{folder}/") for folder in self.unread)


def look(folder: Path, most: int = MOST_FILES) -> Look:
    """What lies in `folder` and below it, of the kinds that are read.

    Symbolic links are not followed, hidden files not looked at. Raises `OSError` where the folder itself is not there
    or cannot be listed.
    """
    found = folder.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(str(folder))
    seen = _Seen(most)
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            entries = _entries(folder / inside)
        except OSError:
            if not inside:
                raise
            seen.unread(inside)
        else:
            waiting += [name for entry in entries if (name := seen.folder(entry, inside))]
    mark = f"{found.st_dev:x}:{found.st_ino:x}"
    return Look(mark, seen.files, seen.skipped, frozenset(seen.not_listed))


class _Seen:
    """What a look has found so far."""

    def __init__(self, most: int) -> None:
        self.files: dict[str, FolderFile] = {}
        self.skipped: Counter[Skipped] = Counter()
        self.not_listed: set[str] = set()
        self._most = most

    def unread(self, name: str) -> None:
        """What lies there could not be seen."""
        self.not_listed.add(name)
        self.skipped["unreadable"] += 1

    def folder(self, entry: os.DirEntry[str], inside: str) -> str:
        """Note an entry of the folder `inside`; its name where it is a folder to look into."""
        name = f"{inside}/{entry.name}" if inside else entry.name
        what = _judged(entry, name)
        if what == "folder":
            if name.count("/") < DEEPEST:
                return name
            self.skipped["deep"] += 1
        elif what == "unreadable":
            self.unread(name)
        elif not isinstance(what, FolderFile):
            self.skipped[what] += 1
        elif len(self.files) < self._most:
            self.files[name] = what
        else:
            self.skipped["many"] += 1
        return ""


def read_inside(folder: Path, name: str, most: int) -> bytes:
    """The bytes of a file inside `folder`. No step to it follows a link, so that it cannot lead out, whoever changes
    the folder meanwhile.

    Raises `document.too_large` for more than `most` bytes, and `OSError` where it is no plain file that can be read.
    """
    descriptor = _opened(folder, name)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"not a plain file: {name}")
        body = file.read(most + 1) if found.st_size <= most else b""
    if found.st_size > most or len(body) > most:
        raise too_large(most)
    return body


def too_large(most: int) -> MenagerieError:
    """The refusal of a document of more than `most` bytes."""
    return MenagerieError(ErrorCode.DOCUMENT_TOO_LARGE, limit=most, unit="bytes")


def is_readable(name: str) -> bool:
    """Whether a file of this name is of a kind whose text is read."""
    return name.lower().endswith(SUFFIXES)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _judged(entry: os.DirEntry[str], name: str) -> FolderFile | Skipped | Literal["folder"]:
    if entry.name.startswith(_TEMPORARY):
        return "hidden"
    try:
        if entry.is_symlink():
            return "link"
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return "unreadable"
    if stat.S_ISDIR(found.st_mode):
        return "folder"
    if not stat.S_ISREG(found.st_mode):
        return "special"
    return FolderFile(name, found.st_size, found.st_mtime_ns) if is_readable(name) else "kind"


def _opened(folder: Path, name: str) -> int:
    """A descriptor of the file, reached step by step."""
    *above, last = _steps(name)
    if not _STEPWISE:
        path = folder.joinpath(*above, last)
        if path.resolve(strict=True) != folder.resolve(strict=True).joinpath(*above, last):
            raise OSError(f"leads out of its folder: {name}")
        return os.open(path, os.O_RDONLY | _BINARY)
    at = os.open(folder, os.O_RDONLY | _DIRECTORY)
    try:
        for step in above:
            below = os.open(step, os.O_RDONLY | _DIRECTORY | _STAYS, dir_fd=at)
            os.close(at)
            at = below
        return os.open(last, os.O_RDONLY | _STAYS, dir_fd=at)
    finally:
        os.close(at)


def _steps(name: str) -> Iterator[str]:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in name:
        raise OSError(f"no name inside a folder: {name!r}")
    yield from path.parts
