"""One loaded model in one child process, from its load to its end. Whoever needs it again starts another."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, Self

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.chat import ChatRequest, Chunk, Scores, TextEngine, Vectors
from menagerie.engines.child import Child
from menagerie.engines.client import HttpEngine
from menagerie.engines.plan import Load

log = structlog.get_logger("menagerie.engines")

_COUNTED_TEXTS: Final = 1024
_DEATH_SECONDS: Final = 0.5
"""How long the system may take to tell that a process has ended whose connections are already cut."""
_GARBAGE_IN_A_ROW: Final = 3
"""So many answers in a row that break off or are none mean that the engine has lost its mind."""


class Limits(msgspec.Struct, frozen=True):
    """Seconds a load may take, seconds without a token that mean a hang, and how many turns may wait."""

    load_timeout: float
    token_timeout: float
    queue_length: int


class RunningEngine(TextEngine, Protocol):
    """What the residency needs of an engine that runs, in a child process or at an address."""

    window: int
    takes_system: bool

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """See `HttpEngine.embed`; of an engine of this kind."""
        ...

    async def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        """See `HttpEngine.rerank`; of an engine of this kind."""
        ...

    async def close(self, *, at_once: bool = False) -> None:
        """End it: running generations end with `engine.lost`."""
        ...


class LocalEngine:
    """A child process that serves one model.

    A process that dies, that hangs, or that answers nothing but garbage is over: running generations end with
    `engine.lost` (`engine.timeout` for the one that noticed), `over` gets the reason, and nothing is served any more.
    """

    def __init__(self, load: Load, child: Child, client: HttpEngine) -> None:
        self.load = load
        self.window = load.window
        self.takes_system = True
        self.over: asyncio.Future[ErrorCode] = asyncio.get_running_loop().create_future()
        """Why it has ended by itself; pending as long as it serves, and when it was closed."""
        self._child = child
        self._client = client
        self._closed = False
        self._tell: Callable[[ErrorCode], None] | None = None
        self._garbage = 0
        self._counts: OrderedDict[bytes, int] = OrderedDict()
        self._watch = asyncio.create_task(self._watch_child(), name="engine-watch")

    @classmethod
    async def start(cls, load: Load, limits: Limits, records: Path | None = None) -> Self:
        """Start a process that serves `load`; it is recorded in the folder `records`.

        Raises `MenagerieError`: what `Child.start` raises, and `engine.lost` or `engine.timeout` for one that loads
        and then does not answer.
        """
        child = await Child.start(load, limits.load_timeout, records=records)
        client = HttpEngine(
            child.address, key=child.key, model=load.alias, token_timeout=limits.token_timeout, native=True
        )
        engine = cls(load, child, client)
        try:
            if load.kind == "text":
                engine.takes_system = await client.takes_system_messages()
        except BaseException:
            await engine.close(at_once=True)
            raise
        return engine

    @property
    def pid(self) -> int | None:
        """The child's process id, as long as it runs."""
        return self._child.pid if self._child.alive else None

    def resident_mib(self) -> int:
        """What the process takes of the machine's memory now. Blocks for some milliseconds."""
        return self._child.resident_mib()

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; see `TextEngine.chat`."""
        async with self._answering(), contextlib.aclosing(self._client.chat(request)) as chunks:
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
        async with self._answering():
            tokens = await self._client.count(text)
        self._counts[digest] = tokens
        if len(self._counts) > _COUNTED_TEXTS:
            self._counts.popitem(last=False)
        return tokens

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """See `HttpEngine.embed`."""
        async with self._answering():
            return await self._client.embed(texts)

    async def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        """See `HttpEngine.rerank`."""
        async with self._answering():
            return await self._client.rerank(query, documents)

    def when_over(self, tell: Callable[[ErrorCode], None]) -> None:
        """Call `tell` with the reason as soon as the engine is over, or now; never once it was closed."""
        self._tell = tell
        if self.over.done() and not self._closed:
            tell(self.over.result())

    def end_because(self, code: ErrorCode) -> None:
        """Take the engine out of service now, for `code`: it has failed."""
        if not self._closed and not self.over.done():
            self.over.set_result(code)
            if self._tell:
                self._tell(code)

    async def close(self, *, at_once: bool = False) -> None:
        """End the process, running generations included. It goes on ending when this is cancelled."""
        self._closed = True
        self.over.cancel()
        await asyncio.shield(asyncio.create_task(self._end(at_once), name="engine-end"))

    async def _end(self, at_once: bool) -> None:
        await self._client.close()
        await self._child.stop(at_once=at_once)
        await asyncio.wait({self._watch}, timeout=_DEATH_SECONDS)
        self._watch.cancel()

    @contextlib.asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        if self._closed or self.over.done():
            raise MenagerieError(ErrorCode.ENGINE_LOST)
        try:
            yield
        except MenagerieError as failure:
            await self._look_after(failure)
            raise
        else:
            self._garbage = 0

    async def _look_after(self, failure: MenagerieError) -> None:
        """See to the process behind a failed answer, so that whoever tries again meets one that can serve."""
        if failure.code is ErrorCode.ENGINE_LOST and await self._child.ends_within(_DEATH_SECONDS):
            self.end_because(ErrorCode.ENGINE_LOST)
        if failure.code is ErrorCode.ENGINE_TIMEOUT and self._client.hung:
            log.error("engine.hung", engine=self.load.alias)
            self.end_because(ErrorCode.ENGINE_TIMEOUT)
        if failure.code is ErrorCode.ENGINE_LOST:
            self._garbage += 1
            if self._garbage >= _GARBAGE_IN_A_ROW and not self.over.done():
                log.error("engine.garbage", engine=self.load.alias)
                self.end_because(ErrorCode.ENGINE_LOST)

    async def _watch_child(self) -> None:
        status = await self._child.wait()
        if not self._closed:
            log.error(
                "engine.died",
                engine=self.load.alias,
                status=status,
                log=self._child.last_words[-2000:],
            )
        self.end_because(ErrorCode.ENGINE_LOST)
