"""Collections of facts: their folders, documents and passages, and what passages are found by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)

FTS5 = """
CREATE VIRTUAL TABLE fact_words USING fts5(
    heading, words, tokenize = "unicode61 remove_diacritics 0 tokenchars '.'"
)
"""
VOCABULARY = "CREATE VIRTUAL TABLE fact_stems USING fts5vocab(fact_words, row)"
TSVECTOR = """
CREATE TABLE fact_words (
    passage bigint PRIMARY KEY REFERENCES fact_passages (key) ON DELETE CASCADE,
    heading text NOT NULL,
    words text NOT NULL,
    vector tsvector NOT NULL
)
"""
GIN = "CREATE INDEX fact_words_by_stem ON fact_words USING gin (vector) WITH (fastupdate = off)"


def upgrade() -> None:
    op.create_table(
        "fact_collections",
        sa.Column("key", SEQUENCE, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        *_texts("title", "owner", "readers"),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "fact_folders",
        sa.Column("key", SEQUENCE, primary_key=True),
        sa.Column("collection", SEQUENCE, sa.ForeignKey("fact_collections.key"), nullable=False),
        *_texts("path"),
        sa.Column("watched", sa.Boolean, nullable=False),
        *_texts("mark"),
        sa.Column("looked_at", MOMENT),
        *_texts("problem"),
        sqlite_autoincrement=True,
    )
    op.create_index("fact_folders_of_collection", "fact_folders", ["collection", "path"], unique=True)
    op.create_table(
        "fact_documents",
        sa.Column("key", SEQUENCE, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("collection", SEQUENCE, sa.ForeignKey("fact_collections.key"), nullable=False),
        *_texts("kind", "name", "origin"),
        sa.Column("folder", SEQUENCE),
        *_texts("address"),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("modified_ns", sa.BigInteger, nullable=False),
        *_texts("sha256", "etag", "title", "language"),
        sa.Column("pages", sa.Integer, nullable=False),
        *_texts("state", "code", "values"),
        sa.Column("passages", sa.Integer, nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("read_at", MOMENT),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("writing", sa.Integer, nullable=False),
        sa.Column("change", SEQUENCE, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("fact_documents_of_collection", "fact_documents", ["collection", "origin"], unique=True)
    op.create_table(
        "fact_passages",
        sa.Column("key", SEQUENCE, primary_key=True),
        sa.Column("document", SEQUENCE, sa.ForeignKey("fact_documents.key"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        *_texts("text", "heading"),
        sa.Column("page", sa.Integer, nullable=False),
        *_texts("language"),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("fact_passages_of_document", "fact_passages", ["document", "version", "position"])
    op.create_table(
        "fact_vectors",
        sa.Column(
            "passage", SEQUENCE, sa.ForeignKey("fact_passages.key", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("document", SEQUENCE, nullable=False),
        *_texts("model"),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("sentences", sa.LargeBinary, nullable=False),
    )
    op.create_index("fact_vectors_of_document", "fact_vectors", ["document"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute(FTS5)
        op.execute(VOCABULARY)
    else:
        op.execute(TSVECTOR)
        op.execute(GIN)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE fact_stems")
    op.execute("DROP TABLE fact_words")
    for table in ("fact_vectors", "fact_passages", "fact_documents", "fact_folders", "fact_collections"):
        op.drop_table(table)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]
