"""The journal: what is in it is never lost, and no two processes have it."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.batches.failures import BatchError
from menagerie.batches.journal import Journal

JOB = b'{"persona":"owl"}'


def _line(row: int) -> bytes:
    return json.dumps({"row": row}).encode()


def _numbers(path: Path) -> list[int]:
    return [json.loads(line)["row"] for line in path.read_text().splitlines()]


def test_results_come_in_the_order_of_the_input_whatever_the_order_of_the_ends(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j", JOB)
    for row in (5, 1, 4, 2, 3):
        journal.add(row, _line(row), ok=row != 4)
    journal.deliver(tmp_path / "out", tmp_path / "failed")
    journal.remove()
    assert _numbers(tmp_path / "out") == [1, 2, 3, 5]
    assert _numbers(tmp_path / "failed") == [4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["failed", "out"]


def test_where_nothing_failed_there_is_no_file_of_failures_not_even_an_old_one(tmp_path: Path) -> None:
    (tmp_path / "failed").write_text("old")
    journal = Journal.open(tmp_path / "j", JOB)
    journal.add(1, _line(1), ok=True)
    journal.deliver(tmp_path / "out", tmp_path / "failed")
    journal.close()
    assert not (tmp_path / "failed").exists()


@given(cut=st.integers(min_value=0, max_value=400), rows=st.integers(min_value=0, max_value=8))
def test_wherever_a_crash_cuts_the_file_whole_rows_are_kept_and_the_next_ones_follow(
    tmp_path_factory: pytest.TempPathFactory, cut: int, rows: int
) -> None:
    path = tmp_path_factory.mktemp("j") / "j"
    journal = Journal.open(path, JOB)
    ends = [path.stat().st_size]
    for row in range(1, rows + 1):
        journal.add(row, _line(row), ok=True)
        ends.append(path.stat().st_size)
    journal.close()
    whole = path.read_bytes()[:cut]
    path.write_bytes(whole)
    kept = sum(end <= cut for end in ends[1:])

    journal = Journal.open(path, JOB)
    assert journal.done == kept
    assert [journal.has(row) for row in range(rows + 2)] == [0 < row <= kept for row in range(rows + 2)]
    journal.add(100, _line(100), ok=True)
    journal.close()
    journal = Journal.open(path, JOB)
    assert [entry.row for entry in journal.entries()] == [*range(1, kept + 1), 100]
    journal.close()


def test_a_line_that_a_disk_has_spoiled_costs_only_its_row(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j", JOB)
    for row in (1, 2, 3):
        journal.add(row, _line(row), ok=True)
    journal.close()
    content = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    content[2] = b"\0" * (len(content[2]) - 1) + b"\n"
    (tmp_path / "j").write_bytes(b"".join(content))
    journal = Journal.open(tmp_path / "j", JOB)
    assert [entry.row for entry in journal.entries()] == [1, 3]
    journal.close()


def test_a_journal_of_another_job_is_refused_and_left_alone_unless_it_is_begun_anew(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j", JOB)
    journal.add(1, _line(1), ok=True)
    journal.close()
    before = (tmp_path / "j").read_bytes()
    for other in (b'{"persona":"beaver"}', b"{}"):
        with pytest.raises(BatchError) as refused:
            Journal.open(tmp_path / "j", other)
        assert refused.value.reason == "journal_foreign"
    assert (tmp_path / "j").read_bytes() == before
    journal = Journal.open(tmp_path / "j", b"{}", anew=True)
    assert journal.ended == 0
    journal.close()


def test_what_is_no_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "j").write_text("somebody’s notes\n")
    with pytest.raises(BatchError) as refused:
        Journal.open(tmp_path / "j", JOB)
    assert refused.value.reason == "journal_foreign"
    assert (tmp_path / "j").read_text() == "somebody’s notes\n"


def test_a_second_process_is_refused_for_as_long_as_the_first_one_lives(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from menagerie.batches.journal import Journal;"
        f"kept = Journal.open(Path(sys.argv[1]), {JOB!r}); print('open', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "j")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(BatchError) as refused:
            Journal.open(tmp_path / "j", JOB)
        assert refused.value.reason == "journal_busy"
        other.kill()
        other.wait()
    Journal.open(tmp_path / "j", JOB).close()


def test_a_full_disk_costs_the_row_and_not_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(tmp_path / "j", JOB)
    journal.add(1, _line(1), ok=True)

    class Full:
        def __init__(self, file: Any) -> None:
            self._file = file
            self._left = 10

        def write(self, data: bytes) -> int:
            if not self._left:
                raise OSError(errno.ENOSPC, "full")
            written = self._file.write(data[: self._left])
            self._left -= written
            return int(written)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    real = journal._file
    monkeypatch.setattr(journal, "_file", Full(real))
    with pytest.raises(OSError, match="full"):
        journal.add(2, _line(2), ok=True)
    monkeypatch.setattr(journal, "_file", real)
    journal.add(3, _line(3), ok=True)
    assert [entry.row for entry in journal.entries()] == [1, 3]
    journal.close()


def test_a_million_rows_take_eight_bytes_each(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j", JOB)
    journal.add(1_000_000, _line(1), ok=True)
    assert len(journal._offsets) * journal._offsets.itemsize <= 8 * 1_000_001
    assert journal.has(1_000_000)
    assert not journal.has(999_999)
    journal.close()
