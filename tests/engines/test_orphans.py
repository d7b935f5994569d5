"""Orphans of an earlier run are found by what was recorded of them, and nobody else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from menagerie.engines import orphans
from menagerie.engines.orphans import Identity, Record, end_orphans, record
from menagerie.engines.plan import Load

ROOT = Path(__file__).parents[2]
WORKER = ROOT / "src/menagerie/engines/workers/text.py"

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"

Begin = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "engines"


@pytest.fixture(autouse=True)
def scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A temporary folder of each test's own, short enough for a socket, and made when that of the tests is there."""
    assert tmp_path.exists()
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Starts a Python program that runs until the end of the test, at most."""
    begun = []

    def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,
        )
        begun.append(process)
        assert process.stdout
        assert process.stdout.readline()
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def dead() -> Identity:
    """One that was, and whose number is somebody's now: ours."""
    return msgspec.structs.replace(orphans._identity(os.getpid()), born=1.0)


def rewritten(file: Path | None, **changes: object) -> Record:
    """The record in `file`, with changes."""
    assert file
    noted = msgspec.structs.replace(msgspec.json.decode(file.read_bytes(), type=Record), **changes)
    file.write_bytes(msgspec.json.encode(noted))
    return noted


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


PARENT = """
import pathlib, subprocess, sys, time
from menagerie.engines import orphans
child = subprocess.Popen([sys.executable, "-c", sys.argv[2]], start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
orphans.record(pathlib.Path(sys.argv[1]), child.pid, pathlib.Path(sys.argv[3]))
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("program", [SLEEPER, STUBBORN], ids=["willing", "stubborn"])
def test_a_child_whose_service_was_killed_is_ended_and_its_folder_removed(
    program: str, records: Path, scratch: Path
) -> None:
    folder = Path(tempfile.mkdtemp(prefix=orphans.FOLDER_PREFIX))
    (folder / "engine.sock").touch()
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(records), program, str(folder)], stdout=subprocess.PIPE, cwd=ROOT
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert end_orphans(records) == 0
        assert runs(pid)
        assert folder.exists()
        parent.kill()
    assert runs(pid)
    began = time.monotonic()
    assert end_orphans(records) == 1
    assert time.monotonic() - began < 5
    assert not runs(pid)
    assert list(records.iterdir()) == []
    assert list(scratch.iterdir()) == []
    assert end_orphans(records) == 0


def test_a_real_engine_that_was_left_behind_is_ended(
    records: Path, scratch: Path, tiny_load: Load, dead: Identity
) -> None:
    folder = Path(tempfile.mkdtemp(prefix=orphans.FOLDER_PREFIX))
    order = msgspec.to_builtins(tiny_load) | {
        "address": f"{folder}/engine.sock",
        "key": "k",
        "http_threads": 4,
    }
    with subprocess.Popen(
        [sys.executable, "-I", str(WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as worker:
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(msgspec.json.encode(order) + b"\n")
        worker.stdin.flush()
        assert b"ready" in worker.stdout.readline()
        rewritten(record(records, worker.pid, folder), parent=dead)
        assert end_orphans(records) == 1
        assert worker.wait(1) == -signal.SIGTERM
    assert list(records.iterdir()) == []
    assert list(scratch.iterdir()) == []


def test_many_orphans_are_ended_in_the_time_of_one(records: Path, begin: Begin, dead: Identity) -> None:
    left = [begin(STUBBORN) for _ in range(4)]
    for process in left:
        rewritten(record(records, process.pid, None), parent=dead)
    began = time.monotonic()
    assert end_orphans(records) == 4
    assert time.monotonic() - began < 5
    assert not any(runs(process.pid) for process in left)


def test_a_child_of_a_living_service_is_left_alone(records: Path, begin: Begin) -> None:
    child, service = begin(SLEEPER), begin(SLEEPER)
    file = record(records, child.pid, None)
    rewritten(file, parent=orphans._identity(service.pid))
    assert end_orphans(records) == 0
    assert runs(child.pid)
    service.kill()
    service.wait()
    assert end_orphans(records) == 1


def test_a_child_of_our_own_is_left_alone(records: Path, begin: Begin) -> None:
    child = begin(SLEEPER)
    file = record(records, child.pid, None)
    assert end_orphans(records) == 0
    assert runs(child.pid)
    assert file
    assert file.exists()


def test_who_has_the_number_of_an_orphan_now_is_never_touched(
    records: Path, begin: Begin, dead: Identity
) -> None:
    stranger = begin(SLEEPER)
    file = record(records, stranger.pid, None)
    rewritten(file, parent=dead, child=Identity(stranger.pid, orphans._identity(stranger.pid).born - 1))
    assert end_orphans(records) == 0
    assert runs(stranger.pid)
    assert list(records.iterdir()) == []


@pytest.mark.skipif(not orphans._boot(), reason="this system does not name its runs")
def test_nobody_is_touched_after_the_machine_was_started_anew(
    records: Path, begin: Begin, dead: Identity, scratch: Path
) -> None:
    stranger = begin(SLEEPER)
    folder = Path(tempfile.mkdtemp(prefix=orphans.FOLDER_PREFIX))
    rewritten(record(records, stranger.pid, folder), parent=dead, boot="another")
    assert end_orphans(records) == 0
    assert runs(stranger.pid)
    assert list(records.iterdir()) == list(scratch.iterdir()) == []


def test_an_orphan_that_cannot_be_ended_keeps_its_record(
    records: Path, begin: Begin, dead: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "_ASKED_S", 0.1)
    monkeypatch.setattr(orphans, "_KILLED_S", 0.1)
    monkeypatch.setattr(psutil.Process, "kill", lambda _: None)
    child = begin(STUBBORN)
    file = record(records, child.pid, None)
    rewritten(file, parent=dead)
    assert end_orphans(records) == 0
    assert file
    assert file.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[1, 2]",
        b'{"child": {"pid": "a"}}',
        b'{"child": {"pid": 1e400, "born": 0}, "parent": {"pid": 1, "born": 0}}',
        b" " * 100_000,
    ],
)
def test_a_broken_record_is_removed(content: bytes, records: Path) -> None:
    records.mkdir()
    (records / "17.json").write_bytes(content)
    assert end_orphans(records) == 0
    assert list(records.iterdir()) == []


@pytest.mark.parametrize("pid", [-1, 0, 2**31, 2**70 // 2**8])
def test_a_number_that_no_process_can_have_is_nobody(pid: int, records: Path) -> None:
    records.mkdir()
    nobody = {"pid": pid, "born": 1.0}
    content = {"child": nobody, "parent": nobody, "boot": orphans._boot(), "folder": "\0"}
    (records / "17.json").write_bytes(msgspec.json.encode(content))
    assert end_orphans(records) == 0
    assert list(records.iterdir()) == []


@pytest.mark.parametrize("place", ["elsewhere", "another name", "a link", "somebody else's", "a file"])
def test_only_a_folder_such_as_ours_is_removed(
    place: str,
    records: Path,
    scratch: Path,
    tmp_path: Path,
    dead: Identity,
    begin: Begin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = tmp_path / "menagerie-kept"
    kept.mkdir()
    (kept / "file").touch()
    named = scratch / "menagerie-it"
    match place:
        case "elsewhere":
            named = kept
        case "another name":
            named = scratch / "precious"
            named.mkdir()
        case "a link":
            named.symlink_to(kept)
        case "somebody else's":
            named.mkdir()
            monkeypatch.setattr(os, "getuid", lambda: 12345)
        case "a file":
            named.touch()
    rewritten(record(records, begin(SLEEPER).pid, named), parent=dead, child=dead)
    assert end_orphans(records) == 0
    assert os.path.lexists(named)
    assert (kept / "file").exists()
    assert list(records.iterdir()) == []


def test_without_records_there_is_nothing_to_do(records: Path) -> None:
    assert end_orphans(records) == 0
    records.write_text("no folder")
    assert end_orphans(records) == 0


def test_nothing_is_recorded_of_a_process_that_is_gone(records: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        assert record(records, process.pid, None) is None
