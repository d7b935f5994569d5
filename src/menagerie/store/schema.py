"""Brings a database to the tables that this version of the service knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import structlog
from sqlalchemy import Connection, text

from menagerie.store.failures import Reason, StoreUnavailableError

if TYPE_CHECKING:
    from alembic.config import Config

log = structlog.get_logger(__name__)

HEAD: Final = "0005"
"""The newest step in `migrations/versions`; known here so that an up-to-date database needs no Alembic."""

MIGRATIONS: Final = Path(__file__).with_name("migrations")
Age = Literal["new", "older", "current"]
"""`new`: there are no tables of ours yet; `older`: the next start brings them up to date."""
UPGRADE_LOCK: Final = 0x6D656E61
"""The PostgreSQL advisory lock under which one service at a time changes the tables."""


def upgrade(connection: Connection) -> None:
    """Create the tables or bring them up to date, in the transaction of `connection`: wholly or not at all.

    Raises `StoreUnavailableError` (`newer`) for a database of a newer version of the service.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
    if age(connection) == "current":
        return

    from alembic import command

    found = _version(connection)
    command.upgrade(alembic_configuration(connection), HEAD)
    log.info("store_upgraded", version=HEAD, was=found)


def age(connection: Connection) -> Age:
    """How the tables stand to those that we know; changes nothing. Raises as `upgrade` does."""
    found = _version(connection)
    if found is None:
        return "new"
    if found == HEAD:
        return "current"

    from alembic.script import ScriptDirectory

    known = {
        step.revision
        for step in ScriptDirectory.from_config(alembic_configuration(connection)).walk_revisions()
    }
    if found not in known:
        log.error("store_is_newer", version=found, known=HEAD)
        raise StoreUnavailableError(Reason.NEWER)
    return "older"


def alembic_configuration(connection: Connection) -> Config:
    """Alembic's configuration for our migrations on `connection`."""
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    return configuration


def _version(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version
