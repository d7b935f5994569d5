"""The personas of a running service: found, refused, and read again when their files change."""

from __future__ import annotations

import asyncio
import os
import shutil
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.personas.directory import PersonaDirectory
from menagerie.personas.problem import PersonaFileError
from menagerie.settings import Settings
from tests.personas.files import Site


@asynccontextmanager
async def watched(*folders: Path) -> AsyncIterator[PersonaDirectory]:
    """A directory that watches its folders; how long it takes to stop is bounded."""
    directory = PersonaDirectory(folders, Settings())
    watching = asyncio.create_task(directory.watch())
    try:
        yield directory
    finally:
        watching.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(watching, return_exceptions=True)


async def comes_true(condition: Callable[[], object]) -> None:
    """Wait until the `condition` holds; fail after ten seconds."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail("waited ten seconds in vain")


def is_titled(directory: PersonaDirectory, expected: str) -> bool:
    return title(directory) == expected


def title(directory: PersonaDirectory, name: str = "fox") -> str:
    return directory.get(name).text("title", "en")


def test_a_persona_is_found_by_its_exact_name_only(site: Site) -> None:
    site.write("10.json", {"Fox": {}, "héron": {}})
    directory = PersonaDirectory([site.folder], Settings())
    assert directory.get("Fox").name == "Fox"
    assert directory.get(unicodedata.normalize("NFD", "héron")).name == "héron"
    for other in ("fox", "Fox ", "Fo", "", "../Fox"):
        with pytest.raises(MenagerieError) as failure:
            directory.get(other)
        assert failure.value.code is ErrorCode.PERSONA_UNKNOWN


def test_an_unknown_name_is_told_short_and_without_control_characters(site: Site) -> None:
    with pytest.raises(MenagerieError) as failure:
        PersonaDirectory([site.folder], Settings()).get("a\x1b[31m\u202e\u2028\ud800" + "x" * 1000)
    name = str(failure.value.values["name"])
    assert name.startswith("a[31mxxx")
    assert len(name) == 80


def test_hidden_personas_answer_but_are_not_listed(site: Site) -> None:
    site.write("10.json", {"zebra": {}, "beagle": {"hidden": True}, "ant": {}})
    directory = PersonaDirectory([site.folder], Settings())
    assert [persona.name for persona in directory.all()] == ["zebra", "beagle", "ant"]
    assert [persona.name for persona in directory.listed()] == ["zebra", "ant"]
    assert directory.get("beagle").hidden


def test_a_wrong_file_stops_the_start(site: Site) -> None:
    site.write("10.json", {"fox": {"tilte": "x"}})
    with pytest.raises(PersonaFileError):
        PersonaDirectory([site.folder], Settings())


def test_a_broken_change_keeps_the_last_good_set_and_says_so_until_it_is_mended(site: Site) -> None:
    site.write("10.json", {"fox": {"title": "old"}})
    directory = PersonaDirectory([site.folder], Settings())
    before = directory.all()
    broken = site.write("10.json", '{"fox": {"title": "new"},\n')
    with capture_logs() as logs:
        assert not directory.reload()
    assert directory.all() is before
    problem = directory.problem
    assert problem is not None
    assert (problem.file, problem.reason) == (broken, "unfinished")
    assert [(entry["log_level"], entry["file"], entry["line"]) for entry in logs] == [
        ("warning", str(broken), 1)
    ]
    site.write("10.json", {"fox": {"title": "new"}})
    assert directory.reload()
    assert directory.problem is None
    assert title(directory) == "new"


async def test_a_changed_an_added_and_a_removed_file_are_picked_up_while_running(site: Site) -> None:
    site.write("10.json", {"fox": {"title": "one"}})
    async with watched(site.folder) as directory:
        site.write("10.json", {"fox": {"title": "two"}})
        await comes_true(lambda: title(directory) == "two")
        added = site.write("20.json", {"fox": {"title": "three"}})
        await comes_true(lambda: title(directory) == "three")
        added.unlink()
        await comes_true(lambda: title(directory) == "two")


async def test_a_file_that_is_replaced_by_renaming_is_picked_up(site: Site) -> None:
    file = site.write("10.json", {"fox": {"title": "one"}})
    async with watched(site.folder) as directory:
        site.write("new.tmp", {"fox": {"title": "two"}}).rename(file)
        await comes_true(lambda: title(directory) == "two")


async def test_a_broken_change_while_running_disturbs_nobody_and_is_forgotten_when_mended(site: Site) -> None:
    site.write("10.json", {"fox": {"title": "one"}})
    async with watched(site.folder) as directory:
        site.write("10.json", {"fox": {"context_window": "big"}})
        await comes_true(lambda: directory.problem)
        assert directory.problem is not None
        assert directory.problem.key == "fox.context_window"
        assert title(directory) == "one"
        site.write("10.json", {"fox": {"title": "two"}})
        await comes_true(lambda: directory.problem is None)
        assert title(directory) == "two"


async def test_a_folder_that_comes_later_goes_and_comes_again_is_picked_up(
    site: Site, tmp_path: Path
) -> None:
    site.write("10.json", {"fox": {"title": "ours"}})
    theirs = tmp_path / "theirs"
    async with watched(site.folder, theirs) as directory:
        for round_ in ("first", "second"):
            Site(theirs).write("10.json", {"fox": {"title": round_}})
            await comes_true(partial(is_titled, directory, round_))
            shutil.rmtree(theirs)
            await comes_true(lambda: title(directory) == "ours")


async def test_without_any_folder_it_waits_for_one(tmp_path: Path) -> None:
    async with watched(tmp_path / "later") as directory:
        assert directory.all() == ()
        Site(tmp_path / "later").write("10.json", {"fox": {}})
        await comes_true(directory.all)


async def test_a_change_between_start_and_watching_is_not_lost_even_if_it_leaves_no_trace(site: Site) -> None:
    file = site.write("10.json", {"fox": {"title": "one"}})
    times = file.stat()
    directory = PersonaDirectory([site.folder], Settings())
    site.write("10.json", {"fox": {"title": "two"}})
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    watching = asyncio.create_task(directory.watch())
    await comes_true(lambda: title(directory) == "two")
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_file_of_another_kind_causes_no_reload(site: Site) -> None:
    site.write("10.json", {"fox": {}})
    async with watched(site.folder) as directory:
        before = directory.all()
        site.write("notes.txt", "no persona")
        site.write(".10.json.swp", "{")
        (site.folder / "10.json").touch()
        await asyncio.sleep(1.5)
        assert directory.all() is before
