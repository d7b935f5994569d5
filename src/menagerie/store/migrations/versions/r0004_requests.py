"""The name that a client gives to a request, so that asking again asks nothing new."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("turns", sa.Column("request", sa.Text, nullable=False, server_default=""))
    named = sa.text("request <> ''")
    op.create_index(
        "turns_by_request",
        "turns",
        ["owner", "request"],
        unique=True,
        sqlite_where=named,
        postgresql_where=named,
    )


def downgrade() -> None:
    op.drop_index("turns_by_request", "turns")
    op.drop_column("turns", "request")
