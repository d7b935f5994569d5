"""What is kept about each turn."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, and_, bindparam, literal_column, or_, select

from menagerie.core.events import Outcome
from menagerie.core.identity import User
from menagerie.store.tables import turns


class TurnRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept about a turn: who, when, with what, how long, how it ended. Times are UTC."""

    key: int
    id: str
    session: str
    owner: str
    address: str
    channel: str
    persona: str
    language: str
    model: str
    model_sha256: str
    prompt: str
    outcome: Literal["accepted"] | Outcome
    code: str
    accepted_at: datetime
    first_token_at: datetime | None
    ended_at: datetime | None
    queued_ms: float | None
    first_token_ms: float | None
    total_ms: float | None
    prompt_tokens: int | None
    cached_tokens: int | None
    answer_tokens: int | None
    provenance: str | None
    request: str


def record_of(connection: Connection, turn: str) -> TurnRecord | None:
    """The record of a turn, by its id."""
    row = connection.execute(_BY_ID, {"turn_id": turn}).mappings().one_or_none()
    return None if row is None else TurnRecord(**row)


def record_named(connection: Connection, name: str, user: User) -> TurnRecord | None:
    """The record of a turn of `user`'s, by its id or by the name of its request."""
    wanted = {"name": name, "owners": list(user.names or (user.id,))}
    row = connection.execute(_FIND, wanted).mappings().one_or_none()
    return None if row is None or not user.may_use(row["persona"]) else TurnRecord(**row)


_ALL: Final = select(*(column for column in turns.c if column.name != "instance"))
_BY_ID: Final = _ALL.where(turns.c.id == bindparam("turn_id"))
_FIND: Final = (
    _ALL.where(
        turns.c.owner.in_(bindparam("owners", expanding=True)),
        or_(
            turns.c.id == bindparam("name"),
            and_(turns.c.request == bindparam("name"), turns.c.request != literal_column("''")),
        ),
    )
    .order_by(turns.c.key)
    .limit(1)
)
