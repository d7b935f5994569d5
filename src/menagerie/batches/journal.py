"""What has been answered so far, on the disk: an append-only file beside the output.

Its first line says of which job it is; every other one is a row that has ended, in the order in which they end. A row
that is in it is never asked again. A last line that was cut off by a crash is dropped; in memory there are eight bytes
a row.
"""

from __future__ import annotations

import contextlib
import os
import sys
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

import msgspec

from menagerie.batches.failures import BatchError, FileError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

SUFFIX: Final = ".journal"
_FAR: Final = 2**40
"""The byte that is locked on Windows, where a locked byte cannot be read: beyond the end of any journal."""


class Entry(msgspec.Struct, frozen=True):
    """A row that has ended. `line` is its line in the output, or among the failures."""

    row: int
    ok: bool
    line: msgspec.Raw


class _Header(msgspec.Struct, frozen=True):
    menagerie_batch: int
    job: msgspec.Raw


class Journal:
    """An open journal, which no other process can open. What is added outlasts the process; after `sync`, the machine.

    `done` and `failed` count rows.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self.done = 0
        self.failed = 0
        self._file = file
        self._offsets = array("q")
        self._size = 0

    @classmethod
    def open(cls, path: Path, job: bytes, *, anew: bool = False) -> Journal:
        """Take up the journal at `path`, or begin one; `anew`: whatever it holds is forgotten. `job` is JSON that tells
        one job from any other.

        Raises `BatchError`: `journal_busy` where another process has it open, `journal_foreign` where it belongs to
        another job, `output_unwritable`.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        except OSError as failure:
            raise FileError("output_unwritable", path=path.parent, problem=failure) from failure
        file = os.fdopen(descriptor, "r+b", buffering=0)
        journal = cls(path, file)
        try:
            _lock(descriptor, path)
            if anew:
                os.ftruncate(descriptor, 0)
            journal._take_up(job)
        except BaseException:
            file.close()
            raise
        return journal

    @property
    def ended(self) -> int:
        """Rows that have ended, well or not."""
        return self.done + self.failed

    def has(self, row: int) -> bool:
        """Whether a row has ended."""
        return row < len(self._offsets) and self._offsets[row] != 0

    def add(self, row: int, line: bytes, *, ok: bool) -> None:
        """Note the end of a row; `line` is JSON. Raises `OSError` where the disk takes no more."""
        entry = msgspec.json.encode(Entry(row, ok, msgspec.Raw(line))) + b"\n"
        self._write(entry)
        self._note(row, self._size - len(entry), ok=ok)

    def sync(self) -> None:
        """Wait until the disk has what was added."""
        os.fsync(self._file.fileno())

    def entries(self) -> Iterator[Entry]:
        """The rows that have ended, in the order of the input."""
        with self.path.open("rb") as file:
            for offset in self._offsets:
                if offset:
                    file.seek(offset)
                    yield _entry(file.readline())

    def deliver(self, out: Path, failures: Path) -> None:
        """Write the outputs in the order of the input. Each appears whole, or not at all; there is a file of failures
        only where there are any. The journal stays until it is removed: doing this twice does no harm."""
        self.sync()
        with _appearing(out) as good, _appearing(failures, only_if=lambda: self.failed > 0) as bad:
            for entry in self.entries():
                (good if entry.ok else bad).write(bytes(entry.line) + b"\n")
        if not self.failed:
            failures.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget the job."""
        with contextlib.suppress(FileNotFoundError):
            if sys.platform == "win32":
                self.close()
            self.path.unlink()
        self.close()

    def close(self) -> None:
        """Let go of it; it stays to be taken up again."""
        self._file.close()

    def _take_up(self, job: bytes) -> None:
        """Read what is there. A line without its end is cut off; one that cannot be read does not count."""
        end = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    break
                if number == 0:
                    self._check(line, job)
                elif entry := _readable(line):
                    self._note(entry.row, end, ok=entry.ok)
                end += len(line)
        self._file.truncate(end)
        self._file.seek(end)
        self._size = end
        if end == 0:
            self._write(msgspec.json.encode(_Header(1, msgspec.Raw(job))) + b"\n")
            self.sync()

    def _check(self, line: bytes, job: bytes) -> None:
        try:
            header = msgspec.json.decode(line, type=_Header)
        except msgspec.DecodeError as failure:
            raise BatchError("journal_foreign", path=str(self.path)) from failure
        if msgspec.json.decode(header.job) != msgspec.json.decode(job):
            raise BatchError("journal_foreign", path=str(self.path))

    def _write(self, line: bytes) -> None:
        """All of it, or nothing: half a line of a full disk would break the next one."""
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
        except OSError:
            self._file.truncate(self._size)
            self._file.seek(self._size)
            raise
        self._size += len(line)

    def _note(self, row: int, offset: int, *, ok: bool) -> None:
        if self.has(row):
            return
        if row >= len(self._offsets):
            self._offsets.frombytes(bytes(8 * (row + 1 - len(self._offsets))))
        self._offsets[row] = offset
        if ok:
            self.done += 1
        else:
            self.failed += 1


def _readable(line: bytes) -> Entry | None:
    try:
        return _entry(line)
    except msgspec.DecodeError:
        return None


def _entry(line: bytes) -> Entry:
    return msgspec.json.decode(line, type=Entry)


def _lock(descriptor: int, path: Path) -> None:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _FAR, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), path.stat()):
            raise FileNotFoundError(path)  # whoever had it has just delivered and removed it
    except OSError as failure:
        raise BatchError("journal_busy", path=str(path)) from failure


@contextlib.contextmanager
def _appearing(path: Path, only_if: Callable[[], bool] = lambda: True) -> Iterator[IO[bytes]]:
    """A file that takes its name once it is whole and on the disk."""
    unfinished = path.with_name(path.name + ".part")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if only_if():
            unfinished.replace(path)
            _sync_folder(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
