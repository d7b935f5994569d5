"""The tables. Order is that of integer keys, never of a clock; times are UTC with microseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    CursorResult,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
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
    Column("trunk", Prose, nullable=False, server_default=""),
    Column("channel", Prose, nullable=False, server_default=""),
    Index("sessions_of_owner", "owner", "last_turn"),
    Index("sessions_of_trunk", "trunk", "last_turn"),
    sqlite_autoincrement=True,
)
"""Conversations and their branches. `length` counts their messages; `last_turn` is the key of the newest turn that
ended, 0 where none has. `trunk` is the id of the first session of the same conversation, `channel` the interface by
which that one was begun."""

messages: Final = Table(
    "messages",
    metadata,
    Column("session", Sequence, ForeignKey("sessions.key", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("turn", Sequence, nullable=False),
    Column("role", Prose, nullable=False),
    Column("content", Prose, nullable=False),
    Column("tokens", Integer),
    Column("calls", Prose),
)
"""What was said, by session and position from 0; the system prompt is the session's. `calls` is JSON: the tool calls of
an answer, or the one that a tool's message answers."""

RUNNING: Final = "turns_running_in_session"
REQUESTED: Final = "turns_by_request"

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
    Column("request", Prose, nullable=False, server_default=""),
    Index(
        RUNNING,
        "session",
        unique=True,
        sqlite_where=text("outcome = 'accepted'"),
        postgresql_where=text("outcome = 'accepted'"),
    ),
    Index("turns_of_session", "session"),
    Index(
        REQUESTED,
        "owner",
        "request",
        unique=True,
        sqlite_where=text("request <> ''"),
        postgresql_where=text("request <> ''"),
    ),
    sqlite_autoincrement=True,
)
"""The record of every turn. It outlives its session, without the words said (`prompt` is emptied, `provenance` loses
its sources). `request` is the name that the client gave to the request; empty where it gave none."""

