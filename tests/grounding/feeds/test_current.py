"""The table of a running service follows its file; a broken file changes nothing and is told in the log."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from menagerie.grounding.feeds import current
from menagerie.grounding.feeds.current import FeedTable
from menagerie.grounding.feeds.table import OURS
from menagerie.settings import Settings

ONE = '[[feed]]\nid = "{name}"\ntitle = "T"\nabout = "A"\nurl = "https://a.example/f"\n'


def write(file: Path, content: str) -> None:
    file.write_text(content, encoding="utf-8")


def remove(file: Path) -> None:
    file.unlink()


def ids(table: FeedTable) -> list[str]:
    return [subject.id for subject in table.subjects]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(current, "LOOK_AGAIN", 0.0)
    monkeypatch.setattr(
        current, "log", structlog.get_logger()
    )  # one that was used before keeps its processors
    file = tmp_path / "feeds.toml"
    write(file, ONE.format(name="first"))
    return file


async def test_a_file_that_changes_is_read_again(file: Path) -> None:
    table = FeedTable(Settings(feeds=file))
    assert ids(table) == ["first"]
    write(file, ONE.format(name="other"))
    await table.look()
    assert ids(table) == ["other"]
    assert table.get("first") is None


async def test_a_broken_file_keeps_the_last_good_table_until_it_is_mended(file: Path) -> None:
    table = FeedTable(Settings(feeds=file))
    with capture_logs() as logs:
        for content in ("[[feed]", "id = 1"):
            write(file, content)
            await table.look()
            await table.look()
            assert ids(table) == ["first"]
            assert table.problem is not None
        remove(file)
        await table.look()
        assert ids(table) == ["first"]
    assert [line["event"] for line in logs] == ["feeds.refused"] * 3, "once for each change"
    write(file, ONE.format(name="mended"))
    await table.look()
    assert (ids(table), table.problem) == (["mended"], None)


async def test_a_file_that_is_broken_at_the_start_stands_for_an_empty_table_until_it_is_mended(
    file: Path,
) -> None:
    write(file, "no")
    table = FeedTable(Settings(feeds=file))
    assert ids(table) == []
    assert table.problem is not None
    write(file, ONE.format(name="mended"))
    await table.look()
    assert ids(table) == ["mended"]


async def test_who_cannot_wait_sees_the_change_a_moment_later(file: Path) -> None:
    table = FeedTable(Settings(feeds=file))
    write(file, ONE.format(name="other"))
    table.look_soon()
    assert ids(table) == ["first"]
    for _ in range(500):
        await asyncio.sleep(0.01)
        if ids(table) == ["other"]:
            return
    raise AssertionError


async def test_the_file_is_looked_at_once_a_second_at_most(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current, "LOOK_AGAIN", 60.0)
    table = FeedTable(Settings(feeds=file))
    write(file, ONE.format(name="other"))
    await table.look()
    assert ids(table) == ["first"]


def test_ours_is_read_where_none_is_set() -> None:
    table = FeedTable(Settings())
    assert table.file == OURS
    assert table.get("weather") is not None


def test_http_will_do_where_the_settings_open_the_inside(file: Path) -> None:
    def accepts(address: str, **allowed: str) -> bool:
        write(file, ONE.format(name="a").replace("https://a.example/f", address))
        return FeedTable(Settings(feeds=file, **allowed)).problem is None  # type: ignore[arg-type]

    assert accepts("http://127.0.0.1:8000/f", fetch_allow="127.0.0.1/32")
    assert accepts("http://feeds.department.example/f", fetch_allow="*.department.example")
    assert not accepts("http://127.0.0.2/f", fetch_allow="127.0.0.1/32")
    assert not accepts("http://a.example/f", fetch_allow="*.department.example")
    assert not accepts("http://a.example/f")


def test_without_a_loop_the_file_is_looked_at_at_once(file: Path) -> None:
    table = FeedTable(Settings(feeds=file))
    write(file, ONE.format(name="other"))
    table.look_soon()
    assert ids(table) == ["other"]
