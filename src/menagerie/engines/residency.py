"""Which engines run, and who may use them now: carries out what the policy decides, and tells it what happens."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.actions import Action, End, Grant, NotLetIn, Refuse, Start
from menagerie.engines.engine import Limits, LocalEngine, RunningEngine
from menagerie.engines.lease import Lease
from menagerie.engines.measurements import Measurements
from menagerie.engines.overview import EngineState, Observer, Overview, Reason
from menagerie.engines.place import Form
from menagerie.engines.plan import MIB, Local, Machine
from menagerie.engines.policy import Scheduler
from menagerie.engines.remote import RemoteEngine
from menagerie.engines.rules import Rules
from menagerie.engines.target import Remote, Target, serves
from menagerie.engines.unit import Care, Silent, Unit, overview

log = structlog.get_logger("menagerie.engines")

_LOOKS_EVERY_S: Final = 2.0
_MEMORY_COMES_BACK_S: Final = 10.0
"""How long the system may take to give back what an engine had that has ended."""
_REMOTE_LOAD_S: Final = 0.1
_UNWANTED_AFTER_S: Final = 300.0
_STOP_AGAIN_S: Final = 5.0
_MACHINE_IS_SHORT_MIB: Final = 256


class _Use(msgspec.Struct):
    """A lease that was given."""

    lease: Lease
    unit: Unit
    at: float
    granted_at: float | None = None


class Engines:
    """All engines of the service, and the one door to them. Everything happens on the event loop."""

    def __init__(
        self,
        machine: Machine,
        limits: Limits,
        *,
        rules: Rules | None = None,
        measurements: Measurements | None = None,
        observer: Observer | None = None,
        records: Path | None = None,
    ) -> None:
        self._machine = machine
        self._limits = limits
        self._rules = rules or Rules(queue_length=limits.queue_length)
        self._policy = Scheduler(tuple(device.budget_mib for device in machine.devices), self._rules)
        self._measurements = measurements or Measurements()
        self._observer: Observer = observer or Silent()
        self._records = records
        self._units: dict[Target, Unit] = {}
        self._uses: dict[int, _Use] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._clock = asyncio.get_running_loop().time
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    # What may be asked for

    def expect(self, wanted: Mapping[Target, Care]) -> None:
        """These are the engines that may be asked for from now on, and how each is kept."""
        for target, care in wanted.items():
            self._know(target, care)
        for target in [one for one in self._units if one not in wanted]:
            place = self._policy.places[target]
            if place.state == "absent" and not place.wanted:
                self._policy.forget(target)
                del self._units[target]
            else:
                self._know(target, Care(idle_after_s=_UNWANTED_AFTER_S))
        self._act()

    def enter(self, target: Target, user: str, tokens: int, *, batch: bool = False) -> Lease:
        """Ask for a slot of an engine and `tokens` of its pool, for `user`.

        Raises `MenagerieError`: `queue.full`, `prompt.too_long`, `model.too_large` for what can never fit,
        `model.set_aside`, `service.stopping`.
        """
        now = self._clock()
        unit = self._unit(target)
        hit = self._policy.places[unit.target].state == "ready"
        lease = Lease(self)
        try:
            lease.request = self._policy.enter(unit.target, user, tokens, now, batch=batch)
        except NotLetIn as answer:
            refusal = self._refusal(answer, unit)
            self._observer.refused(code=refusal.code.value)
            raise refusal from None
        self._observer.entered(kind=unit.kind, hit=hit)
        self._uses[lease.request] = _Use(lease, unit, now)
        self._act()
        return lease

    @contextlib.asynccontextmanager
    async def use(
        self, target: Target, user: str = "", tokens: int = 0, *, batch: bool = False
    ) -> AsyncGenerator[RunningEngine, None]:
        """A slot of an engine for as long as the block runs. Raises as `enter` and `Lease.moved`."""
        lease = self.enter(target, user, tokens, batch=batch)
        try:
            yield await lease.granted_engine()
        finally:
            lease.release()

    def position(self, request: int) -> int:
        """See `Lease.position`."""
        return self._policy.position(request)

    def expected_s(self, request: int) -> float:
        """See `Lease.expected_s`."""
        return self._policy.expected_s(request, self._clock())

    def adjust(self, request: int, tokens: int) -> None:
        """See `Lease.adjust`."""
        self._policy.adjust(request, tokens)
        self._act()

    def give_back(self, request: int) -> None:
        """See `Lease.release`."""
        now = self._clock()
        use = self._uses.pop(request)
        self._policy.leave(request, now)
        if use.granted_at is not None:
            self._observer.left(kind=use.unit.kind, held_s=now - use.granted_at)
        self._act()
        self._nudge(use.unit)

    # What can be seen

    def state(self, target: Target) -> EngineState:
        """What the engine for `target` is doing; `absent` where there is none."""
        return self._policy.state(self._serving(target), self._clock())

    def could_hold(self, target: Target) -> bool:
        """Whether the machine has room for the engine for `target`, if everything left that can."""
        return self._policy.could_hold(self._unit(target).target)

    def overview(self) -> Overview:
        """All of it, now."""
        return overview(self._policy, self._machine, self._units.values(), self._clock())

    # The life of it

    async def watch(self) -> None:
        """Look after the engines' memory, for ever. One that takes more than was expected of it is expected to from
        now on; where the machine itself runs short, the one that has grown most beyond it is ended."""
        while True:
            await asyncio.sleep(_LOOKS_EVERY_S)
            ready = [unit for unit in self._units.values() if isinstance(unit.engine, LocalEngine)]
            for unit in ready:
                await self._look_at_memory(unit)
            if ready and psutil.virtual_memory().available < _MACHINE_IS_SHORT_MIB * MIB:
                self._end_what_grew(ready)
            self._act()
            await asyncio.to_thread(self._measurements.save)

    def refuse_who_waits(self) -> None:
        """Let nobody in any more, and tell those who wait; those who generate may go on."""
        self._policy.stop(ErrorCode.STOPPING.value)
        self._act()

    async def stop(self) -> None:
        """End all engines."""
        self.refuse_who_waits()
        self._stopped = True
        if self._timer:
            self._timer.cancel()
        for task in self._tasks:
            if task.get_name() == "engine-load":
                task.cancel()
        engines = [unit.engine for unit in self._units.values() if unit.engine]
        await asyncio.gather(*self._tasks, *(engine.close() for engine in engines), return_exceptions=True)
        await asyncio.to_thread(self._measurements.save)

    # How

    def _know(self, target: Target, care: Care) -> Unit:
        unit = self._units.get(target)
        if unit is None:
            unit = self._units[target] = Unit(target)
        unit.care = care
        if isinstance(target, Remote):
            nothing = (0,) * len(self._machine.devices)
            self._policy.know(target, [Form(nothing, target.all_slots)], _REMOTE_LOAD_S)
        else:
            loads = [self._measurements.correct(form) for form in target.forms]
            forms = [Form(load.memory, load.slots, load.context, load.spare) for load in loads]
            load_s = self._measurements.expected_load_s(loads[0])
            self._policy.know(target, forms, load_s, pinned=care.pinned, idle_after_s=care.idle_after_s)
        return unit

    def _serving(self, target: Target) -> Target:
        """The target that serves `target`: itself, or the same model, loaded with a larger window."""
        if isinstance(target, Local) and self._policy.state(target, self._clock()) == "absent":
            for other in self._units:
                if isinstance(other, Local) and serves(other, target) and self._units[other].engine:
                    return other
        return target

    def _unit(self, target: Target) -> Unit:
        serving = self._serving(target)
        return self._units.get(serving) or self._know(serving, Care())

    def _act(self) -> None:
        """Do what the policy decides, until something happens again."""
        if self._stopped:
            return
        now = self._clock()
        for action in self._policy.decide(now):
            self._carry_out(action, now)
        if self._timer:
            self._timer.cancel()
        look = self._policy.next_look(now)
        self._timer = None if look == math.inf else asyncio.get_running_loop().call_at(look, self._act)

    def _carry_out(self, action: Action, now: float) -> None:
        match action:
            case Grant(request):
                use = self._uses[request]
                use.granted_at = now
                assert use.unit.engine is not None
                use.lease.grant(use.unit.engine)
                self._observer.granted(kind=use.unit.kind, waited_s=now - use.at)
                self._nudge(use.unit)
            case Refuse(request):
                use = self._uses[request]
                refusal = self._turned_away(action, use.unit)
                self._observer.refused(code=refusal.code.value)
                use.lease.refuse(refusal)
            case Start(key, form):
                self._spawn(self._load(self._of(key), form), "engine-load")
            case End(key, reason):
                unit = self._of(key)
                engine, unit.engine = unit.engine, None  # if it dies now, that is no news
                self._spawn(self._end(unit, engine, reason), "engine-end")

    def _of(self, key: object) -> Unit:
        assert isinstance(key, Local | Remote)
        return self._units[key]

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _nudge(self, unit: Unit) -> None:
        place = self._policy.places.get(unit.target)
        if place is None:  # forgotten, before one whom it refused has left
            return
        for waiting in place.queue:
            self._uses[waiting.id].lease.nudge()

    async def _load(self, unit: Unit, form: int) -> None:
        place = self._policy.places[unit.target]
        began = self._clock()
        try:
            engine = await self._open(unit, form, after_failure=place.short_of_memory)
        except MenagerieError as failure:
            self._load_failed(unit, form, failure)
        except Exception:
            log.exception("engine.load_broke", engine=unit.name)
            self._load_failed(unit, form, MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=30.0))
        else:
            self._loaded(unit, form, engine, self._clock() - began)
            self._act()
            await self._learn(unit, engine)
        self._act()

    async def _open(self, unit: Unit, form: int, *, after_failure: bool) -> RunningEngine:
        if isinstance(unit.target, Remote):
            return await RemoteEngine.start(unit.target, self._limits)
        load = unit.target.forms[form]
        if after_failure:
            await _memory_to_come_back(self._measurements.correct(load).memory[0])
        return await LocalEngine.start(load, self._limits, self._records)

    def _loaded(self, unit: Unit, form: int, engine: RunningEngine, seconds: float) -> None:
        unit.engine, unit.failure, unit.load_seconds = engine, None, seconds
        self._policy.loaded(unit.target, self._clock(), seconds)
        self._measurements.clear_set_aside(unit.name)
        if isinstance(engine, LocalEngine):
            engine.when_over(lambda code: self._is_over(unit, engine, code))
        self._observer.loaded(engine=unit.name, kind=unit.kind, seconds=seconds)
        log.info("engine.ready", engine=unit.name, seconds=round(seconds, 2), form=form)

    async def _learn(self, unit: Unit, engine: RunningEngine) -> None:
        """Expect of an engine from now on what it takes, as measured; asking the system takes milliseconds."""
        if isinstance(engine, LocalEngine):
            unit.resident_mib = await asyncio.to_thread(engine.resident_mib)
            self._measurements.note_loaded(engine.load, unit.load_seconds or 0.0, unit.resident_mib)
            if unit.engine is engine:
                self._policy.measured(unit.target, self._measurements.correct(engine.load).memory)

    def _load_failed(self, unit: Unit, form: int, failure: MenagerieError) -> None:
        log.warning("engine.start_failed", engine=unit.name, failure=str(failure))
        unit.failure = failure
        short = failure.code is ErrorCode.MODEL_OUT_OF_MEMORY
        if short and isinstance(unit.target, Local):
            self._measurements.note_out_of_memory(unit.target.forms[form])
            self._know(unit.target, unit.care)
        self._policy.failed(unit.target, self._clock(), failure.code.value, out_of_memory=short)
        self._after_failure(unit, failure.code)

    def _is_over(self, unit: Unit, engine: LocalEngine, code: ErrorCode) -> None:
        if unit.engine is engine:
            unit.engine = None
            self._policy.lost(unit.target, self._clock())
            self._spawn(self._bury(unit, engine, code), "engine-end")

    async def _bury(self, unit: Unit, engine: LocalEngine, code: ErrorCode) -> None:
        """End what is left of an engine that is over, then tell the policy."""
        await engine.close(at_once=True)
        unit.failure = MenagerieError(code)
        self._policy.died(unit.target, self._clock(), code.value)
        self._observer.unloaded(engine=unit.name, reason="died")
        self._after_failure(unit, code)
        self._act()

    def _after_failure(self, unit: Unit, code: ErrorCode) -> None:
        self._observer.failed(engine=unit.name, code=code.value)
        if self.state(unit.target) == "set_aside":
            log.error("engine.set_aside", engine=unit.name, reason=code.value)
            self._measurements.note_set_aside(unit.name, code.value)

    async def _end(self, unit: Unit, engine: RunningEngine | None, reason: Reason) -> None:
        log.info("engine.unloaded", engine=unit.name, reason=reason)
        if engine:
            await engine.close()
        self._policy.ended(unit.target)
        self._observer.unloaded(engine=unit.name, reason=reason)
        self._act()

    async def _look_at_memory(self, unit: Unit) -> None:
        engine = unit.engine
        if not isinstance(engine, LocalEngine):
            return
        resident = await asyncio.to_thread(engine.resident_mib)
        if not resident or unit.engine is not engine:
            return
        unit.resident_mib = resident
        self._measurements.note_seen(engine.load, resident)
        place = self._policy.places[unit.target]
        if resident > place.reserved[0]:
            log.warning("engine.has_grown", engine=unit.name, expected=place.reserved[0], resident=resident)
            self._policy.measured(unit.target, (resident, *place.reserved[1:]))

    def _end_what_grew(self, units: list[Unit]) -> None:
        def beyond(unit: Unit) -> int:
            assert isinstance(unit.engine, LocalEngine)
            return (unit.resident_mib or 0) - self._measurements.correct(unit.engine.load).memory[0]

        worst = max(units, key=beyond)
        if beyond(worst) > 0 and isinstance(worst.engine, LocalEngine):
            log.error("engine.ate_memory", engine=worst.name, resident=worst.resident_mib)
            worst.engine.end_because(ErrorCode.ENGINE_LOST)

    def _turned_away(self, action: Refuse, unit: Unit) -> MenagerieError:
        """Why one who waits is not served, as what its caller is told."""
        if action.code in {"too_large", ErrorCode.STOPPING.value}:
            return self._refusal(NotLetIn(action.code, None, action.needed, action.budget), unit)
        return _anew(unit.failure) if unit.failure else MenagerieError(ErrorCode(action.code))

    def _refusal(self, answer: NotLetIn, unit: Unit) -> MenagerieError:
        """An answer of the policy, as what its caller is told."""
        match answer.why:
            case "full":
                return MenagerieError(ErrorCode.QUEUE_FULL, retry_after=math.ceil(answer.retry_s or 1.0))
            case "too_large":
                return MenagerieError(
                    ErrorCode.MODEL_TOO_LARGE, model=unit.name, needed=answer.needed, budget=answer.budget
                )
            case "too_long":
                return MenagerieError(ErrorCode.PROMPT_TOO_LONG, tokens=answer.needed, window=answer.budget)
            case "set_aside":
                seconds = math.ceil(answer.retry_s or 1.0)
                return MenagerieError(
                    ErrorCode.MODEL_SET_ASIDE, retry_after=seconds, model=unit.name, seconds=seconds
                )
        return MenagerieError(ErrorCode.STOPPING, retry_after=_STOP_AGAIN_S)


async def _memory_to_come_back(needed_mib: int) -> None:
    """Wait until the machine has so much memory to give, or for some seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_MEMORY_COMES_BACK_S):
            while psutil.virtual_memory().available < needed_mib * MIB:  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.1)


def _anew(failure: MenagerieError) -> MenagerieError:
    """The same failure for one more of those who wait: each raises an exception of its own."""
    return MenagerieError(failure.code, retry_after=failure.retry_after, **failure.values)
