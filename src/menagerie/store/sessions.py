"""Sessions: conversations that belong to whoever began them, and can be taken up again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, select

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.core.messages import Message, ToolCall
from menagerie.store import branching
from menagerie.store.connections import Database
from menagerie.store.forgetting import forget_conversation, forget_turn
from menagerie.store.tables import messages, sessions, turns


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A session as a turn finds it: the system prompt first, then its history, without the new prompt."""

    session: str
    trunk: str
    """The first session of all that branched from one."""
    persona: str
    messages: tuple[Message, ...]
    started: datetime
    last_at: datetime


class SessionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A session in a list. `length` counts the messages said."""

    session: str
    persona: str
    language: str
    title: str | None
    started: datetime
    last_at: datetime
    length: int


class Sessions:
    """The sessions of a store. A session of somebody else behaves as if it did not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, session: str, user: User) -> Conversation:
        """The session with all that was said in it. Raises `session.unknown`."""

        def work(connection: Connection) -> Conversation:
            return conversation(connection, owned(connection, session, user))

        return await self._database.read(work)

    async def list(self, owner: User, limit: int = 100) -> tuple[SessionSummary, ...]:
        """At most `limit` sessions of `owner`, the one last active first.

        Nobody in particular has no list: whoever knows the id of an anonymous session may go on with it, and
        the ids must not be told to everybody.
        """
        if not owner.names:
            return ()
        rows = await self._database.read(
            lambda connection: (
                connection.execute(_LIST, {"names": list(owner.names), "limit": limit}).mappings().all()
            )
        )
        return tuple(SessionSummary(**row) for row in rows if owner.may_use(row["persona"]))

    async def answer(self, turn: str, user: User) -> Message | None:
        """What was answered in `turn`; None where nothing was. Raises `session.unknown` as `after`."""

        def work(connection: Connection) -> Message | None:
            ended = _ended(connection, turn, user)
            owned(connection, ended["session"], user)
            found = connection.execute(_ANSWER, {"turn_key": ended["key"]}).one_or_none()
            return None if found is None else _message(*found)

        return await self._database.read(work)

    async def forget(self, turn: str, user: User) -> None:
        """Forget what was said in `turn`, also where a branch has a copy of it; the record of it stays, without its
        prompt. Raises `session.unknown` as `after`."""

        def work(connection: Connection) -> None:
            ended = _ended(connection, turn, user)
            owned(connection, ended["session"], user)
            forget_turn(connection, ended["key"])

        await self._database.erase(work)

    async def until(self, turn: str, user: User) -> Conversation:
        """What had been said once `turn` was over, to be read alone. Raises `session.unknown` as `after`."""

        def work(connection: Connection) -> Conversation:
            ended = _ended(connection, turn, user)
            found = owned(connection, ended["session"], user)
            keys = {"session_key": found["key"], "turn_key": ended["key"]}
            return _conversation(found, connection.execute(_HISTORY_UNTIL, keys).all())

        return await self._database.read(work)

    async def after(self, turn: str, user: User) -> str:
        """The session in which to go on after `turn`: the turn's own, if it is the last thing there, else a new one
        with all that was said up to it. Raises `session.unknown` where there is none of `user`'s with that turn."""
        return await self._database.write(lambda connection: _after(connection, turn, user))

    async def trunk(self, session: str, user: User) -> str:
        """The id of the conversation that a session belongs to. Raises `session.unknown`."""
        return await self._database.read(lambda connection: str(owned(connection, session, user)["trunk"]))

    async def branch(self, session: str, after: str, user: User) -> str:
        """The session in which to go on after the turn `after` of the conversation that `session` belongs to; after
        `""`, from its very beginning. It is one that nothing else follows in, and where nothing runs; else a new one,
        with all that was said up to there. Of a turn that added nothing to the conversation, that is what was said
        before it.

        Raises `session.unknown`, also for a turn of another conversation and for one that is running.
        """

        def work(connection: Connection) -> str:
            found = owned(connection, session, user)
            if not after:
                return branching.from_the_beginning(connection, found)
            ended = _ended(connection, after, user)
            own = owned(connection, ended["session"], user)
            if own["trunk"] != found["trunk"]:
                raise MenagerieError(ErrorCode.SESSION_UNKNOWN)
            return branching.going_on(connection, own, ended["key"])

        return await self._database.write(work)

    async def delete(self, session: str, user: User) -> None:
        """Forget all that was said in the conversation of a session, in all its branches; the records of its turns
        stay, without their prompts and sources.

        Raises `session.unknown`. A turn that is running in it ends without being added to anything.
        """

        def work(connection: Connection) -> None:
            forget_conversation(connection, owned(connection, session, user)["trunk"])

        await self._database.erase(work)


