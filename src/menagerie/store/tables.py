"""The tables. Order is that of integer keys, never of a clock; times are UTC with microseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    CursorResult,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)


class Prose(TypeDecorator[str]):
    """Any text. What a database cannot hold (NUL, unpaired surrogates) becomes U+FFFD or `?`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or value.isalnum():
            return value
        if "\0" in value:
            value = value.replace("\0", "\ufffd")
        if value.isascii():
            return value
        return value.encode("utf-8", "replace").decode("utf-8")


class Instant(TypeDecorator[datetime]):
    """A moment: an aware datetime goes in, one in UTC comes out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def generated_key(result: CursorResult[Any]) -> int:
    """The key that the database gave to the one row just inserted."""
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


Sequence: Final = BigInteger().with_variant(Integer, "sqlite")
metadata: Final = MetaData()

instances: Final = Table(
    "instances",
    metadata,
    Column("key", Sequence, primary_key=True),
    Column("started", Instant, nullable=False),
    sqlite_autoincrement=True,
)
"""The services that have ever opened this database."""

sessions: Final = Table(
    "sessions",
    metadata,
    Column("key", Sequence, primary_key=True),
    Column("id", Prose, nullable=False, unique=True),
    Column("owner", Prose, nullable=False),
    Column("persona", Prose, nullable=False),
    Column("language", Prose, nullable=False),
    Column("system", Prose, nullable=False),
    Column("title", Prose),
    Column("started", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("last_turn", Sequence, nullable=False),
    Column("length", Integer, nullable=False),
    Index("sessions_of_owner", "owner", "last_turn"),
    sqlite_autoincrement=True,
)
"""Conversations. `length` counts their messages; `last_turn` is the key of the newest turn that ended."""

messages: Final = Table(
    "messages",
    metadata,
    Column("session", Sequence, ForeignKey("sessions.key", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("turn", Sequence, nullable=False),
    Column("role", Prose, nullable=False),
    Column("content", Prose, nullable=False),
    Column("tokens", Integer),
)
"""What was said, by session and position from 0; the system prompt is the session's."""

RUNNING: Final = "turns_running_in_session"

turns: Final = Table(
    "turns",
    metadata,
    Column("key", Sequence, primary_key=True),
    Column("id", Prose, nullable=False, unique=True),
    Column("session", Prose, nullable=False),
    Column("instance", Sequence, nullable=False),
    Column("owner", Prose, nullable=False),
    Column("address", Prose, nullable=False),
    Column("channel", Prose, nullable=False),
    Column("persona", Prose, nullable=False),
    Column("language", Prose, nullable=False),
    Column("model", Prose, nullable=False),
    Column("model_sha256", Prose, nullable=False),
    Column("prompt", Prose, nullable=False),
    Column("outcome", Prose, nullable=False),
    Column("code", Prose, nullable=False),
    Column("accepted_at", Instant, nullable=False),
    Column("first_token_at", Instant),
    Column("ended_at", Instant),
    Column("queued_ms", Float),
    Column("first_token_ms", Float),
    Column("total_ms", Float),
    Column("prompt_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("answer_tokens", Integer),
    Column("provenance", Prose),
    Index(
        RUNNING,
        "session",
        unique=True,
        sqlite_where=text("outcome = 'accepted'"),
        postgresql_where=text("outcome = 'accepted'"),
    ),
    Index("turns_of_session", "session"),
    sqlite_autoincrement=True,
)
"""The record of every turn. It outlives its session, without the words said (`prompt` is emptied)."""

events: Final = Table(
    "events",
    metadata,
    Column("key", Sequence, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("severity", Prose, nullable=False),
    Column("subject", Prose, nullable=False),
    Column("event", Prose, nullable=False),
    Column("description", Prose, nullable=False),
    Column("data", Prose, nullable=False),
    Column("session", Prose, nullable=False),
    Column("user", Prose, nullable=False),
    Column("address", Prose, nullable=False),
    sqlite_autoincrement=True,
)
"""One log of everything that happened; `data` is JSON."""
