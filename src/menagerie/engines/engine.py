"""One engine: a loaded model that answers. Started when first wanted, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import OrderedDict
from collections.abc import AsyncGenerator
from typing import Final, Literal

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.admission import Admission
from menagerie.engines.chat import ChatRequest, Chunk
from menagerie.engines.child import Child
from menagerie.engines.client import HttpEngine
from menagerie.engines.plan import Load

log = structlog.get_logger("menagerie.engines")

State = Literal["absent", "loading", "ready", "stopped"]

_BACK_OFF_S: Final = (0.0, 0.0, 1.0, 5.0, 15.0, 60.0)
"""Rest before the start that follows so many failures in a row; until then a turn is told the last one."""
_COUNTED_TEXTS: Final = 256
_LIVED_WELL_S: Final = 30.0
"""An engine that dies later than this after its load begins a new count of failures."""


class Remote(msgspec.Struct, frozen=True):
    """An engine at an address."""

    name: str
    url: str
    model: str
    key: str
    slots: int
    window: int


class Limits(msgspec.Struct, frozen=True):
    """Seconds a load may take, seconds without a token that mean a hang, and how many turns may wait."""

    load_timeout: float
    token_timeout: float
    queue_length: int


class Engine:
    """The owner of one engine's state. All that it does to its process happens in one task at a time.

    Invariants: at most one process; `ready()` returns only while a client is there; a process that dies is noticed
    at once, its running generations end with `engine.lost`, and the next `ready()` starts another.
    """

    def __init__(self, target: Load | Remote, limits: Limits) -> None:
        self.target = target
        self.window = target.window
        self.state: State = "absent"
        self.takes_system = True
        self.loads = 0
        self.last_used = 0.0
        self.load_seconds = 0.0
        tokens = target.context if isinstance(target, Load) else None
        self.admission = Admission(target.slots, tokens, limits.queue_length)
        self._limits = limits
        self._child: Child | None = None
        self._client: HttpEngine | None = None
        self._starting: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._failures = 0
        self._last_failure: BaseException | None = None
        self._rests_until = 0.0
        self._ready_at = 0.0
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._progress = 0.0

    @property
    def memory_mib(self) -> int:
        """What the engine is expected to take on this machine."""
        return self.target.memory_mib if isinstance(self.target, Load) else 0

    @property
    def pid(self) -> int | None:
        """The child's process id, if one runs."""
        return self._child.pid if self._child and self._child.alive else None

    async def ready(self) -> None:
        """Wait until the engine answers, starting it if need be. Many may wait; it starts once.

        Raises `MenagerieError`: `model.broken`, `engine.timeout`, `engine.unavailable`, `service.stopping`.
        """
        while self._client is None:
            if self.state == "stopped":
                raise MenagerieError(ErrorCode.STOPPING, retry_after=5.0)
            if self._starting is None:
                self._refuse_while_resting()
                self._starting = asyncio.create_task(self._start(), name="engine-start")
                self._starting.add_done_callback(self._started)
            await asyncio.shield(self._starting)

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; see `TextEngine.chat`. An engine that hangs is ended, and started again for the next turn."""
        client = self._client
        if client is None:
            raise MenagerieError(ErrorCode.ENGINE_LOST)
        loop = asyncio.get_running_loop()
        self.last_used = loop.time()
        try:
            async with contextlib.aclosing(client.chat(request)) as chunks:
                async for chunk in chunks:
                    self._progress = loop.time()
                    yield chunk
        except MenagerieError as failure:
            if failure.code is ErrorCode.ENGINE_TIMEOUT and client is self._client:
                await self._end_if_hung()
            raise
        finally:
            self.last_used = loop.time()

    async def count(self, text: str) -> int:
        """How many tokens `text` is. Texts that come again, such as system prompts, are counted once."""
        known = self._counts.get(text)
        if known is not None:
            self._counts.move_to_end(text)
            return known
        client = self._client
        if client is None:
            raise MenagerieError(ErrorCode.ENGINE_LOST)
        tokens = await client.count(text)
        self._counts[text] = tokens
        if len(self._counts) > _COUNTED_TEXTS:
            self._counts.popitem(last=False)
        return tokens

    async def unload(self) -> None:
        """End the process; the next `ready()` starts it again."""
        if self.state == "ready":
            self.state = "absent"
        await self._end()

    async def stop(self) -> None:
        """End the process for good."""
        self.state = "stopped"
        if self._starting:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await self._end()

    def _refuse_while_resting(self) -> None:
        rest = self._rests_until - asyncio.get_running_loop().time()
        if rest <= 0:
            return
        last = self._last_failure
        if isinstance(last, MenagerieError):
            raise MenagerieError(last.code, retry_after=math.ceil(rest), **last.values)
        raise MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=math.ceil(rest))

    async def _start(self) -> None:
        self.state = "loading"
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            client = await self._connect()
            self.takes_system = await client.takes_system_messages()
        except BaseException as failure:
            self.state = "absent" if self.state == "loading" else self.state
            self._count_failure(failure)
            raise
        self._ready_at = self._progress = self.last_used = loop.time()
        self.load_seconds = self._ready_at - began
        self.loads += 1
        self._client = client
        self.state = "ready"
        log.info("engine.ready", engine=self._label, seconds=round(self.load_seconds, 2), pid=self.pid)

    def _count_failure(self, failure: BaseException | None) -> None:
        self._failures += 1
        self._last_failure = failure
        rest = _BACK_OFF_S[min(self._failures, len(_BACK_OFF_S) - 1)]
        self._rests_until = asyncio.get_running_loop().time() + rest

    async def _connect(self) -> HttpEngine:
        if isinstance(self.target, Remote):
            client = HttpEngine(
                self.target.url,
                key=self.target.key,
                model=self.target.model,
                token_timeout=self._limits.token_timeout,
                native=False,
            )
            if not await client.healthy():
                await client.close()
                raise MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=5.0)
            return client
        child = await Child.start(self.target, self._limits.load_timeout)
        self._child = child
        self._watch = asyncio.create_task(self._watch_child(child), name="engine-watch")
        return HttpEngine(
            child.address,
            key=child.key,
            model=self.target.alias,
            token_timeout=self._limits.token_timeout,
            native=True,
        )

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting = None
        if not task.cancelled() and task.exception():
            log.warning("engine.start_failed", engine=self._label, failure=str(task.exception()))

    async def _watch_child(self, child: Child) -> None:
        status = await child.wait()
        if child is not self._child or self.state == "stopped":
            return
        if asyncio.get_running_loop().time() - self._ready_at > _LIVED_WELL_S:
            self._failures = 0
        self._count_failure(None)
        log.error("engine.died", engine=self._label, status=status, log=child.last_words[-2000:])
        self.state = "absent"
        self._child = None
        self._watch = None
        await self._close_client()
        await child.stop()

    async def _end_if_hung(self) -> None:
        quiet = asyncio.get_running_loop().time() - self._progress
        if self._child and quiet >= self._limits.token_timeout:
            log.error("engine.hung", engine=self._label, quiet_s=round(quiet, 1))
            await self.unload()

    async def _end(self) -> None:
        child, self._child = self._child, None
        watch, self._watch = self._watch, None
        await self._close_client()
        if child:
            await child.stop()
        if watch:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _close_client(self) -> None:
        client, self._client = self._client, None
        if client:
            await client.close()

    @property
    def _label(self) -> str:
        return self.target.alias if isinstance(self.target, Load) else self.target.name
