"""Forgetting what was said. The record of a turn stays: who, when, with which model, how long; not a word of it."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, delete, select, update

from menagerie.store.tables import messages, sessions, turn_feedback, turns


def forget_conversation(connection: Connection, trunk: str) -> None:
    """Forget a conversation with all its branches: its sessions, what was said, and what was thought of it."""
    keys = connection.execute(_TURNS, {"its_trunk": trunk}).scalars().all()
    for key in keys:
        forget_sources(connection, key)
    connection.execute(_FEEDBACK_OF_ALL, {"its_trunk": trunk})
    connection.execute(_BLANK_ALL, {"its_trunk": trunk})
    connection.execute(_DELETE, {"its_trunk": trunk})


def forget_turn(connection: Connection, turn: int) -> None:
    """Forget what was said in the turn with this key, in all sessions that have it."""
    forget_sources(connection, turn)
    connection.execute(_FEEDBACK, {"turn_key": turn})
    connection.execute(_FORGET, {"turn_key": turn})
    connection.execute(_BLANK, {"turn_key": turn})


def forget_sources(connection: Connection, turn: int) -> None:
    """Take out of a turn's account what it quotes: the passages that it rests on, and where they came from."""
    written: str | None = connection.execute(_PROVENANCE, {"turn_key": turn}).scalar_one()
    if written is None or '"sources"' not in written:
        return
    account: dict[str, Any] = msgspec.json.decode(written)
    for quoting in ("sources", "citations"):
        account.pop(quoting, None)
    connection.execute(_KEEP, {"turn_key": turn, "account": msgspec.json.encode(account).decode()})


_OF_TRUNK: Final = select(sessions.c.id).where(sessions.c.trunk == bindparam("its_trunk"))
_TURNS: Final = select(turns.c.key).where(turns.c.session.in_(_OF_TRUNK), turns.c.provenance.is_not(None))
_BLANK_ALL: Final = update(turns).where(turns.c.session.in_(_OF_TRUNK)).values(prompt="")
_FEEDBACK_OF_ALL: Final = delete(turn_feedback).where(
    turn_feedback.c.turn.in_(select(turns.c.key).where(turns.c.session.in_(_OF_TRUNK)))
)
_DELETE: Final = delete(sessions).where(sessions.c.trunk == bindparam("its_trunk"))
_THIS: Final = turns.c.key == bindparam("turn_key")
_PROVENANCE: Final = select(turns.c.provenance).where(_THIS)
_KEEP: Final = update(turns).where(_THIS).values(provenance=bindparam("account"))
_BLANK: Final = update(turns).where(_THIS).values(prompt="")
_FEEDBACK: Final = delete(turn_feedback).where(turn_feedback.c.turn == bindparam("turn_key"))
_FORGET: Final = delete(messages).where(messages.c.turn == bindparam("turn_key"))
