"""Sessions with their messages, turns, events, and the services that write them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "instances",
        sa.Column("key", SEQUENCE, primary_key=True),
        sa.Column("started", MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sessions",
        sa.Column("key", SEQUENCE, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("persona", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("title", sa.Text),
        sa.Column("started", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("last_turn", SEQUENCE, nullable=False),
        sa.Column("length", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("sessions_of_owner", "sessions", ["owner", "last_turn"])
    op.create_table(
        "messages",
        sa.Column("session", SEQUENCE, sa.ForeignKey("sessions.key", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("turn", SEQUENCE, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("tokens", sa.Integer),
    )
    op.create_table(
        "turns",
        sa.Column("key", SEQUENCE, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("instance", SEQUENCE, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("owner", "address", "channel", "persona", "language", "model", "model_sha256")
        ),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("accepted_at", MOMENT, nullable=False),
        sa.Column("first_token_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        *(sa.Column(name, sa.Float) for name in ("queued_ms", "first_token_ms", "total_ms")),
        *(sa.Column(name, sa.Integer) for name in ("prompt_tokens", "cached_tokens", "answer_tokens")),
        sa.Column("provenance", sa.Text),
        sqlite_autoincrement=True,
    )
    running = sa.text("outcome = 'accepted'")
    op.create_index(
        "turns_running_in_session",
        "turns",
        ["session"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )
    op.create_index("turns_of_session", "turns", ["session"])
    op.create_table(
        "events",
        sa.Column("key", SEQUENCE, primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in (
                "severity",
                "subject",
                "event",
                "description",
                "data",
                "session",
                "user",
                "address",
            )
        ),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    for table in ("events", "turns", "messages", "sessions", "instances"):
        op.drop_table(table)