def owned(connection: Connection, session: str, user: User) -> RowMapping:
    """The row of a session that belongs to `user`. Raises `session.unknown`, whether it is somebody else's, with a
    persona that does not exist for them, or there is none."""
    found = connection.execute(_GET, {"session_id": session}).mappings().one_or_none()
    if found is None or not user.owns(found["owner"]) or not user.may_use(found["persona"]):
        raise MenagerieError(ErrorCode.SESSION_UNKNOWN)
    return found


def conversation(connection: Connection, session: RowMapping) -> Conversation:
    """The conversation of a session's row."""
    return _conversation(session, connection.execute(_HISTORY, {"session_key": session["key"]}).all())


def _conversation(session: RowMapping, said: Iterable[Any]) -> Conversation:
    return Conversation(
        session=session["id"],
        trunk=session["trunk"],
        persona=session["persona"],
        messages=(*opening(session["system"]), *(_message(*row) for row in said)),
        started=session["started"],
        last_at=session["last_at"],
    )


def opening(system: str) -> tuple[Message, ...]:
    """How a conversation begins, in the mind of the model."""
    return (Message("system", system),) if system else ()


class _Calls(msgspec.Struct, omit_defaults=True):
    calls: tuple[ToolCall, ...] = ()
    answers: str = ""


def message_row(message: Message) -> dict[str, Any]:
    """The columns of a message. Pictures are not kept."""
    calls = _Calls(message.calls, message.answers)
    return {
        "role": message.role,
        "content": message.content,
        "tokens": message.tokens,
        "calls": msgspec.json.encode(calls).decode() if message.calls or message.answers else None,
    }


def _message(role: Any, content: str, tokens: int | None, calls: str | None) -> Message:
    if calls is None:
        return Message(role, content, tokens)
    known = msgspec.json.decode(calls, type=_Calls)
    return Message(role, content, tokens, known.calls, known.answers)


def _ended(connection: Connection, turn: str, user: User) -> RowMapping:
    """The row of a turn of `user`'s that is over. Raises `session.unknown`."""
    ended = connection.execute(_TURN, {"turn_id": turn}).mappings().one_or_none()
    if ended is None or not user.owns(ended["owner"]):
        raise MenagerieError(ErrorCode.SESSION_UNKNOWN)
    return ended


def _after(connection: Connection, turn: str, user: User) -> str:
    ended = _ended(connection, turn, user)
    found = owned(connection, ended["session"], user)
    if found["last_turn"] == ended["key"]:
        return str(found["id"])
    return branching.copied(connection, found, ended["key"])


_GET: Final = select(sessions).where(sessions.c.id == bindparam("session_id"))

_TURN: Final = select(turns.c.key, turns.c.session, turns.c.owner).where(
    turns.c.id == bindparam("turn_id"), turns.c.outcome != "accepted"
)

_HISTORY: Final = (
    select(messages.c.role, messages.c.content, messages.c.tokens, messages.c.calls)
    .where(messages.c.session == bindparam("session_key"))
    .order_by(messages.c.position)
)

_LIST: Final = (
    select(
        sessions.c.id.label("session"),
        sessions.c.persona,
        sessions.c.language,
        sessions.c.title,
        sessions.c.started,
        sessions.c.last_at,
        sessions.c.length,
    )
    .where(sessions.c.owner.in_(bindparam("names", expanding=True)))
    .order_by(sessions.c.last_turn.desc(), sessions.c.key.desc())
    .limit(bindparam("limit"))
)

_ANSWER: Final = (
    select(messages.c.role, messages.c.content, messages.c.tokens, messages.c.calls)
    .where(messages.c.turn == bindparam("turn_key"), messages.c.role == "assistant")
    .order_by(messages.c.session, messages.c.position.desc())
    .limit(1)
)
_HISTORY_UNTIL: Final = _HISTORY.where(messages.c.turn <= bindparam("turn_key"))
