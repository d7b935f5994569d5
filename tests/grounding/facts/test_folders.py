"""Folders of the machine: what is seen in one, and that nothing outside it is ever read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.facts.folders import look, read_inside


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "inside"
    (inside / "below").mkdir(parents=True)
    (inside / "a.txt").write_text("one")
    (inside / "below" / "b.txt").write_text("second")
    (tmp_path / "secret.txt").write_text("outside")
    return inside


def test_a_look_sees_plain_files_of_known_kinds_and_counts_the_rest(folder: Path) -> None:
    (folder / ".hidden.txt").write_text("x")
    (folder / "~$a.txt").write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git" / "c.txt").write_text("x")
    (folder / "program.exe").write_text("x")
    (folder / "out.txt").symlink_to("../secret.txt")
    (folder / "up").symlink_to("..")
    os.mkfifo(folder / "pipe.txt")
    seen = look(folder)
    assert {name: file.size for name, file in seen.files.items()} == {"a.txt": 3, "below/b.txt": 6}
    assert seen.skipped == {"hidden": 3, "kind": 1, "link": 2, "special": 1}


def test_what_lies_in_a_folder_that_cannot_be_listed_now_is_not_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "below":
            raise PermissionError(str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)
    seen = look(folder)
    assert (seen.is_gone("below/b.txt"), seen.is_gone("never.txt"), seen.is_gone("a.txt")) == (
        False,
        True,
        False,
    )
    assert not look(folder, most=0).is_gone("never.txt")


def test_a_folder_that_is_not_there_is_no_empty_folder(folder: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        look(folder / "missing")
    with pytest.raises(NotADirectoryError):
        look(folder / "a.txt")


def test_another_folder_at_the_same_place_has_another_mark(folder: Path) -> None:
    before = look(folder).mark
    assert look(folder).mark == before
    folder.rename(folder.with_name("moved"))
    folder.mkdir()
    assert look(folder).mark != before


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "below/../../secret.txt", "", "a\0.txt"])
def test_no_name_leads_out_of_the_folder(folder: Path, name: str) -> None:
    with pytest.raises(OSError, match="no name inside"):
        read_inside(folder, name, 100)


def test_no_link_leads_out_of_the_folder_not_even_one_that_was_a_folder_before(folder: Path) -> None:
    assert read_inside(folder, "below/b.txt", 100) == b"second"
    (folder / "below" / "b.txt").unlink()
    (folder / "below").rmdir()
    (folder / "below").symlink_to(folder.parent)
    (folder / "out.txt").symlink_to("../secret.txt")
    for name in ("below/secret.txt", "out.txt"):
        with pytest.raises(OSError, match=name.rpartition("/")[0] or name):
            read_inside(folder, name, 100)


def test_a_pipe_does_not_hold_the_reader_up(folder: Path) -> None:
    os.mkfifo(folder / "pipe.txt")
    with pytest.raises(OSError, match="not a plain file"):
        read_inside(folder, "pipe.txt", 100)


def test_a_file_that_is_too_large_is_refused_with_the_limit(folder: Path) -> None:
    with pytest.raises(MenagerieError) as refused:
        read_inside(folder, "below/b.txt", 5)
    assert refused.value.code is ErrorCode.DOCUMENT_TOO_LARGE
    assert refused.value.values == {"limit": 5, "unit": "bytes"}
    assert read_inside(folder, "below/b.txt", 6) == b"second"
