"""The steps that lead to the tables of today."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from menagerie.store import schema
from menagerie.store.connections import Work
from menagerie.store.database import FILE_NAME, Store
from menagerie.store.failures import Reason, StoreUnavailableError
from menagerie.store.sqlite import Sqlite
from menagerie.store.tables import metadata
from tests.store.examples import ANN, say, words

OLD_TURN = """
INSERT INTO turns (id, session, instance, owner, address, channel, persona, language, model, model_sha256, prompt,
    outcome, code, accepted_at)
VALUES (:id, 's', 1, 'ann', '', '', 'owl', 'en', '', '', 'Hello?', 'done', '', '2026-11-23 12:00:00')
"""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Sqlite]:
    opened = await Sqlite.open(tmp_path / FILE_NAME)
    yield opened
    await opened.close()


def tables(connection: Connection) -> set[str]:
    return {name for name in inspect(connection).get_table_names() if not of_words(name)}


def of_words(name: str | None) -> bool:
    """Whether a table is one of FTS5, which SQLAlchemy knows nothing of."""
    return (name or "").startswith(("fact_words", "fact_stems"))


async def test_the_service_knows_the_newest_step(database: Sqlite) -> None:
    def newest(connection: Connection) -> str | None:
        script = ScriptDirectory.from_config(schema.alembic_configuration(connection))
        return script.get_current_head()

    assert await database.read(newest) == schema.HEAD


async def test_the_steps_lead_to_the_tables_that_the_code_uses(database: Sqlite) -> None:
    await database.write(schema.upgrade)
    options = {
        "compare_type": True,
        "include_name": lambda name, kind, _: kind != "table" or not of_words(name),
    }
    differences = await database.read(
        lambda connection: compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    )
    assert differences == []


async def test_every_step_can_be_taken_back_and_again(database: Sqlite) -> None:
    await database.write(schema.upgrade)
    await database.write(
        lambda connection: command.downgrade(schema.alembic_configuration(connection), "base")
    )
    assert await database.read(tables) == {"alembic_version"}
    await database.write(schema.upgrade)
    assert await database.read(tables) == {*metadata.tables, "alembic_version"}


async def test_turns_of_before_requests_had_names_have_none(database: Sqlite) -> None:
    def before(connection: Connection) -> None:
        command.upgrade(schema.alembic_configuration(connection), "0003")
        connection.execute(text(OLD_TURN), [{"id": "one"}, {"id": "two"}])

    await database.write(before)
    await database.write(schema.upgrade)
    names = await database.read(
        lambda connection: connection.execute(text("SELECT id, request FROM turns ORDER BY key")).all()
    )
    assert [tuple(row) for row in names] == [("one", ""), ("two", "")]


async def test_what_was_said_before_there_were_branches_is_a_conversation_of_its_own(
    database: Sqlite,
) -> None:
    def step(revision: str) -> Work[None]:
        return lambda connection: command.upgrade(schema.alembic_configuration(connection), revision)

    def said(connection: Connection) -> None:
        for key, name in ((1, "old"), (2, "copy without a turn")):
            connection.execute(
                text(
                    "INSERT INTO sessions (key, id, owner, persona, language, system, started, last_at, last_turn,"
                    " length) VALUES (:key, :id, 'ann', 'owl', 'en', '', :at, :at, 1, 1)"
                ),
                {"key": key, "id": name, "at": "2026-11-23 12:00:00.000000"},
            )
        connection.execute(
            text(
                "INSERT INTO messages (session, position, turn, role, content) VALUES (1, 0, 1, 'user', 'Hi')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO turns (key, id, session, instance, owner, address, channel, persona, language, model,"
                " model_sha256, prompt, outcome, code, accepted_at)"
                " VALUES (1, 't', 'old', 1, 'ann', '', 'socket', 'owl', 'en', '', '', 'Hi', 'done', '', :at)"
            ),
            {"at": "2026-11-23 12:00:00.000000"},
        )

    def kept(connection: Connection) -> list[tuple[str, ...]]:
        rows = connection.execute(text("SELECT id, trunk, channel FROM sessions ORDER BY key")).all()
        words = connection.execute(text("SELECT content FROM messages")).all()
        return [*map(tuple, rows), *map(tuple, words)]

    await database.write(step("0003"))
    await database.write(said)
    await database.write(schema.upgrade)
    expected: list[tuple[str, ...]] = [
        ("old", "old", "socket"),
        ("copy without a turn", "copy without a turn", ""),
        ("Hi",),
    ]
    assert await database.read(kept) == expected


async def test_bringing_up_to_date_what_is_up_to_date_changes_nothing(tmp_path: Path) -> None:
    store = await Store.open("", tmp_path)
    session = (await say(store)).session
    await store.close()
    store = await Store.open("", tmp_path)
    assert words(await store.sessions.get(session, ANN)) == ["Hello?", "Hoo."]
    await store.close()


async def test_looking_at_a_store_tells_its_age_and_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert await Store.look("", folder) == "new"
    assert not folder.exists()
    opened = await Sqlite.open(folder / FILE_NAME)
    await opened.close()
    assert await Store.look("", folder) == "new"
    store = await Store.open("", folder)
    with pytest.raises(StoreUnavailableError) as busy:
        await Store.look("", folder)
    assert busy.value.reason is Reason.IN_USE
    await store.close()
    assert await Store.look("", folder) == "current"


async def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    database = await Sqlite.open(tmp_path / FILE_NAME)
    await database.write(schema.upgrade)
    await database.write(
        lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    )
    await database.close()
    with pytest.raises(StoreUnavailableError) as refused:
        await Store.open("", tmp_path)
    assert refused.value.reason == Reason.NEWER
    assert str(tmp_path) in refused.value.message("en")
    database = await Sqlite.open(tmp_path / FILE_NAME)
    version = await database.read(
        lambda connection: connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    )
    assert version == "9999"
    await database.close()


async def test_a_step_that_fails_halfway_leaves_the_database_as_it_was(
    database: Sqlite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(schema.upgrade)
    steps = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, steps, ignore=shutil.ignore_patterns("__pycache__"))
    (steps / "versions" / "r9998_broken.py").write_text(
        "from alembic import op\n"
        f"revision, down_revision = '9998', '{schema.HEAD}'\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half (x INTEGER)')\n"
        "    op.execute('DROP TABLE events')\n"
        "    op.execute('THIS IS NOT SQL')\n"
    )
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    monkeypatch.setattr(schema, "HEAD", "9998")
    with pytest.raises(StoreUnavailableError):
        await database.write(schema.upgrade)
    assert await database.read(tables) == {*metadata.tables, "alembic_version"}
    monkeypatch.undo()
    await database.write(schema.upgrade)
