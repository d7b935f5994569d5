"""SQLite: what it is told, who may read it, who may open it, and what happens when it cannot go on."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from menagerie.core.errors import ErrorCode
from menagerie.store import schema
from menagerie.store.database import FILE_NAME, Store
from menagerie.store.failures import Reason, StoreUnavailableError
from menagerie.store.sqlite import Sqlite
from tests.store.examples import ANN, end, say, start, words


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Sqlite]:
    opened = await Sqlite.open(tmp_path / FILE_NAME)
    await opened.write(schema.upgrade)
    yield opened
    await opened.close()


@pytest.fixture
async def store(database: Sqlite) -> AsyncIterator[Store]:
    opened = Store(database, 1)
    yield opened
    await opened.close()


async def pragma(database: Sqlite, statement: str) -> object:
    def work(connection: Connection) -> object:
        result = connection.exec_driver_sql(f"PRAGMA {statement}")
        return result.scalar() if result.returns_rows else None

    # Reading takes no lock, and so works on a connection that was forbidden to write.
    return await database.read(work)


async def failure(accepting: Store) -> StoreUnavailableError:
    with pytest.raises(StoreUnavailableError) as refused:
        await accepting.turns.accept(start())
    assert refused.value.code == ErrorCode.STORE_UNAVAILABLE
    return refused.value


async def opening_failure(data: Path, url: str = "") -> StoreUnavailableError:
    with pytest.raises(StoreUnavailableError) as refused:
        await Store.open(url, data)
    return refused.value


async def test_every_connection_is_told_how_to_keep_its_promises(database: Sqlite) -> None:
    told = {name: await pragma(database, name) for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert told == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1}
    assert await pragma(database, "busy_timeout") == 5000
    assert await database.read(lambda found: found.exec_driver_sql("PRAGMA foreign_keys").scalar()) == 1


async def test_what_people_said_can_be_read_by_the_service_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    store = await Store.open("", folder)
    await say(store)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(modes) >= {FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}.lock"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    await store.close()


async def test_messages_are_numbered_from_0_without_gaps(store: Store, database: Sqlite) -> None:
    session = (await say(store)).session
    await say(store, "More?", session)
    query = "SELECT position FROM messages ORDER BY position"
    numbers = await database.read(lambda connection: connection.exec_driver_sql(query).scalars().all())
    assert numbers == [0, 1, 2, 3]


async def test_what_was_deleted_is_nowhere_in_the_file(tmp_path: Path) -> None:
    store = await Store.open("", tmp_path)
    session = (await say(store, "A very private question", answer="an answer")).session
    await store.sessions.delete(session, ANN)
    await store.close()
    assert b"very private" not in (tmp_path / FILE_NAME).read_bytes()
    assert not (tmp_path / f"{FILE_NAME}-wal").exists()


def files_with(folder: Path, words: bytes) -> list[str]:
    return [path.name for path in folder.iterdir() if words in path.read_bytes()]


@pytest.mark.parametrize("way", ["conversation", "session", "turn"])
async def test_what_was_deleted_is_in_no_file_while_the_service_runs_on(tmp_path: Path, way: str) -> None:
    store = await Store.open("", tmp_path)
    beginning = start("A very private question")
    session = (await store.turns.accept(beginning)).session
    await store.turns.finish(beginning.turn, end(answer="A very private answer"))
    assert files_with(tmp_path, b"very private")
    if way == "conversation":
        await store.conversations.delete(session, ANN)
    elif way == "session":
        await store.sessions.delete(session, ANN)
    else:
        await store.sessions.forget(beginning.turn, ANN)
    assert files_with(tmp_path, b"very private") == []
    await store.close()


async def test_a_reader_delays_no_deletion_and_what_was_deleted_goes_when_it_is_done(
    tmp_path: Path, store: Store, database: Sqlite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("menagerie.store.sqlite.ERASED_S", 0.01)
    session = (await say(store, "A very private question")).session
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM sessions").fetchall()
    await store.conversations.delete(session, ANN)
    assert files_with(tmp_path, b"very private")
    other.execute("ROLLBACK")
    other.close()
    await asyncio.gather(*database._erasing)
    assert files_with(tmp_path, b"very private") == []


async def test_a_second_service_on_the_same_folder_is_refused_by_name_of_the_folder(tmp_path: Path) -> None:
    store = await Store.open("", tmp_path)
    refused = await opening_failure(tmp_path)
    assert refused.reason == Reason.IN_USE
    assert str(tmp_path) in refused.message("en")
    assert "un autre service menagerie" in refused.message("fr")
    await store.close()
    again = await Store.open("", tmp_path)
    await again.close()


async def test_a_store_that_is_up_to_date_opens_without_alembic_and_without_the_orm(tmp_path: Path) -> None:
    await (await Store.open("", tmp_path)).close()
    program = (
        "import asyncio, sys; from pathlib import Path; from menagerie.store.database import Store\n"
        "async def main(): await (await Store.open('', Path(sys.argv[1]))).close()\n"
        "asyncio.run(main()); print({'alembic', 'asyncpg', 'sqlalchemy.orm'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


async def test_an_ordinary_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    refused = await opening_failure(blocked / "data")
    assert refused.reason == Reason.UNREACHABLE
    assert str(blocked / "data") in refused.message("fr")


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert (await opening_failure(loop)).reason == Reason.UNREACHABLE


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    content = b"My thesis, the only copy. " * 400
    (tmp_path / FILE_NAME).write_bytes(content)
    assert (await opening_failure(tmp_path)).reason == Reason.BROKEN
    assert (tmp_path / FILE_NAME).read_bytes() == content


async def test_the_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("CREATE TABLE sessions (theirs TEXT)")
    connection.close()
    assert (await opening_failure(tmp_path)).reason == Reason.BROKEN
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert tables == [("sessions",)]


async def test_a_file_damaged_inside_is_an_error_with_a_code_never_one_of_the_database(
    tmp_path: Path,
) -> None:
    store = await Store.open("", tmp_path)
    await say(store, "Hello?" * 10_000)
    await store.close()
    with (tmp_path / FILE_NAME).open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    assert (await opening_failure(tmp_path)).reason == Reason.BROKEN


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://root@localhost/x", "sqlite://", "sqlite:///:memory:", "postgresql://host"]
)
async def test_an_address_that_is_none_of_ours_names_the_setting_and_what_is_allowed(
    tmp_path: Path, url: str
) -> None:
    refused = await opening_failure(tmp_path, url)
    assert refused.reason == Reason.ADDRESS
    assert "MENAGERIE_DATABASE" in refused.message("en")
    assert "postgresql://" in refused.message("fr")


async def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    refused = await opening_failure(tmp_path, "postgresql://anna:s3cret@127.0.0.1:1/menagerie")
    assert refused.reason == Reason.UNREACHABLE
    assert "127.0.0.1:1/menagerie" in refused.message("en")
    assert "s3cret" not in f"{refused.message('en')} {refused} {refused.values}"


async def test_a_caller_learns_nothing_of_the_inside(store: Store, database: Sqlite) -> None:
    await pragma(database, "query_only = ON")
    refused = await failure(store)
    for language in ("en", "fr"):
        assert "sqlite" not in refused.message(language).lower()
        assert "/" not in refused.message(language)
    await pragma(database, "query_only = OFF")


async def test_a_store_that_may_not_write_says_so_and_goes_on_when_it_may(
    store: Store, database: Sqlite
) -> None:
    session = (await say(store)).session
    await pragma(database, "query_only = ON")
    assert (await failure(store)).reason == Reason.READ_ONLY
    assert words(await store.sessions.get(session, ANN)) == ["Hello?", "Hoo."]
    await pragma(database, "query_only = OFF")
    await say(store, "More?", session)


async def test_a_turn_that_the_full_disk_kept_from_ending_is_closed_when_there_is_room_again(
    store: Store, database: Sqlite
) -> None:
    beginning = start()
    session = (await store.turns.accept(beginning)).session
    await pragma(database, "max_page_count = 1")
    with pytest.raises(StoreUnavailableError) as refused:
        await store.turns.finish(beginning.turn, end(answer="A long answer. " * 10_000))
    assert refused.value.reason == Reason.FULL
    assert refused.value.retry_after is not None
    await pragma(database, "max_page_count = 1000000")
    assert words(await say(store, "And now?", session)) == []
    record = await store.turns.get(beginning.turn)
    assert record is not None
    assert (record.outcome, record.code) == ("failed", ErrorCode.STORE_UNAVAILABLE)
    ends = [line.event for line in await store.log.read()]
    assert ends == ["turn_accepted", "turn_failed", "turn_accepted", "turn_done"]


async def test_a_turn_left_open_by_a_full_disk_is_closed_with_the_store(
    tmp_path: Path, database: Sqlite
) -> None:
    store = Store(database, 1)
    beginning = start()
    await store.turns.accept(beginning)
    await pragma(database, "max_page_count = 1")
    with pytest.raises(StoreUnavailableError):
        await store.turns.finish(beginning.turn, end(answer="A long answer. " * 10_000))
    await pragma(database, "max_page_count = 1000000")
    await store.close()
    again = await Store.open("", tmp_path)
    assert await again.turns.close_interrupted() == 0
    record = await again.turns.get(beginning.turn)
    assert record is not None
    assert record.outcome == "failed"
    await again.close()


async def test_a_database_that_another_program_holds_is_busy_while_the_event_loop_runs_on(
    tmp_path: Path, store: Store, database: Sqlite
) -> None:
    await pragma(database, "busy_timeout = 300")
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused = asyncio.create_task(failure(store))
    longest, waited_since = 0.0, time.monotonic()
    while not refused.done():
        before = time.monotonic()
        await asyncio.sleep(0.005)
        longest = max(longest, time.monotonic() - before)
    assert (await refused).reason == Reason.BUSY
    assert time.monotonic() - waited_since >= 0.25
    assert longest < 0.2
    other.execute("ROLLBACK")
    other.close()
    await say(store)


async def test_a_transaction_that_waited_too_long_is_refused_instead_of_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("menagerie.store.sqlite.PATIENCE_S", -1.0)
    assert (await failure(store)).reason == Reason.BUSY
    monkeypatch.undo()
    await say(store)


async def test_a_visit_is_refused_while_a_service_has_not_brought_the_tables_up_to_date(
    tmp_path: Path,
) -> None:
    starting = await Sqlite.open(tmp_path / FILE_NAME)
    with pytest.raises(StoreUnavailableError) as refused:
        await Store.visit("", tmp_path)
    assert refused.value.reason is Reason.OUTDATED
    await starting.write(schema.upgrade)
    await (await Store.visit("", tmp_path)).close()
    await starting.close()


async def test_a_visit_that_may_change_nothing_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        await Store.visit("", tmp_path / "data", upgrade=False)
    assert await asyncio.to_thread(os.listdir, tmp_path) == []
