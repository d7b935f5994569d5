"""A world for the policy to decide about: it carries out what is decided, in its own time, and watches that every
promise is kept. `test_histories` lets random histories happen in it."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Literal

from menagerie.engines.actions import End, Grant, NotLetIn, Refuse, Start
from menagerie.engines.place import Form
from menagerie.engines.policy import Scheduler
from menagerie.engines.room import fits, less, plus
from menagerie.engines.rules import Rules

Fate = Literal["loads", "fails", "out of memory"]
LONGEST_TURN_S = 20.0
LONGEST_LOAD_S = 8.0
"""An end and a load."""


class World:
    """Engines whose loads, turns and ends take time. All times in seconds."""

    def __init__(self, budgets: tuple[int, ...], seed: int, rules: Rules | None = None) -> None:
        self.policy = Scheduler(budgets, rules)
        self.random = Random(seed)
        self.now = 0.0
        self.state: dict[str, str] = {}
        self.taken: dict[str, tuple[int, ...]] = {}
        self.form: dict[str, int] = {}
        self.key: dict[int, str] = {}
        self.user: dict[int, str] = {}
        self.tokens: dict[int, int] = {}
        self.waiting: dict[int, float] = {}
        self.running: dict[str, set[int]] = {}
        self.ended: Counter[int] = Counter()
        self.granted: list[int] = []
        self.refused: dict[int, str] = {}
        self.starts: list[tuple[float, str, int]] = []
        self.ends: list[tuple[float, str, str]] = []
        self.fates: dict[str, list[Fate]] = {}
        self.turn_s: float | None = None
        """How long turns take, a random time where None."""
        self.load_s: float | None = None
        self.end_s: float | None = None
        self.calm = True
        """Nothing has failed, died or grown so far."""
        self.longest_still_s = 0.0
        self.still_since: dict[str, float] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._looks = 0

    # What happens in it

    def know(self, key: str, *forms: Form, load_s: float = 1.0, **more: float | bool | None) -> None:
        """An engine that may be asked for."""
        self.policy.know(key, forms, load_s, **more)  # type: ignore[arg-type]
        self.state.setdefault(key, "absent")
        self.running.setdefault(key, set())

    def enter(self, key: str, user: str = "ann", tokens: int = 10, *, batch: bool = False) -> int:
        """A request; raises `NotLetIn`."""
        before = self.policy.waiting
        queue_length, there = self.policy.rules.queue_length, self.policy.places
        try:
            request = self.policy.enter(key, user, tokens, self.now, batch=batch)
        except NotLetIn:
            assert self.policy.waiting == before, "one that is not let in waits"
            raise
        self.key[request], self.user[request], self.tokens[request] = key, user, tokens
        self.waiting[request] = self.now
        mine = sum(self.user[one] == user for one in self.waiting)
        assert len(self.waiting) <= queue_length + len(there), "the queue is bounded"
        assert mine <= max(1, queue_length // 2) + len(there), "a user's part of the queue is bounded"
        self.look(event=True)
        return request

    def give_up(self, request: int) -> None:
        """The owner of a request goes away, whether it waits, runs or has ended."""
        self._leave(request)
        self.look(event=True)

    def adjust(self, request: int, tokens: int) -> None:
        """A granted request needs less than it asked for, whether its engine is still there or not."""
        self.tokens[request] = tokens
        self.policy.adjust(request, tokens)
        self.look(event=True)

    def die(self, key: str) -> None:
        """A loaded engine's process ends; whoever ran on it has been answered."""
        assert self.state[key] == "ready"
        self.calm = False
        self.policy.lost(key, self.now)
        self.state[key] = "leaving"
        for request in self.running[key]:
            self._end_of(request)
        self.running[key].clear()

        def gone() -> None:
            self._is_absent(key)
            self.policy.died(key, self.now, "engine.lost")

        self.after(self.random.uniform(0, 0.5), gone)
        self.look(event=True)

    def grow(self, key: str, by: int) -> None:
        """A loaded engine takes more memory than was expected of it."""
        self.calm = False
        self.taken[key] = tuple(mib + by if mib else 0 for mib in self.taken[key])
        self.policy.measured(key, self.taken[key])
        self.look(event=True)

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen later."""
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, what))

    # Time

    def step(self) -> bool:
        """Go on to what happens next; False where nothing will."""
        look = self.policy.next_look(self.now)
        at = self._events[0][0] if self._events else math.inf
        if min(at, look) == math.inf:
            assert not self.policy.waiting, "somebody waits, and nothing will ever happen"
            return False
        self.now = max(self.now, min(at, look))
        if at <= look:
            heapq.heappop(self._events)[2]()
        self.look(event=at <= look)
        return True

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        until = self.now + seconds
        while True:
            at = self._events[0][0] if self._events else math.inf
            if min(at, self.policy.next_look(self.now)) > until:
                break
            self.step()
        self.now = until
        self.look(event=True)

    def run_out(self) -> None:
        """Let everything end; then everybody has been answered, once."""
        for _ in range(100_000):
            if not self.policy.waiting and not self.policy.running:
                break
            assert self.step()
        assert not self.policy.waiting
        assert not self.policy.running
        assert all(self.ended[request] == 1 for request in self.key), "a request is lost"

    # What is decided

    def look(self, *, event: bool) -> None:
        """Ask the policy, carry out what it decides, and watch."""
        self._looks = 0 if event else self._looks + 1
        assert self._looks <= 8 + 3 * len(self.state) + len(self.waiting), "it looks, and nothing follows"
        lines: dict[str, list[int]] = {}
        for key, place in self.policy.places.items():
            place.promote(self.now)
            lines[str(key)] = [one.id for one in place.queue]
        actions = self.policy.decide(self.now)
        for action in actions:
            match action:
                case Grant(request):
                    key = self.key[request]
                    assert lines[key][0] == request, "granted out of turn"
                    del lines[key][0]
                    self._grant(request, key)
                case Refuse(request, code):
                    self._end_of(request)
                    del self.waiting[request]
                    self.refused[request] = code
                case Start(key, form):
                    self._start(str(key), form)
                case End(key, reason):
                    self._end(str(key), reason)
        again = self.policy.decide(self.now)
        assert not again, f"decided twice: {actions}, {again}"
        assert self.policy.next_look(self.now) > self.now
        self._watch()

    def _grant(self, request: int, key: str) -> None:
        place = self.policy.places[key]
        form = place.forms[self.form[key]]
        assert self.state[key] == "ready", "granted on an engine that is not there"
        self.running[key].add(request)
        del self.waiting[request]
        self.granted.append(request)
        self.still_since[key] = self.now
        assert len(self.running[key]) <= form.slots + form.spare, "more turns than slots"
        if form.tokens is not None:
            assert sum(self.tokens[one] for one in self.running[key]) <= form.tokens, (
                "more than the pool holds"
            )
        seconds = self.random.uniform(0, LONGEST_TURN_S) if self.turn_s is None else self.turn_s
        self.after(seconds, lambda: self._leave(request))

    def _start(self, key: str, form: int) -> None:
        place = self.policy.places[key]
        assert self.state[key] == "absent", "started twice"
        memory = place.forms[form].memory
        free = less(self.policy.budgets, self.taken.values())
        assert fits(memory, free), "started without room"
        self.state[key], self.form[key], self.taken[key] = "loading", form, memory
        self.starts.append((self.now, key, form))
        seconds = self.random.uniform(0.01, LONGEST_LOAD_S * 0.8) if self.load_s is None else self.load_s
        fate = self.fates[key].pop(0) if self.fates.get(key) else "loads"

        def over() -> None:
            if fate == "loads":
                self.state[key] = "ready"
                self.policy.loaded(key, self.now, seconds, memory)
                return
            self.calm = False
            self._is_absent(key)
            self.policy.failed(key, self.now, "engine.start_failed", out_of_memory=fate == "out of memory")

        self.after(seconds, over)

    def _end(self, key: str, reason: str) -> None:
        pinned = self.policy.places[key].pinned
        assert self.state[key] == "ready", "ended while it loads"
        assert not self.running[key], "ended while a turn runs"
        wanted = [one for one in self.policy.places.values() if one.pinned and one.queue]
        assert not pinned or (reason != "idle" and wanted), "ended though pinned"
        self.state[key] = "leaving"
        self.ends.append((self.now, key, reason))

        def over() -> None:
            self._is_absent(key)
            self.policy.ended(key)

        self.after(self.random.uniform(0, LONGEST_LOAD_S * 0.2) if self.end_s is None else self.end_s, over)

    def _leave(self, request: int) -> None:
        key = self.key[request]
        if request in self.waiting:
            del self.waiting[request]
            self._end_of(request)
        elif request in self.running[key]:
            self.running[key].remove(request)
            self._end_of(request)
        self.policy.leave(request, self.now)

    def _end_of(self, request: int) -> None:
        self.ended[request] += 1
        assert self.ended[request] == 1, "answered twice"

    def _is_absent(self, key: str) -> None:
        self.state[key] = "absent"
        self.taken.pop(key, None)

    # What is promised

    def _watch(self) -> None:
        policy = self.policy
        for key, place in policy.places.items():
            assert place.state == self.state[str(key)]
            assert set(place.running) == self.running[str(key)]
            assert any(place.reserved) == any(self.taken.get(str(key), ())), "memory forgotten"
            line = [one.id for one in place.queue]
            assert [policy.position(one) for one in line] == list(range(1, len(line) + 1))
            assert all(0 <= policy.expected_s(one, self.now) < math.inf for one in line[::16])
            assert set(line) == {one for one in self.waiting if self.key[one] == key}, "lost while it waits"
            self._watch_line(str(key))
        if self.calm:
            taken = plus((0,) * len(policy.budgets), self.taken.values())
            assert fits(taken, policy.budgets), "more memory than there is"
        at = self._events[0][0] if self._events else math.inf
        if policy.waiting and at == math.inf:
            assert policy.next_look(self.now) < math.inf, "deadlock"

    def _watch_line(self, key: str) -> None:
        place = self.policy.places[key]
        if not place.queue:
            self.still_since.pop(key, None)
            return
        since = max(place.queue.urgent_at, self.still_since.get(key, -math.inf))
        still = self.now - since
        bound = self.policy.rules.longest_wait_s(len(self.state), LONGEST_TURN_S, LONGEST_LOAD_S)
        if self.calm and still > 0:
            self.longest_still_s = max(self.longest_still_s, still)
            assert still <= bound + 1e-6, f"a line stands still for {still} s, the bound is {bound} s"


def small_world(*budgets: int, rules: Rules | None = None) -> World:
    """A world in which loads and turns take a second, and ends no time."""
    world = World(budgets or (1000,), 0, rules)
    world.turn_s = world.load_s = 1.0
    world.end_s = 0.0
    return world


def form(*memory: int, slots: int = 2, tokens: int | None = None) -> Form:
    """A form with two slots."""
    return Form(memory, slots, tokens)


def states(world: World) -> dict[str, str]:
    """What the engines are doing."""
    return dict(world.state)
