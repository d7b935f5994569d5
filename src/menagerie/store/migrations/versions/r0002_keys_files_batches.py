"""API keys, files, batches, and what a message calls or answers to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key", SEQUENCE, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("personas", sa.Text, nullable=False),
        sa.Column("bypass", sa.Boolean, nullable=False),
        sa.Column("requests_per_minute", sa.Integer),
        sa.Column("tokens_per_minute", sa.Integer),
        sa.Column("created_at", MOMENT, nullable=False),
        *(sa.Column(name, MOMENT) for name in ("expires_at", "used_at", "revoked_at")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "files",
        sa.Column("key", SEQUENCE, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("owner", "filename", "purpose", "sha256")),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sqlite_autoincrement=True,
    )
    op.create_index("files_of_owner", "files", ["owner", "key"])
    op.create_table(
        "batches",
        sa.Column("key", SEQUENCE, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("instance", SEQUENCE, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in (
                "owner",
                "address",
                "api_key",
                "language",
                "endpoint",
                "window",
                "input_file",
                "output_file",
                "error_file",
                "status",
                "metadata",
                "errors",
            )
        ),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("total", "completed", "failed")),
        sa.Column("created_at", MOMENT, nullable=False),
        *(
            sa.Column(f"{name}_at", MOMENT)
            for name in (
                "expires",
                "in_progress",
                "finalizing",
                "completed",
                "failed",
                "expired",
                "cancelling",
                "cancelled",
            )
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("batches_of_owner", "batches", ["owner", "key"])
    op.create_index("batches_by_status", "batches", ["status"])
    op.add_column("messages", sa.Column("calls", sa.Text))


def downgrade() -> None:
    with op.batch_alter_table("messages") as messages:
        messages.drop_column("calls")
    for table in ("batches", "files", "api_keys"):
        op.drop_table(table)
