"""Conversations as people see them: a list of them, and each with all its branches as one tree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal
from weakref import WeakValueDictionary

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.store.connections import Database
from menagerie.store.forgetting import forget_conversation
from menagerie.store.listing import Summary, Wanted, listed, one_summary
from menagerie.store.log import Log
from menagerie.store.searching import Search
from menagerie.store.sessions import owned
from menagerie.store.tables import messages, sessions, turn_feedback, turns
from menagerie.store.turns import Outcome

__all__ = ["Conversations", "Feedback", "Page", "Summary", "ToldTurn", "Tree", "Wanted"]

AT_ONCE: Final = 20
"""Conversations that a search looks through together."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a list, the conversation last active first. `after`: where the next part begins; None at the end."""

    conversations: tuple[Summary, ...]
    after: str | None = None


class Feedback(msgspec.Struct, frozen=True):
    """What the person who asked thinks of an answer."""

    value: Literal["good", "bad"]
    comment: str = ""


class ToldTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn of a conversation. `parent` is the id of the turn that it follows, `session` that of a session which
    contains it; `prompt` is what the person wrote; `provenance` is JSON."""

    id: str
    parent: str | None
    session: str
    prompt: str
    language: str
    outcome: Literal["accepted"] | Outcome
    code: str
    accepted_at: datetime
    answer: str
    provenance: str | None
    feedback: Feedback | None


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation with all its branches: turns in order of time, each with its parent."""

    about: Summary
    turns: tuple[ToldTurn, ...]

    @property
    def leaf(self) -> str | None:
        """The id of the newest turn."""
        return self.turns[-1].id if self.turns else None

    @property
    def running(self) -> str | None:
        """The id of the newest turn that is still running."""
        return next((turn.id for turn in reversed(self.turns) if turn.outcome == "accepted"), None)

    def branch(self, leaf: str | None = None) -> tuple[ToldTurn, ...]:
        """The turns from the beginning to `leaf`, or to the newest one. Raises `session.unknown` where there is no
        such turn."""
        known = {turn.id: turn for turn in self.turns}
        at = self.leaf if leaf is None else leaf
        path: list[ToldTurn] = []
        while at is not None:
            if at not in known:
                raise MenagerieError(ErrorCode.SESSION_UNKNOWN)
            path.append(known[at])
            at = known[at].parent
        return tuple(reversed(path))


class Conversations:
    """The conversations of a store. Each is named by the id of any of its sessions; one of somebody else behaves as if
    it did not exist."""

    def __init__(self, database: Database, log: Log) -> None:
        self._database = database
        self._log = log
        self._searching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def list(self, user: User, wanted: Wanted, *, limit: int = 50, before: str = "") -> Page:
        """At most `limit` conversations of `user`, from where an earlier page ended. A search looks through so much
        and no more, and then ends its page early; of one person's searches, one runs at a time.

        Nobody in particular has no list. Raises `session.unknown` for a `before` that is none of theirs.
        """
        if not user.names:
            return Page(conversations=())
        at = await self._database.read(lambda connection: _cursor(connection, before, user))
        search = Search(self._database, wanted.words)
        if not search.words:
            return await self._listed(user, wanted, at, limit, search)
        async with self._searching.setdefault(user.share, asyncio.Lock()):
            return await self._listed(user, wanted, at, limit, search)

    async def get(self, session: str, user: User) -> Tree:
        """A conversation with all that was said in it. Raises `session.unknown`."""
        return await self._database.read(
            lambda connection: _tree(connection, owned(connection, session, user))
        )

    async def rename(self, session: str, title: str, user: User) -> Summary:
        """Give a conversation a name; with none it is called by its beginning. Raises `session.unknown`."""

        def work(connection: Connection) -> Summary:
            trunk = owned(connection, session, user)["trunk"]
            connection.execute(_RENAME, {"its_trunk": trunk, "new_title": title or None})
            return one_summary(connection, trunk)

        return await self._database.write(work)

    async def delete(self, session: str, user: User) -> str:
        """As `Sessions.delete`: the id of the conversation that was forgotten. Raises `session.unknown`."""

        def work(connection: Connection) -> str:
            trunk = str(owned(connection, session, user)["trunk"])
            forget_conversation(connection, trunk)
            return trunk

        return await self._database.erase(work)

    async def rate(self, session: str, turn: str, feedback: Feedback | None, user: User) -> None:
        """Keep what `user` thinks of an answer; None takes it back. Raises `session.unknown`, also for a turn of
        another conversation and for one that is running."""

        def work(connection: Connection) -> str:
            found = owned(connection, session, user)
            known = {"its_trunk": found["trunk"], "turn_id": turn}
            key = connection.execute(_RATED, known).scalar()
            if key is None:
                raise MenagerieError(ErrorCode.SESSION_UNKNOWN)
            connection.execute(_TAKE_BACK, {"turn_key": key})
            if feedback is not None:
                given = {"turn": key, "owner": user.id, "value": feedback.value, "comment": feedback.comment}
                connection.execute(insert(turn_feedback), {**given, "at": datetime.now(UTC)})
            return str(found["persona"])

        persona = await self._database.write(work)
        self._log.write(
            "turn_feedback",
            subject=persona,
            data={"turn": turn, "value": feedback.value if feedback else ""},
            session=session,
            user=user.id,
            address=user.address,
        )

    async def _listed(self, user: User, wanted: Wanted, at: int | None, limit: int, search: Search) -> Page:
        found: list[Summary] = []
        while True:
            count = min(limit - len(found), AT_ONCE) if search.words else limit - len(found)
            part = await self._database.read(
                partial(listed, user=user, wanted=wanted, before=at, limit=count + 1)
            )
            has_more, part = len(part) > count, part[:count]
            found += await search.matching(part)
            if not has_more:
                return Page(conversations=tuple(found))
            at = part[-1].newest
            if len(found) >= limit or search.is_spent:
                return Page(conversations=tuple(found), after=part[-1].newest_turn)


