"""A turn: a prompt and its answer, from `Accepted` to exactly one `Done` or `Failed`. Every interface encodes this.

The order is the transaction: the turn is recorded as accepted before anything is computed, and its end commits
session and record together before anybody is told of it. Whoever closes the generator cancels the work down to the
engine; what was answered so far is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import structlog

from menagerie.conversation.asking import answer_of, fitted_to
from menagerie.conversation.branching import going_on
from menagerie.conversation.material import Material, citing_of
from menagerie.conversation.prompt import system_prompt
from menagerie.conversation.running import RunningTurn, TurnRequest
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import Accepted, AnyEvent, Called, Done, Failed, Notice, Queued, Token
from menagerie.core.provenance import Provenance
from menagerie.engines.chat import Chunk
from menagerie.engines.lease import Lease
from menagerie.engines.residency import Engines
from menagerie.grounding.grounder import Grounder
from menagerie.grounding.stuffing import Stuffings
from menagerie.locales import Language, text
from menagerie.models.wish import DEFAULT_MODEL
from menagerie.personas.persona import Persona
from menagerie.personas.resolve import Resolution, Resolver
from menagerie.settings import Settings
from menagerie.store.database import Store
from menagerie.store.turns import Outcome, TurnEnd, TurnStart

log = structlog.get_logger("menagerie.turns")

_TOLD_EVERY_S: Final = 5.0
"""A waiting turn hears of its place at least this often …"""
_TOLD_AGAIN_S: Final = 0.5
"""… and at most that often."""


class Turns:
    """Runs turns. One for the whole service."""

    def __init__(
        self,
        settings: Settings,
        resolver: Resolver,
        engines: Engines,
        store: Store,
        grounder: Grounder,
        stuffings: Stuffings,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._settings = settings
        self._resolver = resolver
        self._engines = engines
        self._store = store
        self._material = Material(grounder, resolver, engines)
        self._stuffings = stuffings
        zone = ZoneInfo(settings.timezone)
        self._clock = asyncio.get_running_loop().time
        self._now = now or functools.partial(datetime.now, zone)
        self._ending: dict[str, asyncio.Task[Provenance]] = {}
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False

    @property
    def running(self) -> int:
        """Turns that have been accepted and not ended."""
        return self._running

    async def run(self, request: TurnRequest) -> AsyncGenerator[AnyEvent, None]:
        """The events of one turn. Never raises for a failure: that is its last event."""
        turn = RunningTurn(request, self._now(), asyncio.get_running_loop().time())
        self._running += 1
        self._idle.clear()
        ended = False
        try:
            for event in await self._begin(turn):
                yield event
            for stage in (self._grounded, self._answered):
                async with contextlib.aclosing(stage(turn)) as steps:
                    async for event in steps:
                        yield event
            conclusion = await self._conclude(turn)
            ended = True
            for event in conclusion:
                yield event
        except MenagerieError as failure:
            ended = True
            yield await self._failed(turn, failure)
        except Exception:
            log.exception("turn.broke", turn=turn.id)
            ended = True
            yield await self._failed(turn, MenagerieError(ErrorCode.INTERNAL))
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
            request.charge(turn.spent_tokens)
            if not ended:
                self._end_in_background(turn, "cancelled", ErrorCode.TURN_CANCELLED)

    async def drain(self, grace_s: float) -> None:
        """Take no new turns, tell those who wait, and let those that generate end, within `grace_s` seconds."""
        self._stopping = True
        self._engines.refuse_who_waits()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._idle.wait()

    async def ended(self, turn: str) -> None:
        """Wait until the end of a turn that was cancelled is stored."""
        if task := self._ending.get(turn):
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """Wait until the ends of all turns are stored."""
        while self._ending:
            await asyncio.gather(*self._ending.values(), return_exceptions=True)

    async def _begin(self, turn: RunningTurn) -> list[AnyEvent]:
        """Check, resolve, and record the turn as accepted: what is to be told of that."""
        request = turn.request
        if self._stopping:
            raise MenagerieError(ErrorCode.STOPPING, retry_after=5.0)
        turn.persona = persona = await self._resolver.persona(request.persona)
        beside = request.last is not None or request.address or request.pictures
        if not request.prompt.strip() and not beside:
            raise MenagerieError(ErrorCode.PROMPT_EMPTY)
        turn.resolution = resolution = await self._resolver.resolve(persona)
        shown = request.pictures or any(one.images for one in (*request.history, turn.user))
        if shown and not resolution.sees:
            raise MenagerieError(ErrorCode.IMAGE_UNSUPPORTED, model=resolution.facts.name)
        await self._material.look(turn)
        if not request.prompt.strip() and request.address:
            turn.ask(text("prompt.address_alone", request.language))
        self._material.check(turn)
        if request.after is not None:
            turn.go_on_in(await going_on(self._store.sessions, request))
            request = turn.request
        if not request.bypass and not request.raw:
            turn.stuffing = await self._stuffings.text(persona, request.language, resolution.window)
            configured = persona.stuffing(request.language) is not None
            read = bool(turn.stuffing.text or turn.stuffing.passages)
            turn.stuffing_missing = configured and not read and request.session is None
        await self._accept(turn, persona, resolution)
        events: list[AnyEvent] = [Accepted(turn.id, turn.session, persona.name, turn.branch_of)]
        if resolution.wanted:
            wanted, model = resolution.wanted, resolution.facts.name
            events.append(_notice("notice.model_substituted", request.language, wanted=wanted, model=model))
        if request.language == "fr" and resolution.facts.source == DEFAULT_MODEL.label:
            events.append(_notice("notice.model_mainly_english", request.language))
        return events

    async def _grounded(self, turn: RunningTurn) -> AsyncGenerator[AnyEvent, None]:
        """Find what the answer is to rest on. A strict persona that finds nothing ends the turn with that."""
        until = turn.clock + self._settings.turn_timeout
        async with contextlib.aclosing(self._material.ground(turn)) as steps:
            while True:
                try:
                    async with asyncio.timeout_at(until):
                        event = await anext(steps)
                except StopAsyncIteration:
                    break
                except TimeoutError as late:
                    raise MenagerieError(ErrorCode.TURN_TIMEOUT) from late
                yield event
        turn.grounding_ms = self._elapsed_ms(turn)
        if turn.refusal:
            turn.answer.append(turn.refusal)
            turn.finish = "stop"
            yield Token(turn.refusal)

    async def _answered(self, turn: RunningTurn) -> AsyncGenerator[AnyEvent, None]:
        """The answer, up to its end; begun again once, where the engine was lost before anything was told."""
        while not turn.finish:
            try:
                async with contextlib.AsyncExitStack() as held:
                    async with contextlib.aclosing(self._admitted(turn, held)) as steps:
                        async for event in steps:
                            yield event
                    async for chunk in turn.chunks:
                        for event in self._take(turn, chunk):
                            yield event
                    turn.check_ended()
                    for event in turn.closing():
                        yield event
            except MenagerieError as failure:
                turn.note_failure(failure)

    async def _conclude(self, turn: RunningTurn) -> list[AnyEvent]:
        """Store the end of a complete answer: what is to be told of that."""
        provenance = await self._finish(turn, "done", "")
        done = Done(turn.id, turn.session, provenance)
        if turn.finish == "length" and turn.request.compiled is None:
            return [_notice("notice.answer_cut", turn.request.language), done]
        return [done]

    async def _accept(self, turn: RunningTurn, persona: Persona, resolution: Resolution) -> None:
        request = turn.request
        system = ""
        if request.session is None and not request.bypass and not request.raw:
            imperative = persona.text("imperative", request.language)
            name = request.user.names[0] if persona.tell_user and request.user.names else ""
            system = system_prompt(
                imperative,
                turn.stuffing.text,
                turn.started,
                request.language,
                name,
                is_fetched=bool(turn.stuffing.address),
            )
        turn.conversation = await self._store.turns.accept(
            TurnStart(
                turn=turn.id,
                session=request.session,
                user=request.user,
                persona=persona.name,
                channel=request.channel,
                language=request.language,
                prompt=request.prompt,
                at=turn.started,
                system=system,
                model=resolution.facts.name,
                kept=request.kept,
                request=request.request,
            )
        )

    async def _admitted(
        self, turn: RunningTurn, held: contextlib.AsyncExitStack
    ) -> AsyncGenerator[AnyEvent, None]:
        """From the engine to the front of its queue. What the turn then holds is in `held`, and `turn.chunks` is the
        answer to come."""
        assert turn.resolution is not None
        resolution, language = turn.resolution, turn.request.language
        if self._engines.state(resolution.target) != "ready":
            yield _notice("notice.model_loading", language)
        lease = self._engines.enter(
            resolution.target, turn.request.user.share, self._most_tokens(turn), batch=turn.request.batch
        )
        held.callback(lease.release)
        async with contextlib.aclosing(self._waiting(turn, lease)) as waiting:
            async for event in waiting:
                yield event
        engine = lease.engine
        found = turn.grounded
        fitted = await fitted_to(turn, engine, resolution.window, self._answer_tokens(turn))
        if turn.grounded is not found:
            count = sum(len(passage.text) for passage in turn.grounded.passages)
            yield _notice("notice.source_cut", language, count=count)
        lease.adjust(fitted.tokens + fitted.answer_tokens)
        if fitted.dropped and not turn.dropped:
            yield _notice("notice.history_dropped", language, count=fitted.dropped)
        turn.dropped, turn.sent_tokens = fitted.dropped, fitted.tokens
        turn.citing = citing_of(turn)
        chunks = answer_of(turn, engine, fitted, turn.clock + self._settings.turn_timeout)
        turn.chunks = await held.enter_async_context(contextlib.aclosing(chunks))

    async def _waiting(self, turn: RunningTurn, lease: Lease) -> AsyncGenerator[Queued, None]:
        """Tell of the place in the queue, until the turn may generate."""
        while not lease.granted:
            yield Queued(lease.position, round(lease.expected_s, 1))
            told = self._clock()
            moved = await lease.moved(_TOLD_EVERY_S)
            while moved and not lease.granted and (soon := told + _TOLD_AGAIN_S - self._clock()) > 0:
                await lease.moved(soon)
            if self._clock() - turn.clock > self._settings.turn_timeout:
                raise MenagerieError(ErrorCode.TURN_TIMEOUT)
        turn.queued_ms = self._elapsed_ms(turn)

    def _most_tokens(self, turn: RunningTurn) -> int:
        """The most that a turn can need of its engine's pool, before anything is counted: no token is less than a
        byte, and no conversation more than its window."""
        assert turn.conversation is not None
        assert turn.resolution is not None
        request, window = turn.request, turn.resolution.window
        if request.compiled is not None or request.tools is not None:
            return window
        known = sum(
            len(message.content.encode("utf-8", "replace")) + 16 if message.tokens is None else message.tokens
            for message in (*turn.conversation.messages, *request.history)
        )
        material = [one.text for one in request.given] + [one.text for one in turn.grounded.passages]
        asked = sum(len(one) + 100 for one in material) + len(turn.user.content) + len(request.instructions)
        return min(window, known + 4 * asked + 256 + self._answer_tokens(turn))

    def _answer_tokens(self, turn: RunningTurn) -> int:
        return turn.request.sampling.max_tokens or self._settings.answer_tokens

    def _take(self, turn: RunningTurn, chunk: Chunk) -> Sequence[AnyEvent]:
        if chunk.finish:
            turn.finish, turn.usage = chunk.finish, chunk.usage or turn.usage
        if not turn.first_token_ms and (chunk.text or chunk.calls):
            turn.first_token_ms = self._elapsed_ms(turn)
        if chunk.text:
            return turn.tell(chunk.text, chunk.logprobs)
        turn.calls += chunk.calls
        return [Called(call.id, call.name, call.arguments) for call in chunk.calls]

    async def _failed(self, turn: RunningTurn, failure: MenagerieError) -> Failed:
        if turn.conversation is not None:
            try:
                await self._finish(turn, "failed", failure.code.value)
            except MenagerieError as lost:
                log.warning("turn.end_not_stored", turn=turn.id, failure=str(lost))
        language = turn.request.language
        return Failed(
            code=failure.code.value,
            message=failure.message(language),
            turn=turn.id if turn.conversation else "",
            session=turn.session,
            retry_after=failure.retry_after,
        )

    def _end_in_background(self, turn: RunningTurn, outcome: Outcome, code: ErrorCode) -> None:
        if turn.conversation is None:
            return
        task = asyncio.create_task(self._finish(turn, outcome, code.value))
        self._ending[turn.id] = task
        task.add_done_callback(functools.partial(self._ending_done, turn.id))

    def _ending_done(self, turn: str, task: asyncio.Task[Provenance]) -> None:
        self._ending.pop(turn, None)
        if not task.cancelled() and task.exception():
            log.error("turn.end_not_stored", turn=turn, failure=repr(task.exception()))

    async def _finish(self, turn: RunningTurn, outcome: Outcome, code: str) -> Provenance:
        provenance = self._provenance(turn, outcome)
        await self._store.turns.finish(
            turn.id,
            TurnEnd(
                outcome=outcome,
                user=turn.measured_user,
                at=self._now(),
                code=code,
                answer=turn.answered,
                before=turn.request.history,
                provenance=msgspec.json.encode(provenance),
                timings=provenance.timings,
            ),
        )
        return provenance

    def _provenance(self, turn: RunningTurn, outcome: Outcome) -> Provenance:
        assert turn.resolution is not None
        model = self._resolver.with_hash(turn.resolution)
        return turn.provenance(model, outcome, self._elapsed_ms(turn))

    def _elapsed_ms(self, turn: RunningTurn) -> float:
        return (self._clock() - turn.clock) * 1000


def _notice(key: str, language: Language, **values: object) -> Notice:
    return Notice(key.removeprefix("notice."), text(key, language, **values))
