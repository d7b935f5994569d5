"""The list of conversations, each by its branch last active, in pages."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, distinct, exists, func, or_, select

from menagerie.core.identity import User
from menagerie.store.tables import messages, sessions, turns

LONGEST_BEGINNING: Final = 80
"""Characters of a first prompt by which a conversation without a name is called."""
_READ: Final = 1000
_MARKS: Final = re.compile(
    "[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\u3164\ufeff\U000e0000-\U000e007f]+"
)
"""Characters that are not seen, or turn the direction of what stands beside them. Joiners are none: words of Persian
and pictures of people need them."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations a list is to have: those with all of `words`, with this persona, begun by one of these
    interfaces; what is empty does not matter."""

    words: str = ""
    persona: str = ""
    channels: tuple[str, ...] = ()


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in a list. `title` is the name that it was `named`, else the beginning of its first prompt;
    `turns` counts those of all branches that were answered. `newest` and `newest_turn` are key and id of the turn last
    ended in it."""

    id: str
    persona: str
    title: str
    named: bool
    language: str
    started: datetime
    last_at: datetime
    turns: int
    newest: int
    newest_turn: str


def listed(
    connection: Connection, *, user: User, wanted: Wanted, before: int | None, limit: int
) -> list[Summary]:
    """The conversations of `user` whose newest turn has a key below `before`, the newest first."""
    query = _LIST.where(sessions.c.owner.in_(user.names)).limit(limit)
    if before is not None:
        query = query.where(sessions.c.last_turn < before)
    if wanted.channels:
        query = query.where(sessions.c.channel.in_(wanted.channels))
    if wanted.persona:
        query = query.where(sessions.c.persona == unicodedata.normalize("NFC", wanted.persona))
    if user.personas:
        query = query.where(sessions.c.persona.in_(user.personas))
    return _summaries(connection, query)


def one_summary(connection: Connection, trunk: str) -> Summary:
    """One conversation as a list has it."""
    (summary,) = _summaries(connection, _LIST.where(sessions.c.trunk == trunk))
    return summary


def on_one_line(words: str) -> str:
    """Text as a title may have it: on one line, without what is invisible and changes what stands beside it."""
    clean = "".join(
        " " if unicodedata.category(one) in {"Cc", "Zl", "Zp"} else one for one in _MARKS.sub("", words)
    )
    return " ".join(clean.split())


def _summaries(connection: Connection, query: Select[Any]) -> list[Summary]:
    return [
        Summary(
            id=row["trunk"],
            persona=row["persona"],
            title=row["title"] or _beginning(row["prompt"] or ""),
            named=bool(row["title"]),
            language=row["language"],
            started=row["started"],
            last_at=row["last_at"],
            turns=row["turns"],
            newest=row["last_turn"],
            newest_turn=row["newest_turn"] or "",
        )
        for row in connection.execute(query).mappings()
    ]


def _beginning(prompt: str) -> str:
    """The first words of a prompt, whole ones where that is possible."""
    line = on_one_line(prompt)
    if len(line) <= LONGEST_BEGINNING:
        return line
    cut = line[:LONGEST_BEGINNING]
    whole = cut.rpartition(" ")[0]
    return f"{(whole if len(whole) * 2 > LONGEST_BEGINNING else cut[:-1]).rstrip()}…"


_LATER: Final = sessions.alias("later")
_BRANCH: Final = sessions.alias("branch")
_FIRST: Final = sessions.alias("first")
_IS_NEWEST: Final = ~exists().where(
    _LATER.c.trunk == sessions.c.trunk,
    or_(
        _LATER.c.last_turn > sessions.c.last_turn,
        (_LATER.c.last_turn == sessions.c.last_turn) & (_LATER.c.key > sessions.c.key),
    ),
)
_PROMPT: Final = (
    select(func.substr(turns.c.prompt, 1, _READ))
    .select_from(turns.join(_BRANCH, _BRANCH.c.id == turns.c.session))
    .where(_BRANCH.c.trunk == sessions.c.trunk, turns.c.prompt != "")
    .order_by(turns.c.key)
    .limit(1)
    .correlate(sessions)
    .scalar_subquery()
)
_COUNT: Final = (
    select(func.count(distinct(messages.c.turn)))
    .select_from(messages.join(_BRANCH, _BRANCH.c.key == messages.c.session))
    .where(_BRANCH.c.trunk == sessions.c.trunk)
    .correlate(sessions)
    .scalar_subquery()
)
_NEWEST: Final = select(turns.c.id).where(turns.c.key == sessions.c.last_turn).scalar_subquery()
_LIST: Final = (
    select(
        *(sessions.c[name] for name in ("trunk", "persona", "title", "language", "last_at", "last_turn")),
        _FIRST.c.started,
        _PROMPT.label("prompt"),
        _COUNT.label("turns"),
        _NEWEST.label("newest_turn"),
    )
    .select_from(sessions.join(_FIRST, _FIRST.c.id == sessions.c.trunk))
    .where(_IS_NEWEST)
    .order_by(sessions.c.last_turn.desc())
)