turn_feedback: Final = Table(
    "turn_feedback",
    metadata,
    Column(
        "turn", Sequence, ForeignKey("turns.key", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("owner", Prose, nullable=False),
    Column("value", Prose, nullable=False),
    Column("comment", Prose, nullable=False),
    Column("at", Instant, nullable=False),
)
"""What the person who asked thinks of an answer: `good` or `bad`, and a few words."""

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

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("key", Sequence, primary_key=True),
    Column("id", Prose, nullable=False, unique=True),
    Column("hash", Prose, nullable=False, unique=True),
    Column("name", Prose, nullable=False),
    Column("owner", Prose, nullable=False),
    Column("personas", Prose, nullable=False),
    Column("bypass", Boolean, nullable=False),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("used_at", Instant),
    Column("revoked_at", Instant),
    sqlite_autoincrement=True,
)
"""Keys of programs. `hash` is the SHA-256 of the key, which nobody keeps; `personas` is a JSON array of names, empty
for all; `bypass`: its holder may ask models without a persona's imperative."""

files: Final = Table(
    "files",
    metadata,
    Column("key", Sequence, primary_key=True),
    Column("id", Prose, nullable=False, unique=True),
    Column("owner", Prose, nullable=False),
    Column("filename", Prose, nullable=False),
    Column("purpose", Prose, nullable=False),
    Column("sha256", Prose, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Index("files_of_owner", "owner", "key"),
    sqlite_autoincrement=True,
)
"""Files of batches; what is in them lies in the data folder, under their id."""

batches: Final = Table(
    "batches",
    metadata,
    Column("key", Sequence, primary_key=True),
    Column("id", Prose, nullable=False, unique=True),
    Column("instance", Sequence, nullable=False),
    Column("owner", Prose, nullable=False),
    Column("address", Prose, nullable=False),
    Column("api_key", Prose, nullable=False),
    Column("language", Prose, nullable=False),
    Column("endpoint", Prose, nullable=False),
    Column("window", Prose, nullable=False),
    Column("input_file", Prose, nullable=False),
    Column("output_file", Prose, nullable=False),
    Column("error_file", Prose, nullable=False),
    Column("status", Prose, nullable=False),
    Column("metadata", Prose, nullable=False),
    Column("errors", Prose, nullable=False),
    Column("total", Integer, nullable=False),
    Column("completed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("in_progress_at", Instant),
    Column("finalizing_at", Instant),
    Column("completed_at", Instant),
    Column("failed_at", Instant),
    Column("expired_at", Instant),
    Column("cancelling_at", Instant),
    Column("cancelled_at", Instant),
    Index("batches_of_owner", "owner", "key"),
    Index("batches_by_status", "status"),
    sqlite_autoincrement=True,
)
"""Batches of requests, in the states of OpenAI's API. `instance` is the service that runs it; `metadata` and `errors`
are JSON, counts are rows."""

OPEN: Final = ("validating", "in_progress", "finalizing", "cancelling")
"""The states of a batch that somebody has to work on."""

fact_collections: Final = Table(
    "fact_collections",
    metadata,
    Column("key", Sequence, primary_key=True),
    Column("name", Prose, nullable=False, unique=True),
    Column("title", Prose, nullable=False),
    Column("owner", Prose, nullable=False),
    Column("readers", Prose, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("change", Sequence, nullable=False),
    Column("removed", Boolean, nullable=False),
    sqlite_autoincrement=True,
)
"""Collections of facts. `readers` is JSON; `change` grows with whatever changes what a search may find; what is
`removed` is there only until it is emptied, under a name that nobody can give."""

fact_folders: Final = Table(
    "fact_folders",
    metadata,
    Column("key", Sequence, primary_key=True),
    Column("collection", Sequence, ForeignKey("fact_collections.key"), nullable=False),
    Column("path", Prose, nullable=False),
    Column("watched", Boolean, nullable=False),
    Column("mark", Prose, nullable=False),
    Column("looked_at", Instant),
    Column("problem", Prose, nullable=False),
    Index("fact_folders_of_collection", "collection", "path", unique=True),
    sqlite_autoincrement=True,
)
"""Folders that collections are filled from. `mark` tells one disk's folder from another's at the same path."""

fact_documents: Final = Table(
    "fact_documents",
    metadata,
    Column("key", Sequence, primary_key=True),
    Column("id", Prose, nullable=False, unique=True),
    Column("collection", Sequence, ForeignKey("fact_collections.key"), nullable=False),
    Column("kind", Prose, nullable=False),
    Column("name", Prose, nullable=False),
    Column("origin", Prose, nullable=False),
    Column("folder", Sequence),
    Column("address", Prose, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column("sha256", Prose, nullable=False),
    Column("etag", Prose, nullable=False),
    Column("title", Prose, nullable=False),
    Column("language", Prose, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("state", Prose, nullable=False),
    Column("code", Prose, nullable=False),
    Column("values", Prose, nullable=False),
    Column("passages", Integer, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("read_at", Instant),
    Column("version", Integer, nullable=False),
    Column("writing", Integer, nullable=False),
    Column("change", Sequence, nullable=False),
    Index("fact_documents_of_collection", "collection", "origin", unique=True),
    sqlite_autoincrement=True,
)
"""Documents of collections. Only their passages of `version` are searched; `writing` is the newest version that anybody
began to write. `change` is that of the collection when what is searched of it changed last."""

fact_passages: Final = Table(
    "fact_passages",
    metadata,
    Column("key", Sequence, primary_key=True),
    Column("document", Sequence, ForeignKey("fact_documents.key"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("text", Prose, nullable=False),
    Column("heading", Prose, nullable=False),
    Column("page", Integer, nullable=False),
    Column("language", Prose, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Index("fact_passages_of_document", "document", "version", "position"),
    sqlite_autoincrement=True,
)
"""Passages, by document and position from 0. `digest` is that of what is embedded of them. Their stems are in
`fact_words`, which is SQLite's FTS5 or a column of PostgreSQL's type tsvector (see `store/facts/words.py`)."""

fact_vectors: Final = Table(
    "fact_vectors",
    metadata,
    Column("passage", Sequence, ForeignKey("fact_passages.key", ondelete="CASCADE"), primary_key=True),
    Column("document", Sequence, nullable=False),
    Column("model", Prose, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("sentences", LargeBinary, nullable=False),
    Index("fact_vectors_of_document", "document"),
)
"""What passages are about: `vector` of length 1, as half-precision floats in little-endian order; `sentences` of any
length, one after the other, as bytes with a sign. `model` tells who made them."""
