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
from menagerie.engines.engine import Engine, Limits, Remote, State
from menagerie.engines.plan import Load

log = structlog.get_logger("menagerie.engines")

_ROOM_SECONDS: Final = 300.0

Target = Load | Remote


class Resident(msgspec.Struct, frozen=True):
    """What the choice of evictions needs to know of a loaded engine. `idle_s` is None for a busy one."""

    key: Target
    memory_mib: int
    idle_s: float | None


def evictions(residents: Iterable[Resident], needed_mib: int, budget_mib: int) -> list[Target] | None:
    """The engines to end so that `needed_mib` more fit into the budget, longest idle first; None while they do not.

    Never a busy one, never more than it takes.
    """
    loaded = list(residents)
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
    """All engines of the service. One task at a time makes room; nobody who needs no load waits for it."""

    def __init__(self, budget_mib: int, limits: Limits) -> None:
        self._budget_mib = budget_mib
        self._limits = limits
        self._engines: dict[Target, Engine] = {}
        self._room = asyncio.Lock()
        self._users: dict[Target, int] = {}
        self._freed = asyncio.Event()

    def state(self, target: Target) -> State:
        """What the engine for `target` is doing; `absent` where there is none."""
        engine = self._engines.get(target)
        return engine.state if engine else "absent"

    def loaded(self) -> list[Engine]:
        """The engines that are loaded or loading."""
        return [engine for engine in self._engines.values() if engine.state in {"ready", "loading"}]

    @contextlib.asynccontextmanager
    async def use(self, target: Target) -> AsyncGenerator[Engine, None]:
        """An engine that is ready, and stays while the block runs. Raises what `Engine.ready` raises, and
        `model.too_large` for what can never fit, `engine.unavailable` when no room came free in time."""
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
        """End all engines."""
        await asyncio.gather(*(engine.stop() for engine in self._engines.values()))

    async def _load(self, engine: Engine) -> None:
        async with self._room:
            if engine.state == "absent":
                await self._make_room(engine)
            starting = asyncio.ensure_future(engine.ready())
            await asyncio.sleep(0)
        await starting

    async def _make_room(self, engine: Engine) -> None:
        if engine.memory_mib > self._budget_mib:
            raise MenagerieError(
                ErrorCode.MODEL_TOO_LARGE,
                model=getattr(engine.target, "alias", ""),
                needed=engine.memory_mib,
                budget=self._budget_mib,
            )
        try:
            async with asyncio.timeout(_ROOM_SECONDS):
                while (
                    leaving := evictions(self._residents(engine), engine.memory_mib, self._budget_mib)
                ) is None:
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError as full:
            raise MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=30.0) from full
        for target in leaving:
            log.info("engine.evicted", engine=getattr(target, "alias", ""))
            await self._engines[target].unload()

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
