"""Branches: sessions of one conversation, which share what was said before they part."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, Integer, RowMapping, bindparam, cast, exists, func, insert, literal, select

from menagerie.store.tables import Sequence, generated_key, messages, sessions, turns

NOTHING_SAID: Final = 0
"""The key of no turn: a session with this as its last one is still empty."""


def going_on(connection: Connection, session: RowMapping, turn: int) -> str:
    """The id of a session in which all that was said in `session` up to the turn with the key `turn` is the last thing
    said, and where no turn is running; made, if there is none."""
    until = {"session_key": session["key"], "turn_key": turn}
    last = connection.execute(_LAST_SAID, until).scalar_one()
    if last is None:
        return from_the_beginning(connection, session)
    return _idle(connection, session, last) or copied(connection, session, last)


def from_the_beginning(connection: Connection, session: RowMapping) -> str:
    """The id of a session of the same conversation in which nothing was said and no turn is running; made, if there is
    none."""
    return _idle(connection, session, NOTHING_SAID) or copied(connection, session, NOTHING_SAID)


def copied(connection: Connection, session: RowMapping, turn: int) -> str:
    """The id of a new session with all that was said in `session` up to the turn with the key `turn`."""
    until = {"session_key": session["key"], "turn_key": turn}
    said = connection.execute(_SAID_UNTIL, until).scalar_one()
    now, copy = datetime.now(UTC), f"urn:uuid:{uuid4()}"
    row = {name: session[name] for name in _KEPT}
    row |= {"id": copy, "started": now, "last_at": now, "last_turn": turn, "length": said}
    key = generated_key(connection.execute(insert(sessions), row))
    connection.execute(_COPY, {**until, "copy_key": key})
    return copy


def _idle(connection: Connection, session: RowMapping, last: int) -> str | None:
    """The conversation's newest session whose last said turn is `last`; `session` itself rather than another one."""
    values = {"its_trunk": session["trunk"], "its_last": last, "its_key": session["key"]}
    found: str | None = connection.execute(_IDLE, values).scalar()
    return found


_KEPT: Final = ("persona", "language", "system", "title", "owner", "trunk", "channel")
_EARLIER: Final = (
    messages.c.session == bindparam("session_key"),
    messages.c.turn <= bindparam("turn_key"),
)
_SAID_UNTIL: Final = select(func.count()).select_from(messages).where(*_EARLIER)
_LAST_SAID: Final = select(func.max(messages.c.turn)).where(*_EARLIER)
_COPIED: Final = ("position", "turn", "role", "content", "tokens", "calls")
_COPY: Final = insert(messages).from_select(
    ["session", *_COPIED],
    select(bindparam("copy_key", type_=Sequence), *(messages.c[name] for name in _COPIED)).where(*_EARLIER),
)
_LAST: Final = (
    select(func.coalesce(func.max(messages.c.turn), literal(NOTHING_SAID)))
    .where(messages.c.session == sessions.c.key)
    .scalar_subquery()
)
_RUNNING: Final = exists().where(turns.c.session == sessions.c.id, turns.c.outcome == "accepted")
_IDLE: Final = (
    select(sessions.c.id)
    .where(
        sessions.c.trunk == bindparam("its_trunk"), bindparam("its_last", type_=Sequence) == _LAST, ~_RUNNING
    )
    .order_by(cast(sessions.c.key == bindparam("its_key"), Integer).desc(), sessions.c.key.desc())
    .limit(1)
)
