"""Children that outlived the service that started them: found again by what was recorded of them, and ended.

A record says which process a child is and which one started it. A process id alone says nothing, ids are used again:
it counts only together with the moment at which that process was born.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec
import psutil
import structlog

FOLDER_PREFIX: Final = "menagerie-"
"""How the private folders begin in which children listen."""
_ASKED_S: Final = 2.0
_KILLED_S: Final = 2.0
_LOOK_S: Final = 0.02
_LINUX: Final = sys.platform == "linux"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_LONGEST_RECORD: Final = 65_536

log = structlog.get_logger("menagerie.engines")


class Identity(msgspec.Struct, frozen=True):
    """One process and no other. `born` is when it was: on Linux in the kernel's ticks since the machine's start,
    which no change of the clock can shift; elsewhere in seconds since 1970."""

    pid: int
    born: float


class Record(msgspec.Struct, frozen=True):
    """A child, who started it, in which run of the machine, and the folder of its socket."""

    child: Identity
    parent: Identity
    boot: str = ""
    folder: str = ""


def record(records: Path, pid: int, folder: Path | None) -> Path | None:
    """Note in the folder `records` that the process `pid` is a child of ours. Gives the file, to be removed when the
    child has ended; None where nothing could be noted, which is logged and harms nothing else."""
    with contextlib.suppress(psutil.Error):
        noted = Record(_identity(pid), _identity(os.getpid()), _boot(), str(folder or ""))
        file = records / f"{pid}.json"
        try:
            records.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_suffix(".new")
            unfinished.write_bytes(msgspec.json.encode(noted))
            unfinished.replace(file)
        except OSError as failure:
            log.warning("engine.not_recorded", pid=pid, failure=str(failure))
        else:
            return file
    return None


def end_orphans(records: Path) -> int:
    """End the recorded children whose parent lives no more, and remove what they have left behind. Gives how many
    had to be ended.

    Children of a service that lives are left alone, whichever one it is. Takes at most some four seconds; a child
    that survives them keeps its record for the next time. Blocks: for a thread.
    """
    try:
        files = sorted(records.glob("*.json")) if records.is_dir() else []
    except OSError as failure:
        log.warning("engine.records_unreadable", failure=str(failure))
        return 0
    orphans = {file: noted for file in files if (noted := _read(file)) and not _lives(noted.parent, noted)}
    living = {file: process for file, noted in orphans.items() if (process := _process(noted.child, noted))}
    for process in living.values():
        log.warning("engine.orphan", pid=process.pid)
        with contextlib.suppress(psutil.Error):
            process.terminate()
    stubborn = _remaining(list(living.values()), _ASKED_S)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    immortal = _remaining(stubborn, _KILLED_S)
    for file, noted in orphans.items():
        if living.get(file) in immortal:
            log.error("engine.immortal", pid=noted.child.pid)
            continue
        _remove_folder(noted.folder)
        _remove_file(file)
    return len(living) - len(immortal)


def _read(file: Path) -> Record | None:
    try:
        with file.open("rb") as opened:
            return msgspec.json.decode(opened.read(_LONGEST_RECORD), type=Record)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as failure:
        log.warning("engine.record_broken", file=file.name, failure=str(failure))
        _remove_file(file)
        return None


def _lives(identity: Identity, noted: Record) -> bool:
    return _process(identity, noted) is not None


def _process(identity: Identity, noted: Record) -> psutil.Process | None:
    """The process that was recorded, if it still runs: not one that has its number now. psutil in turn sends signals
    to no other than the one that it found here."""
    if noted.boot != _boot():
        return None
    try:
        process = psutil.Process(identity.pid)
        same = _identity(identity.pid) == identity
        return process if same and _runs(process) else None
    except (psutil.Error, ValueError, OverflowError):
        return None


def _identity(pid: int) -> Identity:
    """Raises `psutil.Error` for a process that is not there."""
    if _LINUX:
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2]
        except OSError as absent:
            raise psutil.NoSuchProcess(pid) from absent
        return Identity(pid, float(after_name.split()[19]))  # starttime, the 22nd field of proc(5)
    return Identity(pid, psutil.Process(pid).create_time())


def _runs(process: psutil.Process) -> bool:
    """Whether it does, and is not only waiting for its end to be read."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _remaining(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still run when the others have ended, or the time is over."""
    until = time.monotonic() + seconds
    while (left := [process for process in processes if _runs(process)]) and time.monotonic() < until:
        time.sleep(_LOOK_S)
    return left


def _boot() -> str:
    """What names this run of the machine, where it has a name."""
    with contextlib.suppress(OSError):
        return _BOOT.read_text("ascii").strip()
    return ""


def _remove_folder(name: str) -> None:
    """Only a folder such as we make, of ours: a record is a file, and files can be tampered with."""
    folder = Path(name)
    if not name or not folder.name.startswith(FOLDER_PREFIX):
        return
    with contextlib.suppress(OSError, ValueError):
        seen = folder.lstat()
        ours = not hasattr(os, "getuid") or seen.st_uid == os.getuid()
        if (
            stat.S_ISDIR(seen.st_mode)
            and ours
            and folder.parent.resolve() == Path(tempfile.gettempdir()).resolve()
        ):
            shutil.rmtree(folder, ignore_errors=True)


def _remove_file(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as failure:
        log.warning("engine.record_stays", file=file.name, failure=str(failure))
