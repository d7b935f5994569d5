"""Conversations of several branches, and what people think of answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)

TRUNKS = """
UPDATE sessions SET trunk = id, channel = coalesce(
    (SELECT turns.channel FROM turns WHERE turns.session = sessions.id ORDER BY turns.key LIMIT 1), ''
)
"""


def upgrade() -> None:
    # SQLite would make the table anew to add a column without a default, and all messages would go with the old one.
    for name in ("trunk", "channel"):
        op.add_column("sessions", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.execute(TRUNKS)
    op.create_index("sessions_of_trunk", "sessions", ["trunk", "last_turn"])
    op.create_table(
        "turn_feedback",
        sa.Column(
            "turn",
            SEQUENCE,
            sa.ForeignKey("turns.key", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("owner", "value", "comment")),
        sa.Column("at", MOMENT, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("turn_feedback")
    op.drop_index("sessions_of_trunk", "sessions")
    for name in ("channel", "trunk"):
        op.drop_column("sessions", name)
