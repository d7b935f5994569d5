"""One engine: a loaded model that answers. Started when first wanted, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final, Literal

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.admission import Admission
from menagerie.engines.chat import ChatRequest, Chunk
from menagerie.engines.child import Child
from menagerie.engines.client import HttpEngine
from menagerie.engines.plan import Load
from menagerie.engines.target import Remote

log = structlog.get_logger("menagerie.engines")

State = Literal["absent", "loading", "ready", "stopped"]

_BACK_OFF_S: Final = (0.0, 0.0, 1.0, 5.0, 15.0, 60.0)
"""Rest before the start that follows so many failures in a row; until then a turn is told the last one."""
_REMOTE_REST_S: Final = 5.0
"""An engine at an address is asked again soon: that costs nothing."""
_COUNTED_TEXTS: Final = 1024
_DEATH_SECONDS: Final = 0.5
"""How long the system may take to tell that a process has ended whose connections are already cut."""
_LIVED_WELL_S: Final = 30.0
"""An engine that dies later than this after its load begins a new count of failures."""


class Limits(msgspec.Struct, frozen=True):
    """Seconds a load may take, seconds without a token that mean a hang, and how many turns may wait."""

    load_timeout: float
    token_timeout: float
    queue_length: int


class Engine:
    """The owner of one engine's state.

    Invariants: at most one process, the next starts when the last has ended; `ready()` returns only while a client
    is there; a process that dies is noticed at once, its running generations end with `engine.lost`, and the next
    `ready()` starts another.
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
        self._ending: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._failures = 0
        self._last_failure: BaseException | None = None
        self._rests_until = 0.0
        self._ready_at: float | None = None
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    @property
    def memory_mib(self) -> int:
        """What the engine is expected to take on this machine."""
        return self.target.memory_mib if isinstance(self.target, Load) else 0

    @property
    def pid(self) -> int | None:
        """The child's process id, if one runs."""
        return self._child.pid if self._child and self._child.alive else None

    def begin(self) -> None:
        """Begin to load, unless the engine is loaded or loading.

        Raises `MenagerieError`: `service.stopping`, and the last failure while the engine rests after it.
        """
        if self._client is not None or self._starting is not None:
            return
        if self.state == "stopped":
            raise MenagerieError(ErrorCode.STOPPING, retry_after=5.0)
        self._refuse_while_resting()
        self.state = "loading"
        self._starting = asyncio.create_task(self._start(), name="engine-start")
        self._starting.add_done_callback(self._started)

    async def ready(self) -> None:
        """Wait until the engine answers, starting it if need be. Many may wait; it starts once.

        Raises `MenagerieError`: what `Child.start` raises, `engine.unavailable`, `service.stopping`.
        """
        while self._client is None:
            self.begin()
            starting = self._starting
            assert starting is not None
            await asyncio.wait({starting})
            if not starting.cancelled() and (failure := starting.exception()):
                raise _anew(failure) from failure

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; see `TextEngine.chat`. An engine that hangs is ended, and started again for the next turn."""
        async with self._answering() as client, contextlib.aclosing(client.chat(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def count(self, text: str) -> int:
        """How many tokens `text` is. Texts that come again, such as system prompts, are counted once; what is
        remembered is their hash."""
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
        known = self._counts.get(digest)
        if known is not None:
            self._counts.move_to_end(digest)
            return known
        async with self._answering() as client:
            tokens = await client.count(text)
        self._counts[digest] = tokens
        if len(self._counts) > _COUNTED_TEXTS:
            self._counts.popitem(last=False)
        return tokens

    async def unload(self) -> None:
        """End the process, running generations included; the next `ready()` starts it again. An engine that loads
        goes on loading. Until the first await, nobody else can have found it ready."""
        if self._client is not None:
            self._retire()
        await self._ended()

    async def stop(self) -> None:
        """End the process for good."""
        self.state = "stopped"
        if self._starting:
            self._starting.cancel()
            await asyncio.wait({self._starting})
        self._retire()
        await self._ended()

    def _refuse_while_resting(self) -> None:
        rest = self._rests_until - asyncio.get_running_loop().time()
        if rest <= 0:
            return
        if isinstance(self._last_failure, MenagerieError):
            raise _anew(self._last_failure, retry_after=math.ceil(rest))
        raise MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=math.ceil(rest))

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await self._ended()
            client = await self._connect()
        except BaseException as failure:
            self._retire(at_once=True)
            if not isinstance(failure, asyncio.CancelledError):
                self._count_failure(failure)
            raise
        self._client = client
        if self._child:
            self._watch = asyncio.create_task(self._watch_child(self._child), name="engine-watch")
        self._ready_at = self.last_used = loop.time()
        self.load_seconds = self._ready_at - began
        self.loads += 1
        self.state = "ready"
        log.info("engine.ready", engine=self._label, seconds=round(self.load_seconds, 2), pid=self.pid)

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting = None
        if not task.cancelled() and task.exception():
            log.warning("engine.start_failed", engine=self._label, failure=str(task.exception()))

    async def _connect(self) -> HttpEngine:
        child: Child | None = None
        if isinstance(self.target, Load):
            self._child = child = await Child.start(self.target, self._limits.load_timeout)
        client = self._open_client(child)
        try:
            await self._greet(client)
        except BaseException:
            await client.close()
            raise
        return client

    async def _greet(self, client: HttpEngine) -> None:
        if isinstance(self.target, Remote) and not await client.healthy():
            raise MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=_REMOTE_REST_S)
        self.takes_system = await client.takes_system_messages()

    def _open_client(self, child: Child | None) -> HttpEngine:
        timeout = self._limits.token_timeout
        if isinstance(self.target, Remote):
            return HttpEngine(
                self.target.urls[0],
                key=self.target.key,
                model=self.target.model,
                token_timeout=timeout,
                native=False,
            )
        assert child is not None
        return HttpEngine(
            child.address, key=child.key, model=self.target.alias, token_timeout=timeout, native=True
        )

    @contextlib.asynccontextmanager
    async def _answering(self) -> AsyncIterator[HttpEngine]:
        client = self._client
        if client is None:
            raise MenagerieError(ErrorCode.ENGINE_LOST)
        clock = asyncio.get_running_loop().time
        self.last_used = clock()
        try:
            yield client
        except MenagerieError as failure:
            if client is self._client and self._child:
                await self._look_after(self._child, client, failure)
            raise
        finally:
            self.last_used = clock()

    async def _look_after(self, child: Child, client: HttpEngine, failure: MenagerieError) -> None:
        """See to the process behind a failed answer, so that whoever tries again meets one that can serve."""
        if failure.code is ErrorCode.ENGINE_LOST and await child.ends_within(_DEATH_SECONDS):
            self._died(child)
        if failure.code is ErrorCode.ENGINE_TIMEOUT and client.hung:
            log.error("engine.hung", engine=self._label)
            self._retire(at_once=True)
            self._count_failure(failure)

    async def _watch_child(self, child: Child) -> None:
        status = await child.wait()
        self._died(child)
        if status:
            log.warning("engine.died", engine=self._label, status=status, log=child.last_words[-2000:])
        else:
            log.info("engine.ended", engine=self._label)

    def _died(self, child: Child) -> None:
        if child is self._child:
            log.error("engine.died", engine=self._label, pid=child.pid)
            self._retire()
            self._count_failure(None)

    def _count_failure(self, failure: BaseException | None) -> None:
        self._failures += 1
        self._last_failure = failure
        rest = _BACK_OFF_S[min(self._failures, len(_BACK_OFF_S) - 1)]
        if isinstance(self.target, Remote):
            rest = min(rest, _REMOTE_REST_S)
        self._rests_until = asyncio.get_running_loop().time() + rest

    def _retire(self, *, at_once: bool = False) -> None:
        """Take the process out of service now, and let it end in its own time: `_ended` waits for that."""
        if self.state != "stopped":
            self.state = "absent"
        if self._ready_at is not None:
            if asyncio.get_running_loop().time() - self._ready_at > _LIVED_WELL_S:
                self._failures = 0
            self._ready_at = None
        child, self._child = self._child, None
        client, self._client = self._client, None
        if child or client:
            self._ending = asyncio.create_task(_close(client, child, at_once), name="engine-end")

    async def _ended(self) -> None:
        """Wait until the last process has ended; it goes on ending when this is cancelled."""
        if self._ending:
            await asyncio.wait({self._ending})

    @property
    def _label(self) -> str:
        return self.target.alias if isinstance(self.target, Load) else self.target.name


async def _close(client: HttpEngine | None, child: Child | None, at_once: bool) -> None:
    if client:
        await client.close()
    if child:
        await child.stop(at_once=at_once)


def _anew(failure: BaseException, retry_after: float | None = None) -> BaseException:
    """The same failure for one more of those who wait: each raises an exception of its own."""
    if not isinstance(failure, MenagerieError):
        return failure
    return MenagerieError(failure.code, retry_after=retry_after or failure.retry_after, **failure.values)
