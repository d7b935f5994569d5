"""Turns that go on while their client is away, and are taken up again where it lost them.

What holds, whatever clients do:

- A named request of an owner is one turn: asked again, at once or after a restart, it is followed instead.
- A turn runs in a task of its own and waits for no follower. Each follower gets every event that it has not seen once,
  in order, up to the last one.
- A turn is cancelled when somebody who follows it wants that, when nobody has followed it for `away_s` seconds, when
  its share of the service has too many that nobody follows, and when the service closes. Its followers are told after
  its end is stored.
- Events are kept once for all followers: those of running turns, which their length bounds, and of turns that ended
  not long ago, within a time, a number and a size. After that the store tells how a turn ended.
- A turn that was refused before it was recorded is forgotten at its end: asked again, it runs.
- A turn is known to its owner only.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Final, Protocol

import msgspec
import structlog

from menagerie.conversation.live_turn import LiveTurn
from menagerie.conversation.running import TurnRequest
from menagerie.core.errors import ErrorCode, MenagerieError, remembered
from menagerie.core.events import Accepted, AnyEvent, Ended, Failed, Outcome
from menagerie.core.identity import User
from menagerie.core.provenance import Provenance
from menagerie.locales import Language
from menagerie.store.database import Store
from menagerie.store.turn_records import TurnRecord

log = structlog.get_logger("menagerie.live")

_HELD_S: Final = 60.0
_HELD_BYTES: Final = 32 * 1024 * 1024
_HELD_TURNS: Final = 1_000
_MOST_AWAY: Final = 4
"""Turns of one share that go on without anybody; of more, the one that was left first ends. Enough for tabs whose
connection broke, and too few to hold every slot of an engine against those who wait for an answer."""
_LOOKS_AGAIN_S: Final = 1.0
"""Seconds between two looks at a turn that another service runs."""
_FAREWELL_S: Final = 1.0
"""Seconds that the ends of turns may take to reach their followers, when the service closes."""


class Running(Protocol):
    """What runs turns. See `conversation.turn.Turns`."""

    def run(self, request: TurnRequest) -> AsyncGenerator[AnyEvent, None]:
        """The events of one turn."""
        ...

    async def ended(self, turn: str) -> None:
        """Wait until the end of a turn that was cancelled is stored."""
        ...


class LiveTurns:
    """The turns of named requests. One for the whole service."""

    def __init__(self, turns: Running, store: Store, away_s: float) -> None:
        self._turns = turns
        self._store = store
        self._away_s = away_s
        self._by_request: dict[tuple[str, str], LiveTurn] = {}
        self._by_turn: dict[str, LiveTurn] = {}
        self._held: dict[LiveTurn, asyncio.TimerHandle] = {}
        self._held_bytes = 0
        self._away: dict[LiveTurn, asyncio.TimerHandle] = {}
        self._followed: set[LiveTurn] = set()
        self._nobody_follows = asyncio.Event()
        self._nobody_follows.set()
        self._keeping: set[asyncio.Task[None]] = set()
        self._closed = False

    def ask(self, request: TurnRequest) -> LiveTurn:
        """The turn of a named request: the one that there is, else a new one, which begins now. Never waits, so that of
        two who ask at once, the second finds the turn of the first. Raises `service.stopping`."""
        if known := self._named(request.request, request.user):
            return known
        if self._closed:
            raise MenagerieError(ErrorCode.STOPPING, retry_after=5.0)
        live = LiveTurn(request, self._changed)
        self._by_request[live.owner, live.request] = live
        live.work = asyncio.create_task(self._run(live, request), name="live-turn")
        keeping = asyncio.create_task(self._keep(live), name="live-turn-end")
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)
        self._left(live)
        return live

    def find(self, name: str, user: User) -> LiveTurn | None:
        """The turn of `user`'s with this id, or of the request of this name, as long as its events are held."""
        live = self._by_turn.get(name)
        return live if live is not None and user.owns(live.owner) else self._named(name, user)

    async def ended(self, name: str, user: User, language: Language) -> Ended:
        """How a turn of `user`'s ended, by its id or the name of its request, as it is stored; waits for the end of
        one that another service runs. Raises `turn.unknown`."""
        while (record := await self._store.turns.find(name, user)) is not None:
            if record.outcome != "accepted":
                return await self._told(record, record.outcome, user, language)
            await asyncio.sleep(_LOOKS_AGAIN_S)
        raise MenagerieError(ErrorCode.TURN_UNKNOWN)

    def forget(self, conversation: str) -> None:
        """Let go of what is held of a conversation that was deleted, and end what runs in it."""
        for live in [one for one in self._by_turn.values() if one.conversation == conversation]:
            if live.over:
                self._forget(live)
            else:
                self._end(live)

    async def close(self) -> None:
        """End what runs, and wait until that is stored and, for a moment, until who follows has been told."""
        self._closed = True
        for live in [*self._by_request.values()]:
            self._end(live)
        while self._keeping:
            await asyncio.gather(*self._keeping, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                await self._nobody_follows.wait()
        for live in [*self._held]:
            self._forget(live)

    def _named(self, name: str, user: User) -> LiveTurn | None:
        for owner in user.names or (user.id,):
            live = self._by_request.get((owner, name))
            if live is not None and not live.refused:
                return live
        return None

    async def _run(self, live: LiveTurn, request: TurnRequest) -> None:
        """All the events of a turn, or the last of one that the store knows by the name of its request."""
        try:
            known = await self._store.turns.find(request.request, request.user) is not None
            if not known:
                async with contextlib.aclosing(self._turns.run(request)) as events:
                    async for event in events:
                        if isinstance(event, Failed) and event.code == ErrorCode.TURN_KNOWN:
                            known = True  # another service was faster
                            break
                        live.add(event)
                        if isinstance(event, Accepted):
                            self._by_turn[event.turn] = live
            if known:
                ended = await self.ended(request.request, request.user, request.language)
                live.turn, live.conversation = ended.turn, ended.conversation
                live.session = ended.session
                live.add(ended)
        except MenagerieError as failure:
            live.add(_failed(live, failure))

    async def _keep(self, live: LiveTurn) -> None:
        """See to it that a turn ends for those who follow it, however its work ends, and that it is held for a time."""
        work = live.work
        assert work is not None
        await asyncio.wait({work})
        if not live.over:
            code = ErrorCode.TURN_CANCELLED if work.cancelled() else ErrorCode.INTERNAL
            await self._turns.ended(live.turn)
            live.add(_failed(live, MenagerieError(code)))
        if not work.cancelled() and (broke := work.exception()):
            log.error("live_turn.broke", turn=live.turn, failure=repr(broke))
        self._came(live)
        self._hold(live)

    def _changed(self, live: LiveTurn) -> None:
        """Somebody came to follow a turn, or left it."""
        if live.followers:
            self._followed.add(live)
            self._nobody_follows.clear()
            self._came(live)
            return
        self._followed.discard(live)
        if not self._followed:
            self._nobody_follows.set()
        if not live.over:
            self._left(live)

    def _came(self, live: LiveTurn) -> None:
        if timer := self._away.pop(live, None):
            timer.cancel()

    def _left(self, live: LiveTurn) -> None:
        """Nobody follows a turn that runs: it goes on for a while."""
        self._away[live] = _later(self._away_s, self._end, live)
        same = [one for one in self._away if one.share == live.share]
        if len(same) > _MOST_AWAY:
            self._end(same[0])

    def _end(self, live: LiveTurn) -> None:
        self._came(live)
        live.cancel()

    def _hold(self, live: LiveTurn) -> None:
        """Keep the events of a turn that is over, for those who lost it at its end."""
        if live.refused:
            self._forget(live)
            return
        self._held[live] = _later(_HELD_S, self._forget, live)
        self._held_bytes += live.size
        while self._held_bytes > _HELD_BYTES or len(self._held) > _HELD_TURNS:
            self._forget(next(iter(self._held)))

    def _forget(self, live: LiveTurn) -> None:
        if timer := self._held.pop(live, None):
            timer.cancel()
            self._held_bytes -= live.size
        if self._by_request.get((live.owner, live.request)) is live:
            del self._by_request[live.owner, live.request]
        if self._by_turn.get(live.turn) is live:
            del self._by_turn[live.turn]

    async def _told(self, record: TurnRecord, outcome: Outcome, user: User, language: Language) -> Ended:
        try:
            trunk = await self._store.sessions.trunk(record.session, user)
            answer = await self._store.sessions.answer(record.id, user)
        except MenagerieError as failure:
            if failure.code is not ErrorCode.SESSION_UNKNOWN:
                raise
            raise MenagerieError(ErrorCode.TURN_UNKNOWN) from failure  # what was said in it was deleted
        provenance = record.provenance
        return Ended(
            turn=record.id,
            session=record.session,
            conversation=trunk,
            outcome=outcome,
            code=record.code,
            message=remembered(record.code, language),
            answer=answer.content if answer else "",
            provenance=msgspec.json.decode(provenance, type=Provenance) if provenance else None,
        )


def _later(seconds: float, work: Callable[[LiveTurn], None], live: LiveTurn) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(seconds, work, live)


def _failed(live: LiveTurn, failure: MenagerieError) -> Failed:
    return Failed(
        code=failure.code.value,
        message=failure.message(live.language),
        turn=live.turn,
        session=live.session,
        retry_after=failure.retry_after,
    )
