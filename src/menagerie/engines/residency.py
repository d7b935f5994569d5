"""Which engines are in memory. The same weights under the same load parameters are one engine, whatever the number
of personas; what is idle leaves when something else needs its memory, the longest idle first; what is busy stays."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from typing import Final

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.engine import Engine, Limits, State
from menagerie.engines.overview import DeviceView, EngineView, Overview
from menagerie.engines.plan import Load
from menagerie.engines.target import Remote

log = structlog.get_logger("menagerie.engines")

_ROOM_SECONDS: Final = 300.0
_PATIENCE_SECONDS: Final = 10.0
"""How long one waits for engines to fall idle by themselves; then they take no new turns until it has its room."""

Target = Load | Remote


class Resident(msgspec.Struct, frozen=True):
    """What the choice of evictions needs to know of a loaded engine. `idle_s` is None for a busy one."""

    key: Target
    memory_mib: int
    idle_s: float | None


def evictions(residents: Iterable[Resident], needed_mib: int, budget_mib: int) -> list[Target] | None:
    """The engines to end so that `needed_mib` more fit into the budget, longest idle first; None while they do not.

    Never a busy one, never one that takes no memory, never one after there is room.
    """
    loaded = [resident for resident in residents if resident.memory_mib > 0]
    excess = sum(resident.memory_mib for resident in loaded) + needed_mib - budget_mib
    chosen: list[Target] = []
    idle = [resident for resident in loaded if resident.idle_s is not None]
    for resident in sorted(idle, key=lambda one: one.idle_s or 0.0, reverse=True):
        if excess <= 0:
            break
        chosen.append(resident.key)
        excess -= resident.memory_mib
    return chosen if excess <= 0 else None


class Engines:
    """All engines of the service. One task at a time makes room, first come, first served; nobody who needs no load
    waits for it, unless they would keep busy what has to leave."""

    def __init__(self, budget_mib: int, limits: Limits) -> None:
        self._budget_mib = budget_mib
        self._limits = limits
        self._engines: dict[Target, Engine] = {}
        self._room = asyncio.Lock()
        self._users: dict[Target, int] = {}
        self._leaving: frozenset[Target] = frozenset()
        self._freed = asyncio.Event()
        self._stopped = False

    def state(self, target: Target) -> State:
        """What the engine for `target` is doing; `absent` where there is none."""
        engine = self._engines.get(target)
        return engine.state if engine else "absent"

    def loaded(self) -> list[Engine]:
        """The engines that are loaded or loading."""
        return [engine for engine in self._engines.values() if engine.state in {"ready", "loading"}]

    def overview(self) -> Overview:
        """What can be seen of the engines now."""
        engines = tuple(
            EngineView(
                name=getattr(target, "alias", "") or getattr(target, "name", ""),
                kind="text",
                state=engine.state,
                remote=isinstance(target, Remote),
                reserved_mib=(engine.memory_mib,),
                loads=engine.loads,
            )
            for target, engine in self._engines.items()
        )
        reserved = sum(engine.memory_mib for engine in self.loaded())
        ram = DeviceView("ram", "", self._budget_mib, self._budget_mib, reserved)
        return Overview((ram,), engines, 0, 0, self._limits.queue_length, 0, 0, 0, 0, 0)

    @contextlib.asynccontextmanager
    async def use(self, target: Target) -> AsyncGenerator[Engine, None]:
        """An engine that is ready, and stays while the block runs. Raises what `Engine.ready` raises, and
        `model.too_large` for what can never fit, `engine.unavailable` when no room came free in time."""
        if target in self._leaving:
            async with self._waiting_for_room():
                pass
        if self._stopped:
            raise MenagerieError(ErrorCode.STOPPING, retry_after=5.0)
        engine = self._engines.get(target)
        if engine is None:
            engine = self._engines.setdefault(target, Engine(target, self._limits))
        self._users[target] = self._users.get(target, 0) + 1
        try:
            if engine.state != "ready":
                await self._load(engine)
            yield engine
        finally:
            self._users[target] -= 1
            self._freed.set()

    async def stop(self) -> None:
        """End all engines; those who wait for one are refused."""
        self._stopped = True
        self._freed.set()
        await asyncio.gather(*(engine.stop() for engine in self._engines.values()))

    async def _load(self, engine: Engine) -> None:
        if engine.memory_mib > self._budget_mib:
            raise MenagerieError(
                ErrorCode.MODEL_TOO_LARGE,
                model=getattr(engine.target, "alias", ""),
                needed=engine.memory_mib,
                budget=self._budget_mib,
            )
        if engine.state == "absent" and engine.memory_mib:
            async with self._waiting_for_room():
                if engine.state == "absent":
                    await self._make_room(engine)
                    engine.begin()
        await engine.ready()

    @contextlib.asynccontextmanager
    async def _waiting_for_room(self) -> AsyncGenerator[None, None]:
        try:
            async with asyncio.timeout(_ROOM_SECONDS), self._room:
                yield
        except TimeoutError as full:
            raise MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=30.0) from full

    async def _make_room(self, engine: Engine) -> None:
        """End what must leave, one after the other, looking again each time: what was idle may be in use by then."""
        needed, budget = engine.memory_mib, self._budget_mib
        patience = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        try:
            while (leaving := evictions(self._residents(engine), needed, budget)) != []:
                if leaving:
                    log.info("engine.evicted", engine=getattr(leaving[0], "alias", ""))
                    await self._engines[leaving[0]].unload()
                    continue
                if self._stopped:
                    raise MenagerieError(ErrorCode.STOPPING, retry_after=5.0)
                await self._wait_for_an_end(until=patience)
                if asyncio.get_running_loop().time() >= patience:
                    self._leaving = self._to_fall_idle(engine)
        finally:
            self._leaving = frozenset()

    async def _wait_for_an_end(self, until: float) -> None:
        """Wait until a turn ends somewhere, or the time comes."""
        self._freed.clear()
        late = asyncio.get_running_loop().time() >= until
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(None if late else until):
                await self._freed.wait()

    def _to_fall_idle(self, wanted: Engine) -> frozenset[Target]:
        """The engines that make enough room once their turns end, the longest unused first."""
        now = asyncio.get_running_loop().time()
        used = {target: now - engine.last_used for target, engine in self._engines.items()}
        as_if_idle = [
            msgspec.structs.replace(resident, idle_s=used[resident.key])
            for resident in self._residents(wanted)
        ]
        return frozenset(evictions(as_if_idle, wanted.memory_mib, self._budget_mib) or ())

    def _residents(self, wanted: Engine) -> list[Resident]:
        now = asyncio.get_running_loop().time()
        return [
            Resident(
                key=target,
                memory_mib=engine.memory_mib,
                idle_s=None
                if self._users.get(target) or engine.admission.busy or engine.state == "loading"
                else now - engine.last_used,
            )
            for target, engine in self._engines.items()
            if engine is not wanted and engine.state in {"ready", "loading"}
        ]
