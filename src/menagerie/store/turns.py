"""Turns: recorded before anything is computed, and ended together with what they add to their session."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import Any, Final, TypeVar
from uuid import uuid4

import msgspec
import structlog
from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, func, insert, update
from sqlalchemy.exc import IntegrityError

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import Outcome
from menagerie.core.identity import User
from menagerie.core.messages import Message
from menagerie.core.provenance import Provenance, Timings
from menagerie.store.connections import Database
from menagerie.store.failures import StoreUnavailableError
from menagerie.store.forgetting import forget_sources
from menagerie.store.log import Log, Row, Severity, insert_events, row
from menagerie.store.sessions import Conversation, conversation, message_row, opening, owned
from menagerie.store.tables import REQUESTED, RUNNING, generated_key, messages, sessions, turns
from menagerie.store.turn_records import TurnRecord, record_named, record_of

__all__ = ["Conversation", "Outcome", "TurnEnd", "TurnRecord", "TurnStart", "Turns"]

LONGEST_REFUSED: Final = 2_000
"""Characters that are kept of a prompt too long for its model: nobody can go on from it."""
T = TypeVar("T")
log = structlog.get_logger(__name__)


class TurnStart(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a turn when it begins. `session` None starts one, with `system` as its system prompt; if that
    is not `kept`, the turn leaves no session and no prompt, only its record. `request` is the name that the client
    gave to it."""

    turn: str
    session: str | None
    user: User
    persona: str
    channel: str
    language: str
    prompt: str
    at: datetime
    system: str
    model: str = ""
    kept: bool = True
    request: str = ""


class TurnEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a turn ended. With an `answer`, whole or a part, `before`, `user` and `answer` join the conversation.

    `provenance` is a `Provenance` as JSON; the record's model and tokens are taken from it.
    """

    outcome: Outcome
    user: Message
    at: datetime
    code: str = ""
    answer: Message | None = None
    before: tuple[Message, ...] = ()
    provenance: bytes | None = None
    timings: Timings = Timings()


class Turns:
    """The turns of a store, as one service (`instance`) runs them."""

    def __init__(self, database: Database, events: Log, instance: int) -> None:
        self._database = database
        self._events = events
        self._instance = instance
        self._tasks: set[asyncio.Task[Any]] = set()
        self._unwritten: dict[str, TurnEnd] = {}

    async def accept(self, start: TurnStart) -> Conversation:
        """Record a turn and give the conversation that it continues or begins.

        Raises `session.unknown`, `session.busy` (a turn is running in that session), `turn.known` (there is a turn of
        that request) or `store.unavailable`.
        Whoever gets a conversation must `finish` the turn. A caller cancelled in here need not: a turn that
        was recorded all the same is ended as cancelled.
        """
        await self._write_what_is_owed()
        attempt = self._start(self._database.write(partial(_accept, start=start, instance=self._instance)))
        try:
            found = await asyncio.shield(attempt)
        except asyncio.CancelledError:
            attempt.add_done_callback(lambda done: self._abandoned(start, done))
            raise
        except StoreUnavailableError:
            # The connection may have died after the commit and before its confirmation.
            self._owe(start.turn, _failed(start))
            raise
        self._events.write(
            "turn_accepted",
            subject=start.persona,
            data={"turn": start.turn, "channel": start.channel},
            session=found.session,
            user=start.user.id,
            address=start.user.address,
            at=start.at,
        )
        return found

    async def finish(self, turn: str, end: TurnEnd) -> None:
        """Record how a turn ended, together with what it adds to its session. A turn already ended stays as
        it is.

        Completes even if the caller is cancelled. Raises `store.unavailable`; the turn is then closed as
        failed, without its answer, as soon as the store can write again.
        """
        await asyncio.shield(self._start(self._finish(turn, end)))

    async def close_interrupted(self) -> int:
        """End as interrupted what services that are no longer alive had accepted. Gives the number of turns."""
        ended_at = datetime.now(UTC)
        dead = turns.c.instance.not_in(self._database.living())
        async with self._events.writing() as lines:
            ended = await self._database.write(partial(_interrupt, dead=dead, at=ended_at, lines=lines))
        if ended:
            log.warning("turns_interrupted", count=ended)
        return ended

    async def get(self, turn: str) -> TurnRecord | None:
        """The record of a turn."""
        return await self._database.read(partial(record_of, turn=turn))

    async def find(self, name: str, user: User) -> TurnRecord | None:
        """The record of a turn of `user`'s, by its id or by the name of its request."""
        return await self._database.read(partial(record_named, name=name, user=user))

    async def close(self) -> None:
        """Wait for what is still being written, and try once more what could not be."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._write_what_is_owed()
        except StoreUnavailableError:
            log.error("turns_left_open", count=len(self._unwritten))  # noqa: TRY400 - logged where it arose

    async def _finish(self, turn: str, end: TurnEnd) -> None:
        try:
            async with self._events.writing() as lines:
                closed = await self._database.write(partial(_finish, turn=turn, end=end, lines=lines))
        except Exception:
            self._owe(turn, _unstored(end))
            raise
        if not closed:
            log.info("turn_had_ended", turn=turn, outcome=end.outcome)

    def _owe(self, turn: str, end: TurnEnd) -> None:
        self._unwritten.setdefault(turn, end)

    async def _write_what_is_owed(self) -> None:
        while self._unwritten:
            turn, end = self._unwritten.popitem()
            await self.finish(turn, end)

    def _start(self, writing: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(writing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _abandoned(self, start: TurnStart, attempt: asyncio.Task[Conversation]) -> None:
        if attempt.cancelled() or isinstance(attempt.exception(), MenagerieError):
            return
        end = TurnEnd(
            outcome="cancelled",
            code=ErrorCode.TURN_CANCELLED,
            user=Message("user", start.prompt),
            at=datetime.now(UTC),
        )
        closing = self._start(self._finish(start.turn, end))
        closing.add_done_callback(lambda done: done.cancelled() or done.exception())


def _accept(connection: Connection, *, start: TurnStart, instance: int) -> Conversation:
    found = None if start.session is None else owned(connection, start.session, start.user)
    session = f"urn:uuid:{uuid4()}" if found is None else found["id"]
    recorded = {
        "id": start.turn,
        "session": session,
        "instance": instance,
        "owner": start.user.id,
        "address": start.user.address,
        "channel": start.channel,
        "persona": start.persona,
        "language": start.language,
        "model": start.model,
        "model_sha256": "",
        "prompt": start.prompt if start.kept else "",
        "outcome": "accepted",
        "code": "",
        "accepted_at": start.at,
        "request": start.request,
    }
    try:
        result = connection.execute(_INSERT_TURN, recorded)
    except IntegrityError as failure:
        # SQLite names the columns of the index, PostgreSQL the index.
        if "turns.session" in str(failure.orig) or RUNNING in str(failure.orig):
            raise MenagerieError(ErrorCode.SESSION_BUSY) from failure
        if "turns.request" in str(failure.orig) or REQUESTED in str(failure.orig):
            raise MenagerieError(ErrorCode.TURN_KNOWN) from failure
        raise
    if found is not None:
        return conversation(connection, found)
    begun = {
        "id": session,
        "owner": start.user.id,
        "persona": start.persona,
        "language": start.language,
        "system": start.system,
        "started": start.at,
        "last_at": start.at,
        "last_turn": generated_key(result),
        "length": 0,
        "trunk": session,
        "channel": start.channel,
    }
    if start.kept:
        connection.execute(_INSERT_SESSION, begun)
    return Conversation(
        session=session,
        trunk=session,
        persona=start.persona,
        messages=opening(start.system),
        started=start.at,
        last_at=start.at,
    )


def _finish(connection: Connection, *, turn: str, end: TurnEnd, lines: list[Row]) -> bool:
    """Whether the turn was still open."""
    ended = connection.execute(_END_TURN, {"turn_id": turn, **_account(end)}).mappings().one_or_none()
    if ended is not None and end.code == ErrorCode.PROMPT_TOO_LONG and end.answer is None:
        connection.execute(_SHORTEN, {"turn_key": ended["key"]})
    if ended is not None:
        lines = [*lines, _line(ended, end.outcome, end.code, end.timings, end.at)]
        said = () if end.answer is None else (*end.before, end.user, end.answer)
        grown = {"session_id": ended["session"], "at": end.at, "turn_key": ended["key"], "more": len(said)}
        session = connection.execute(_GROW_SESSION, grown).one_or_none()
        if session is None:
            forget_sources(connection, ended["key"])
        elif said:
            key, length = session
            connection.execute(
                _INSERT_MESSAGE,
                [
                    {
                        "session": key,
                        "position": length - len(said) + number,
                        "turn": ended["key"],
                        **message_row(message),
                    }
                    for number, message in enumerate(said)
                ],
            )
    if lines:
        insert_events(connection, lines)
    return ended is not None


def _interrupt(connection: Connection, *, dead: ColumnElement[bool], at: datetime, lines: list[Row]) -> int:
    """How many turns of dead services were still open."""
    code = ErrorCode.TURN_INTERRUPTED
    closing = (
        update(turns)
        .where(turns.c.outcome == "accepted", dead)
        .values(outcome="interrupted", code=code.value, ended_at=at)
        .returning(*_ENDED)
    )
    ended = sorted(connection.execute(closing).mappings(), key=itemgetter("key"))
    lines = [*lines, *(_line(found, "interrupted", code, None, at) for found in ended)]
    if lines:
        insert_events(connection, lines)
    return len(ended)


def _account(end: TurnEnd) -> dict[str, object]:
    """The columns that the end of a turn fills in."""
    timings = end.timings
    started = end.at - timedelta(milliseconds=timings.total_ms)
    columns: dict[str, object] = {
        "outcome": end.outcome,
        "code": end.code,
        "ended_at": end.at,
        "queued_ms": timings.queued_ms,
        "total_ms": timings.total_ms,
        "first_token_ms": timings.first_token_ms or None,
        "first_token_at": (
            started + timedelta(milliseconds=timings.first_token_ms) if timings.first_token_ms else None
        ),
    }
    if end.provenance is not None:
        facts = msgspec.json.decode(end.provenance, type=Provenance)
        columns |= {
            "provenance": end.provenance.decode(),
            "model": facts.model.name,
            "model_sha256": facts.model.sha256,
            "prompt_tokens": facts.prompt_tokens,
            "cached_tokens": facts.cached_tokens,
            "answer_tokens": facts.answer_tokens,
        }
    return columns


def _line(ended: RowMapping, outcome: Outcome, code: str, timings: Timings | None, at: datetime) -> Row:
    severity: Severity = "info" if outcome in ("done", "cancelled") else "warning"
    return row(
        f"turn_{outcome}",
        severity=severity,
        subject=ended["persona"],
        description=code,
        data={"turn": ended["id"]} | ({} if timings is None else {"timings": timings}),
        session=ended["session"],
        user=ended["owner"],
        address=ended["address"],
        at=at,
    )


def _failed(start: TurnStart) -> TurnEnd:
    return TurnEnd(
        outcome="failed",
        code=ErrorCode.STORE_UNAVAILABLE,
        user=Message("user", start.prompt),
        at=datetime.now(UTC),
    )


def _unstored(end: TurnEnd) -> TurnEnd:
    """What remains of an end whose answer was never stored, and whose reader was told so."""
    return msgspec.structs.replace(
        end, outcome="failed", code=ErrorCode.STORE_UNAVAILABLE, answer=None, provenance=None
    )


_INSERT_TURN: Final = insert(turns)
_INSERT_SESSION: Final = insert(sessions)
_INSERT_MESSAGE: Final = insert(messages)
_ENDED: Final = (turns.c.key, turns.c.id, turns.c.session, turns.c.persona, turns.c.owner, turns.c.address)
_END_TURN: Final = (
    update(turns).where(turns.c.id == bindparam("turn_id"), turns.c.outcome == "accepted").returning(*_ENDED)
)
_SHORTEN: Final = (
    update(turns)
    .where(turns.c.key == bindparam("turn_key"), func.length(turns.c.prompt) > LONGEST_REFUSED)
    .values(prompt=func.substr(turns.c.prompt, 1, LONGEST_REFUSED) + "…")
)
_GROW_SESSION: Final = (
    update(sessions)
    .where(sessions.c.id == bindparam("session_id"))
    .values(
        last_at=bindparam("at"),
        last_turn=bindparam("turn_key"),
        length=sessions.c.length + bindparam("more"),
    )
    .returning(sessions.c.key, sessions.c.length)
)