def _cursor(connection: Connection, before: str, user: User) -> int | None:
    if not before:
        return None
    found = connection.execute(_CURSOR, {"turn_id": before}).one_or_none()
    if found is None or not user.owns(found[1]):
        raise MenagerieError(ErrorCode.SESSION_UNKNOWN)
    return int(found[0])


def _tree(connection: Connection, session: RowMapping) -> Tree:
    trunk = {"its_trunk": session["trunk"]}
    rows = connection.execute(_TURNS, trunk).mappings().all()
    answers = {turn: content for turn, content in connection.execute(_ANSWERS, trunk)}  # noqa: C416 - rows are no pairs to a type checker
    parents = _parents(connection.execute(_SAID, trunk).all(), rows)
    ids = {row["key"]: row["id"] for row in rows}
    told = [row for row in rows if row["key"] in parents]
    return Tree(
        about=one_summary(connection, session["trunk"]),
        turns=tuple(_told(row, ids.get(parents[row["key"]]), answers.get(row["key"], "")) for row in told),
    )


def _parents(said: Iterable[tuple[str, int]], rows: Sequence[RowMapping]) -> dict[int, int]:
    """By the keys of the turns that are told, the key of the turn that each follows, 0 for none. `said` are the turns
    of each session that added something to it, in order. One that did not is told where it is its session's newest."""
    parents: dict[int, int] = {}
    last: dict[str, int] = {}
    before: dict[str, list[int]] = {}
    for session, turn in said:
        parents.setdefault(turn, last.get(session, 0))
        last[session] = turn
        before.setdefault(session, []).append(turn)
    newest = {row["session"]: row["key"] for row in rows}
    for row in rows:
        session, key = row["session"], row["key"]
        if key not in parents and row["prompt"] and newest[session] == key:
            parents[key] = max((one for one in before.get(session, ()) if one < key), default=0)
    return parents


def _told(row: RowMapping, parent: str | None, answer: str) -> ToldTurn:
    kept = ("id", "session", "prompt", "language", "outcome", "code", "accepted_at", "provenance")
    feedback = Feedback(row["value"], row["comment"]) if row["value"] else None
    return ToldTurn(parent=parent, answer=answer, feedback=feedback, **{name: row[name] for name in kept})


_OF_TRUNK: Final = sessions.c.trunk == bindparam("its_trunk")
_TURNS: Final = (
    select(
        *(turns.c[name] for name in ("key", "id", "session", "prompt", "language", "outcome", "code")),
        turns.c.accepted_at,
        turns.c.provenance,
        turn_feedback.c.value,
        turn_feedback.c.comment,
    )
    .select_from(turns.join(sessions, sessions.c.id == turns.c.session).outerjoin(turn_feedback))
    .where(_OF_TRUNK)
    .order_by(turns.c.key)
)
_SAID: Final = (
    select(sessions.c.id, messages.c.turn)
    .select_from(messages.join(sessions))
    .where(_OF_TRUNK)
    .group_by(sessions.c.id, messages.c.turn)
    .order_by(sessions.c.id, func.min(messages.c.position))
)
_ANSWERS: Final = (
    select(messages.c.turn, messages.c.content)
    .select_from(
        messages.join(sessions).join(
            turns, (turns.c.key == messages.c.turn) & (turns.c.session == sessions.c.id)
        )
    )
    .where(_OF_TRUNK, messages.c.role == "assistant")
    .order_by(messages.c.turn, messages.c.position)
)
_RATED: Final = (
    select(turns.c.key)
    .select_from(turns.join(sessions, sessions.c.id == turns.c.session))
    .where(_OF_TRUNK, turns.c.id == bindparam("turn_id"), turns.c.outcome != "accepted")
)
_CURSOR: Final = select(turns.c.key, turns.c.owner).where(turns.c.id == bindparam("turn_id"))
_RENAME: Final = update(sessions).where(_OF_TRUNK).values(title=bindparam("new_title"))
_TAKE_BACK: Final = delete(turn_feedback).where(turn_feedback.c.turn == bindparam("turn_key"))
