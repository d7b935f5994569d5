"""What passages are found by, word by word: FTS5 in SQLite, a `tsvector` with a GIN index in PostgreSQL.

A word here is a stem with a mark of its collection and its language before it, so that a question to a small collection
never goes through the postings of a large one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, text

MOST_POSITIONS: Final = 200
"""Of one word in one passage, in PostgreSQL, which knows 256 of them."""


class WordsOf(msgspec.Struct, frozen=True):
    """The words of the passage with this key: those of its title and headings, and those of its text, in order."""

    passage: int
    heading: tuple[str, ...]
    words: tuple[str, ...]


def mark(collection: int, language: str) -> str:
    """What stands before the stems of passages in this language, of this collection."""
    return f"{collection}{language[:1]}"


def insert_words(connection: Connection, found: Iterable[WordsOf]) -> None:
    """Index passages that were just inserted."""
    rows = [
        {"passage": one.passage, "heading": " ".join(one.heading), "words": " ".join(one.words)}
        for one in found
    ]
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(_INSERT_FTS5, rows)
    else:
        vectors = [{**row, "vector": _tsvector(one)} for row, one in zip(rows, found, strict=True)]
        connection.execute(_INSERT_TSVECTOR, vectors)


def delete_words(connection: Connection, passages: Sequence[int]) -> None:
    """Take passages out of the index."""
    if connection.dialect.name == "sqlite":
        connection.execute(_DELETE_FTS5, [{"passage": passage} for passage in passages])
    else:
        connection.execute(_DELETE_TSVECTOR, {"passages": list(passages)})


def merge_words(connection: Connection, *, begin: bool = False) -> bool:
    """A bounded step towards an index in one piece, in which nothing is left of what was deleted; False where there
    was nothing to do. PostgreSQL's vacuum does it."""
    if connection.dialect.name != "sqlite":
        return False
    before = connection.execute(_CHANGES).scalar_one()
    connection.execute(_MERGE, {"pages": -_PAGES if begin else _PAGES})
    return bool(connection.execute(_CHANGES).scalar_one() - before >= _ANY_CHANGES)


def frequencies(connection: Connection, words: Iterable[str], most: int) -> dict[str, int]:
    """How many passages have each of `words`. Beyond `most`, PostgreSQL stops counting."""
    if connection.dialect.name == "sqlite":
        return {word: connection.execute(_DOCS, {"word": word}).scalar() or 0 for word in words}
    return {
        word: connection.execute(_COUNT, {"query": _lexeme(word), "most": most}).scalar_one()
        for word in words
    }


def matching(connection: Connection, weights: Mapping[str, float], most: int) -> list[int]:
    """The keys of at most `most` passages that have any of the words, the best first: those that share most of the
    weight with them. Some may be of documents that are not searched."""
    if not weights:
        return []
    if connection.dialect.name == "sqlite":
        query = " OR ".join(f'"{word}"' for word in weights)
        return list(connection.execute(_MATCH_FTS5, {"query": query, "most": most}).scalars())
    values: dict[str, object] = {"most": most, "query": " | ".join(map(_lexeme, weights))}
    shares: list[str] = []
    for number, (word, weight) in enumerate(weights.items()):
        values[f"word{number}"] = _lexeme(word)
        values[f"weight{number}"] = weight
        shares.append(
            f"CASE WHEN vector @@ CAST(CAST(:word{number} AS text) AS tsquery)"
            f" THEN CAST(:weight{number} AS float8) ELSE 0 END"
        )
    query = _MATCH_TSVECTOR.format(shares=" + ".join(shares))
    return list(connection.execute(text(query), values).scalars())


def words_of_passages(connection: Connection, passages: Sequence[int]) -> dict[int, WordsOf]:
    """The words of passages by their keys."""
    if connection.dialect.name == "sqlite":
        rows = list(connection.execute(_GET_FTS5, {"passages": list(passages)}))
    else:
        rows = list(connection.execute(_GET_TSVECTOR, {"passages": list(passages)}))
    return {
        key: WordsOf(key, tuple(heading.split(" ")), tuple(words.split(" "))) for key, heading, words in rows
    }


def _tsvector(found: WordsOf) -> str:
    """As PostgreSQL writes them, without its parser, which would take words apart in its own way."""
    places: dict[str, list[str]] = {}
    for place, word in enumerate(found.heading, 1):
        places.setdefault(word, []).append(f"{place}A")
    for place, word in enumerate(found.words, 1 + len(found.heading)):
        places.setdefault(word, []).append(f"{min(place, 16_383)}")
    return " ".join(f"{_lexeme(word)}:{','.join(where[:MOST_POSITIONS])}" for word, where in places.items())


def _lexeme(word: str) -> str:
    quoted = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}'"


_PAGES: Final = 64
_ANY_CHANGES: Final = 2
_INSERT_FTS5: Final = text(
    "INSERT INTO fact_words (rowid, heading, words) VALUES (:passage, :heading, :words)"
)
_DELETE_FTS5: Final = text("DELETE FROM fact_words WHERE rowid = :passage")
_GET_FTS5: Final = text("SELECT rowid, heading, words FROM fact_words WHERE rowid IN :passages").bindparams(
    bindparam("passages", expanding=True)
)
_MATCH_FTS5: Final = text(
    "SELECT rowid FROM fact_words WHERE fact_words MATCH :query ORDER BY bm25(fact_words, 1.5, 1.0) LIMIT :most"
)
_DOCS: Final = text("SELECT doc FROM fact_stems WHERE term = :word")
_MERGE: Final = text("INSERT INTO fact_words (fact_words, rank) VALUES ('merge', :pages)")
_CHANGES: Final = text("SELECT total_changes()")
_INSERT_TSVECTOR: Final = text(
    "INSERT INTO fact_words (passage, heading, words, vector)"
    " VALUES (:passage, :heading, :words, CAST(CAST(:vector AS text) AS tsvector))"
)
_DELETE_TSVECTOR: Final = text("DELETE FROM fact_words WHERE passage = ANY(CAST(:passages AS bigint[]))")
_GET_TSVECTOR: Final = text(
    "SELECT passage, heading, words FROM fact_words WHERE passage = ANY(CAST(:passages AS bigint[]))"
)
_COUNT: Final = text(
    "SELECT count(*) FROM (SELECT 1 FROM fact_words WHERE vector @@ CAST(CAST(:query AS text) AS tsquery)"
    " LIMIT CAST(:most AS bigint)) AS found"
)
_MATCH_TSVECTOR: Final = (
    "SELECT passage FROM fact_words WHERE vector @@ CAST(CAST(:query AS text) AS tsquery)"
    " ORDER BY {shares} DESC, ts_rank(vector, CAST(CAST(:query AS text) AS tsquery), 1) DESC LIMIT :most"
)
