"""An engine at one address or at several that serve the same model: balanced, watched, and left alone while sick."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import random
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from typing import Final, Self, TypeVar

import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.address import Address, AddressClient, Attempt, note_replies
from menagerie.engines.breaker import Fault, fault_of, rest_asked_for
from menagerie.engines.chat import ChatRequest, Chunk, Scores, Vectors
from menagerie.engines.engine import Limits
from menagerie.engines.target import Remote

log = structlog.get_logger("menagerie.engines")

_IDLE_S: Final = 15.0
"""An address not heard from for so long is asked whether it is still there."""
_SUSPECT_S: Final = 1.0
"""So soon is one asked that has just failed."""
_JITTER: Final = 0.2
_COUNTED_TEXTS: Final = 1024

Served = TypeVar("Served")


class _Waiter:
    """A request that waits for an address that it has not tried."""

    def __init__(self, tried: list[Address], slots: int, found: asyncio.Future[Attempt | None]) -> None:
        self.tried = tried
        self.slots = slots
        self.found = found


class RemoteEngine:
    """Addresses that serve one model, as one running engine.

    Invariants: never more than `Remote.slots` requests at one address; a request is at one address at a time and tries
    each at most once; it is tried at another only while nothing of its answer has been handed on; who waits for a
    slot gets one in the order of coming.
    """

    def __init__(self, remote: Remote, limits: Limits) -> None:
        self.remote = remote
        self.window = remote.window
        self.takes_system = True
        self._clock = asyncio.get_running_loop().time
        self._all = [
            Address(url, AddressClient(url, remote, limits.token_timeout))
            for url in dict.fromkeys(remote.urls)
        ]
        self._turns = 0
        self._waiters: list[_Waiter] = []
        self._watches: list[asyncio.Task[None]] = []
        self._unmet = set(self._all)
        self._met = asyncio.Event()
        self._template_known = False
        self._closed = False
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    @classmethod
    async def start(cls, remote: Remote, limits: Limits) -> Self:
        """Ask every address whether it is there, and go on as soon as one is. None is needed: as long as all are
        out, turns are refused with the time at which it is worth coming back."""
        engine = cls(remote, limits)
        engine._watches = [
            asyncio.create_task(engine._watch(address), name="engine-health") for address in engine._all
        ]
        for watch in engine._watches:
            watch.add_done_callback(_say_if_broken)
        try:
            await engine._met.wait()
        except BaseException:
            await engine.close()
            raise
        return engine

    @property
    def addresses(self) -> int:
        """How many there are."""
        return len(self._all)

    @property
    def healthy_addresses(self) -> int:
        """How many of them serve."""
        return len(self._healthy())

    @property
    def slots(self) -> int:
        """Turns that the addresses that serve take at once; 0 while all are out."""
        return self.remote.slots * self.healthy_addresses

    @property
    def running(self) -> int:
        """Requests that hold a slot at an address."""
        return sum(address.running for address in self._all)

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; see `TextEngine.chat`. Raises also `engine.unavailable` where no address serves."""
        attempt, (chunk, rest) = await self._somewhere(lambda client: client.begin(request), request.until)
        try:
            async with contextlib.aclosing(rest):
                while chunk is not None:
                    if chunk.finish:
                        self._answered(attempt)
                    yield chunk
                    chunk = await anext(rest, None)
        except MenagerieError as failure:
            self._judge(attempt, failure)
            raise
        finally:
            self._release(attempt)

    async def count(self, text: str) -> int:
        """How many tokens `text` is; an estimate where the address does not tell. It takes no slot; texts that come
        again are counted once. Raises `MenagerieError`: `engine.unavailable`, `engine.timeout`, `engine.lost`."""
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
        if (known := self._counts.get(digest)) is not None:
            self._counts.move_to_end(digest)
            return known
        attempt, tokens = await self._somewhere(lambda client: client.count(text), None, slots=0)
        self._release(attempt)
        self._counts[digest] = tokens
        if len(self._counts) > _COUNTED_TEXTS:
            self._counts.popitem(last=False)
        return tokens

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The vector of each of `texts`; see `HttpEngine.embed`. Takes a slot."""
        return await self._whole(lambda client: client.embed(texts))

    async def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        """How well each of `documents` answers `query`; see `HttpEngine.rerank`. Takes a slot."""
        return await self._whole(lambda client: client.rerank(query, documents))

    async def close(self, *, at_once: bool = False) -> None:
        """Hang up everywhere: running requests and those that wait end with `engine.lost`, at once in any case."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.found.done():
                waiter.found.set_result(None)
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await asyncio.gather(*(address.client.close() for address in self._all))

    # One request: a slot at an address, and another if that fails

    async def _whole(self, work: Callable[[AddressClient], Awaitable[Served]]) -> Served:
        """Do `work`, which is one reply, somewhere."""
        attempt, served = await self._somewhere(work, None)
        self._answered(attempt)
        self._release(attempt)
        return served

    async def _somewhere(
        self, work: Callable[[AddressClient], Awaitable[Served]], until: float | None, *, slots: int = 1
    ) -> tuple[Attempt, Served]:
        """Do `work` at the best address, at the next best if that fails, each at most once. The attempt that comes back
        still holds its slots."""
        tried: list[Address] = []
        reason: MenagerieError | None = None
        while True:
            attempt = await self._slot(tried, slots, until)
            if attempt is None:
                raise self._exhausted(reason if len(tried) == len(self._all) else None) from reason
            tried.append(attempt.address)
            try:
                note_replies(attempt.reply)
                async with asyncio.timeout_at(until):
                    served = await work(attempt.address.client)
                self._heard(attempt)
            except MenagerieError as failure:
                fault = self._judge(attempt, failure)
                self._release(attempt)
                if fault == "request" or self._closed:
                    raise
                reason = failure if fault == "stranger" or failure.code is ErrorCode.ENGINE_TIMEOUT else None
            except BaseException as ended:
                self._release(attempt)
                if isinstance(ended, TimeoutError):
                    raise MenagerieError(ErrorCode.TURN_TIMEOUT) from ended
                raise
            else:
                return attempt, served

    async def _slot(self, tried: list[Address], slots: int, until: float | None) -> Attempt | None:
        """A place at an address that has not been tried, in turn; None where none is left."""
        if self._closed:
            raise MenagerieError(ErrorCode.ENGINE_LOST)
        waiter = _Waiter(tried, slots, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._deal()
        try:
            async with asyncio.timeout_at(until):
                attempt = await waiter.found
        except BaseException as given_up:
            self._waiters.remove(waiter)
            if waiter.found.done() and not waiter.found.cancelled() and (attempt := waiter.found.result()):
                self._release(attempt)
            if isinstance(given_up, TimeoutError):
                raise MenagerieError(ErrorCode.TURN_TIMEOUT) from given_up
            raise
        self._waiters.remove(waiter)
        if attempt is None and self._closed:
            raise MenagerieError(ErrorCode.ENGINE_LOST)
        return attempt

    def _deal(self) -> None:
        """Give slots to those who wait, in the order of coming, and tell those for whom nothing is left to wait for."""
        for waiter in list(self._waiters):
            if waiter.found.done():
                continue
            address = self._best(waiter.tried, waiter.slots)
            if address is not None:
                self._turns += 1
                address.turn = self._turns
                address.running += waiter.slots
                ticket = address.breaker.begin(self._clock())
                waiter.found.set_result(Attempt(address, ticket, waiter.slots))
            elif not self._worth_waiting(waiter.tried):
                waiter.found.set_result(None)
            else:
                for due in self._due(waiter.tried):
                    due.changed.set()

    def _best(self, tried: list[Address], slots: int) -> Address | None:
        """The address for the next request: of those that serve and have room, the one with the fewest requests under
        way, the longest unused of equals."""
        free = [
            address
            for address in self._healthy()
            if address not in tried and (not slots or address.running + slots <= self.remote.slots)
        ]
        return min(free, key=lambda one: (one.stranger, one.running, one.turn), default=None)

    def _worth_waiting(self, tried: list[Address]) -> bool:
        """Whether an address that has not been tried serves and is full, or is about to show whether it is back."""
        return any(address not in tried for address in self._healthy()) or bool(self._due(tried))

    def _healthy(self) -> list[Address]:
        now = self._clock()
        return [
            address
            for address in self._all
            if address.breaker.state(now) == "closed" and address.breaker.ready(now)
        ]

    def _due(self, tried: list[Address]) -> list[Address]:
        """Those whose health is being asked, or whose rest is over. No turn is the one that finds out."""
        now = self._clock()
        return [
            address
            for address in self._all
            if address not in tried and address.breaker.state(now) == "half_open"
        ]

    def _release(self, attempt: Attempt) -> None:
        if not attempt.over:
            attempt.over = True
            attempt.address.running -= attempt.slots
            attempt.address.breaker.dropped(attempt.ticket)
            self._deal()

    def _exhausted(self, reason: MenagerieError | None) -> MenagerieError:
        """What is told when no address is left: the last one's reason, where only that helps, or when to come back."""
        if reason is not None:
            return MenagerieError(reason.code, retry_after=reason.retry_after, **reason.values)
        now = self._clock()
        rest = min((address.breaker.rest_s(now) for address in self._all), default=0.0)
        return MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=float(max(1, math.ceil(rest))))

    # What becomes of an attempt

    def _heard(self, attempt: Attempt) -> None:
        """Something came of the attempt; of a small call also an estimate, when nothing or an error did."""
        if 0 < attempt.reply.status < 500:
            with self._telling(attempt.address):
                attempt.address.breaker.proven(attempt.ticket)
            attempt.address.heard_at = self._clock()
        if attempt.reply.status == 200:
            attempt.address.stranger = False

    def _answered(self, attempt: Attempt) -> None:
        attempt.address.breaker.answered(attempt.ticket)
        attempt.address.suspect = False
        attempt.address.heard_at = self._clock()

    def _judge(self, attempt: Attempt, failure: MenagerieError) -> Fault:
        """Let the address bear what is its fault."""
        if self._closed:
            return "request"
        address, reply, now = attempt.address, attempt.reply, self._clock()
        fault = fault_of(failure, reply.status, reply.retry_after)
        with self._telling(address, failure.code):
            if fault == "failed":
                address.breaker.failed(attempt.ticket, now)
            elif fault == "busy":
                rest = rest_asked_for(reply.status, reply.retry_after)
                address.breaker.asked_to_rest(attempt.ticket, now, rest)
            elif reply.status:
                address.breaker.proven(attempt.ticket)
        if fault == "stranger":
            address.stranger = True
            log.error(
                "engine.address_refuses",
                engine=self.remote.name,
                address=address.label,
                status=reply.status,
            )
        if fault == "failed" or (failure.code is ErrorCode.ENGINE_REFUSED and reply.status == 200):
            address.suspect = True
            address.changed.set()
        return fault

    @contextlib.contextmanager
    def _telling(self, address: Address, why: str = "") -> Generator[None, None, None]:
        """Tell our log when what happens inside opens or closes the breaker."""
        was = address.breaker.state(self._clock())
        yield
        now = self._clock()
        state = address.breaker.state(now)
        about = {"engine": self.remote.name, "address": address.label}
        if state == "open" and was != "open":
            log.warning("engine.address_out", why=why, rest_s=round(address.breaker.rest_s(now), 1), **about)
        if state == "closed" and was != "closed":
            log.info("engine.address_in", **about)

    # Health

    async def _watch(self, address: Address) -> None:
        """Ask for the address's health: when it is new, after a failure, when its rest is over, and when idle."""
        await self._probe(address)
        while True:
            address.changed.clear()
            try:
                async with asyncio.timeout(self._pause_s(address)):
                    await address.changed.wait()
            except TimeoutError:
                if self._to_be_asked(address):
                    await self._probe(address)
                self._deal()

    def _pause_s(self, address: Address) -> float:
        """Seconds until the next look at it. Whatever it is, services that began together do not look together."""
        now = self._clock()
        rest = address.breaker.rest_s(now)
        if address.breaker.state(now) != "closed":
            pause = rest if rest or address.breaker.ready(now) else _SUSPECT_S
        elif address.suspect:
            pause = max(rest, _SUSPECT_S)
        else:
            pause = max(rest, address.heard_at + _IDLE_S - now, _SUSPECT_S)
        return pause * random.uniform(1, 1 + _JITTER)  # noqa: S311

    def _to_be_asked(self, address: Address) -> bool:
        idle = not address.running and self._clock() - address.heard_at >= _IDLE_S
        closed = address.breaker.state(self._clock()) == "closed"
        return address.breaker.ready(self._clock()) and (not closed or address.suspect or idle)

    async def _probe(self, address: Address) -> None:
        ticket = address.breaker.begin(self._clock())
        try:
            if await address.client.healthy():
                if not self._template_known:
                    self.takes_system = await address.client.takes_system_messages()
                    self._template_known = True
                with self._telling(address):
                    address.breaker.proven(ticket)
                address.suspect = False
                address.heard_at = self._clock()
                self._unmet.clear()
            else:
                with self._telling(address, "unhealthy"):
                    address.breaker.failed(ticket, self._clock())
                address.suspect = True
        finally:
            address.breaker.dropped(ticket)
            self._unmet.discard(address)
            if not self._unmet:
                self._met.set()
            self._deal()


def _say_if_broken(watch: asyncio.Task[None]) -> None:
    if not watch.cancelled() and (failure := watch.exception()):
        log.error("engine.watch_broken", failure=repr(failure))
