"""Which engines are in memory, and who is next: the whole policy, pure. Times in seconds and memory in MiB come in as
arguments; what is to be done goes out as actions. `residency` carries them out, the simulator replays them.

What it promises, whatever happens (`tests/engines/test_policy.py` drives random histories against it):

- **Budget.** What engines may take together never exceeds any device's budget, and nothing is started that does not
  fit beside what is there, what is ending included.
- **Nobody is cut off.** An engine that is loading, or on which a turn runs, is never ended.
- **Every request ends once:** granted, refused, or given up by its owner.
- **Fair.** On one engine, users go in turn and people before batches (`fairness`).
- **Bounded overtaking.** Requests for an engine that is there go ahead of one that needs a swap, but only for
  `patience`: four times the load, 2 s at least, 30 s at most, counted from its arrival. Then the engines that have to
  leave take no more requests, unless they came less than `stay` (twice their own load, 30 s at most) ago.
- **Bounded waiting.** With M engines and turns of T seconds at most, whoever waits longest for a model begins within
  `Rules.longest_wait_s`: patience and 2·M rounds of stay + T + load.
- **No thrashing.** A swap is made when the waiting that it ends has cost as much as the waiting that it brings, or
  when patience ends; with the stay, the larger part of the time is spent serving.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence

import msgspec

from menagerie.engines.overview import EngineState
from menagerie.engines.place import Form, Place
from menagerie.engines.room import Memory, choose, fits, less, nothing, plus
from menagerie.engines.rules import Rules

Key = Hashable


class Grant(msgspec.Struct, frozen=True):
    """The request may generate."""

    request: int


class Refuse(msgspec.Struct, frozen=True):
    """The request will not be served: its engine cannot be loaded, for the reason `code`."""

    request: int
    code: str


class Start(msgspec.Struct, frozen=True):
    """Load the engine in this form, then tell `loaded` or `failed`."""

    key: Key
    form: int


class End(msgspec.Struct, frozen=True):
    """End the engine, then tell `ended`. `reason` as in `Observer.unloaded`."""

    key: Key
    reason: str


Action = Grant | Refuse | Start | End


class NotLetIn(Exception):  # noqa: N818 - an answer, not a fault
    """A request that is not let in. `retry_s` where trying again can help; `needed` and `budget` in MiB."""

    def __init__(self, why: str, retry_s: float | None = None, needed: int = 0, budget: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.retry_s = retry_s
        self.needed = needed
        self.budget = budget


class Scheduler:
    """The state of the policy. Tell it what happens, then ask `decide` what to do, and again at `next_look`."""

    def __init__(self, budgets: Memory, rules: Rules | None = None) -> None:
        self.budgets = budgets
        self.rules = rules or Rules()
        self.places: dict[Key, Place] = {}
        self.hits = self.misses = self.loads = self.evictions = self.failures = 0
        self._where: dict[int, Place] = {}
        self._refusals: list[Refuse] = []
        self._next_request = 0
        self._stopping = ""

    # What happens

    def know(
        self,
        key: Key,
        forms: Sequence[Form],
        load_s: float,
        *,
        pinned: bool = False,
        idle_after_s: float | None = None,
    ) -> Place:
        """An engine that may be asked for, the largest form first; what is known of one already is replaced."""
        place = self.places.get(key)
        if place is None:
            place = self.places[key] = Place(key, self.rules.batch_patience_s)
            place.load_s = load_s
        place.forms, place.pinned, place.idle_after_s = tuple(forms), pinned, idle_after_s
        place.reserved = place.reserved or nothing(self.budgets)
        return place

    def forget(self, key: Key) -> None:
        """An engine that nobody can ask for any more; it must be absent, and nobody wait for it."""
        place = self.places[key]
        assert place.state == "absent"
        assert not place.wanted
        del self.places[key]

    def enter(self, key: Key, user: str, tokens: int, now: float, *, batch: bool = False) -> int:
        """A request for `tokens` of the engine's pool. Returns its number; raises `NotLetIn`: what `stop`
        was told, `too_large` and `too_long` with the figures, `set_aside`, `full`."""
        place = self.places[key]
        self._check(place, user, tokens, now)
        number = self._next_request = self._next_request + 1
        place.arrived(now)
        if place.state == "ready":
            self.hits += 1
        else:
            self.misses += 1
        place.queue.add(number, user, tokens, batch, now)
        self._where[number] = place
        return number

    def adjust(self, request: int, tokens: int) -> None:
        """A granted request needs only so many tokens of the pool."""
        self._where[request].adjust(request, tokens)

    def leave(self, request: int, now: float) -> None:
        """A request has ended, or is given up; harmless for one that was refused."""
        place = self._where.pop(request, None)
        if place is not None:
            place.leave(request, now)

    def loaded(self, key: Key, now: float, seconds: float, memory: Memory | None = None) -> None:
        """The engine answers; `memory` is what it takes as measured."""
        place = self.places[key]
        self.loads += 1
        place.loaded(now, seconds, memory)

    def failed(self, key: Key, now: float, code: str, *, out_of_memory: bool = False) -> None:
        """A load failed. The first time for want of memory, it is tried again by itself once there is more room."""
        place = self.places[key]
        place.absent()
        if out_of_memory and not place.short_of_memory and not self._stopping:
            place.short_of_memory = True
            return
        place.short_of_memory = False
        self._count_failure(place, now, code)
        for waiting in list(place.queue):
            self._refuse(waiting.id, code)

    def died(self, key: Key, now: float, code: str) -> None:
        """A loaded engine has ended by itself, or had to be ended because it hung."""
        place = self.places[key]
        if now - place.ready_at > self.rules.lived_well_s:
            place.failures = 0
        place.absent()
        self._count_failure(place, now, code)

    def ended(self, key: Key) -> None:
        """The engine has been ended as asked, and its memory is free."""
        self.places[key].absent()

    def measured(self, key: Key, memory: Memory) -> None:
        """What a loaded engine may take, as one knows better by now."""
        if self.places[key].state == "ready":
            self.places[key].reserved = memory

    def stop(self, why: str) -> None:
        """Let nobody in any more, and refuse those who wait."""
        self._stopping = why
        for place in self.places.values():
            for waiting in list(place.queue):
                self._refuse(waiting.id, why)

    # What to do

    def decide(self, now: float) -> list[Action]:
        """What is to be done now. The actions count as begun."""
        actions: list[Action] = [*self._refusals]
        self._refusals.clear()
        actions += self._end_what_is_unused(now)
        actions += self._make_room(now)
        actions += self._grant(now)
        return actions

    def next_look(self, now: float) -> float:
        """When to ask `decide` again, if nothing happens before; infinite where only an event can change anything."""
        looks = [math.inf]
        for place in self.places.values():
            if place.state == "absent" and len(place.queue):
                looks += [place.rests_until, place.due_at, place.queue.oldest_at + self._patience(place)]
            elif place.idle and place.idle_after_s is not None and not place.pinned:
                looks.append(place.last_used + place.idle_after_s)
            if place.state == "ready":
                looks += [place.queue.next_promotion, place.ready_at + self.rules.stay_s(place.load_s)]
        return min((look for look in looks if look > now), default=math.inf)

    # What can be seen

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return sum(len(place.queue) for place in self.places.values())

    @property
    def running(self) -> int:
        """Requests that generate."""
        return sum(len(place.running) for place in self.places.values())

    def state(self, key: Key, now: float) -> EngineState:
        """What an engine is doing."""
        place = self.places.get(key)
        if place is None:
            return "absent"
        if self._stopping:
            return "stopped"
        if place.state == "absent" and place.rests_until > now:
            return "set_aside" if self._is_set_aside(place) else "resting"
        if place.state == "absent" and len(place.queue):
            return "waiting"
        return place.state

    def position(self, request: int) -> int:
        """A waiting request's place in the queue of its engine, from 1; 0 for one that waits no more."""
        place = self._where.get(request)
        return place.position(request) if place else 0

    def expected_s(self, request: int, now: float) -> float:
        """Seconds that a waiting request is likely to wait still."""
        place = self._where.get(request)
        position = place.position(request) if place else 0
        if place is None or not position:
            return 0.0
        return self._until_ready(place, now) + place.outlook(now)[position - 1]

    # How

    def _check(self, place: Place, user: str, tokens: int, now: float) -> None:
        if self._stopping:
            raise NotLetIn(self._stopping)
        pool = min((form.tokens for form in place.forms if form.tokens is not None), default=None)
        if pool is not None and tokens > pool:
            raise NotLetIn("too_long", needed=tokens, budget=pool)
        if place.state == "absent":
            self._check_size(place)
            if place.rests_until > now and self._is_set_aside(place):
                raise NotLetIn("set_aside", place.rests_until - now)
        if (
            place.state == "ready"
            and place.closed_for is None
            and not len(place.queue)
            and place.has_room(tokens, batch=False)
        ):
            return
        mine = sum(waiting.user == user for other in self.places.values() for waiting in other.queue)
        if self.waiting >= self.rules.queue_length or mine > self.rules.queue_length // 2:
            raise NotLetIn("full", max(1.0, place.holds.expected_s(place.slots) / max(1, place.slots)))

    def _check_size(self, place: Place) -> None:
        """Whether the engine could be loaded if everything left that can."""
        pinned = [other.reserved for other in self.places.values() if other.pinned and other is not place]
        most = self.budgets if place.pinned else less(self.budgets, pinned)
        smallest = place.forms[-1].memory
        if not fits(smallest, most):
            short = next(i for i, need in enumerate(smallest) if need > most[i])
            raise NotLetIn("too_large", needed=smallest[short], budget=most[short])

    def _refuse(self, request: int, code: str) -> None:
        place = self._where.pop(request)
        place.give_up(request)
        self._refusals.append(Refuse(request, code))

    def _count_failure(self, place: Place, now: float, code: str) -> None:
        self.failures += 1
        place.failures += 1
        place.failure = code
        place.rests_until = now + self.rules.rest_s(place.failures)

    def _is_set_aside(self, place: Place) -> bool:
        return place.failures > len(self.rules.rests_s)

    def _grant(self, now: float) -> list[Action]:
        grants: list[Action] = []
        for place in self.places.values():
            place.queue.promote(now)
            if place.state != "ready" or place.closed_for:
                continue
            while (head := place.queue.head) and place.has_room(
                head.tokens, batch=not place.queue.promoted(head)
            ):
                place.grant(now)
                grants.append(Grant(head.id))
        return grants

    def _end_what_is_unused(self, now: float) -> list[Action]:
        over = any(taken > budget for taken, budget in zip(self._taken(), self.budgets, strict=True))
        unused = [
            (place, "idle")
            for place in self.places.values()
            if place.idle
            and not place.pinned
            and place.idle_after_s is not None
            and now - place.last_used >= place.idle_after_s
        ]
        if over and not unused:  # an engine has grown beyond what was expected of it
            idle = [one for one in self.places.values() if one.idle and any(one.reserved) and not one.pinned]
            unused = [(place, "evicted") for place in sorted(idle, key=lambda one: one.worth(now))[:1]]
        return [self._end(place, reason) for place, reason in unused]

    def _end(self, place: Place, reason: str) -> Action:
        place.state = "leaving"
        if reason in {"evicted", "shrunk"}:
            self.evictions += 1
        return End(place.key, reason)

    def _start(self, place: Place, form: int, now: float) -> Action:
        place.begin(form, now)
        return Start(place.key, form)

    def _make_room(self, now: float) -> list[Action]:
        """Start what waits, who waits longest first; end what has to leave for it. What is free is kept for those
        whose time has come, and what is left may be taken by whoever fits."""
        actions: list[Action] = []
        was_closed = {place.key: place.closed_for for place in self.places.values()}
        for place in self.places.values():
            place.closed_for = None
            if not len(place.queue):
                place.chosen_form = None
        free = less(self.budgets, [self._taken()])
        later = plus(free, [one.reserved for one in self.places.values() if one.state == "leaving"])
        for place in sorted(self._wanting(now), key=lambda one: one.queue.oldest_at):
            chosen = choose(place, self.places.values(), later, now, self.rules, was_closed)
            if chosen is None:
                continue
            form, leaving = chosen
            memory = place.forms[form].memory
            for other in leaving:
                other.closed_for = place
                place.chosen_form = form
                later = plus(later, [other.reserved])
                if not other.running:
                    other.comes_back = other.smallest_beside(less(later, [memory]))
                    actions.append(self._end(other, "shrunk" if other.comes_back else "evicted"))
            if not leaving and fits(memory, free):
                actions.append(self._start(place, form, now))
            free, later = less(free, [memory]), less(later, [memory])
        if not any(len(place.queue) for place in self.places.values() if place.state == "absent"):
            actions += self._bring_back(free, now)
        return actions

    def _wanting(self, now: float) -> Iterable[Place]:
        for place in self.places.values():
            if place.state == "absent" and len(place.queue) and place.rests_until <= now:
                yield place

    def _bring_back(self, free: Memory, now: float) -> list[Action]:
        """Load what is pinned, and, smaller, what had to leave for another and fits beside it."""
        for place in self.places.values():
            if place.state != "absent" or place.rests_until > now or not (place.comes_back or place.pinned):
                continue
            for number, form in enumerate(place.forms):
                if fits(form.memory, free):
                    return [self._start(place, number, now)]
        return []

    def _taken(self) -> Memory:
        return plus(nothing(self.budgets), [place.reserved for place in self.places.values()])

    def _patience(self, place: Place) -> float:
        return self.rules.patience_s(place.load_s)

    def _until_ready(self, place: Place, now: float) -> float:
        """Seconds until an engine is likely to take the next request."""
        if place.state == "ready" and place.closed_for is None:
            return 0.0
        if place.state == "loading":
            return max(place.began_at + place.load_s - now, place.load_s * 0.1)
        if (other := place.closed_for) is not None:
            there = other.load_s + self.rules.stay_s(other.load_s)
            return max(place.remaining_s(now), default=0.0) + there + place.load_s
        older = [one for one in self._wanting(now) if one.queue.oldest_at < place.queue.oldest_at]
        before = sum(one.load_s + self.rules.stay_s(one.load_s) for one in older)
        if place.due_at < math.inf:
            return max(0.0, place.due_at - now) + before + place.load_s
        due = place.queue.oldest_at + self._patience(place)
        busy = [one for one in self.places.values() if one.state == "ready" and one.running]
        drain = min((max(one.remaining_s(now)) for one in busy), default=0.0)
        return max(0.0, due - now) + drain + before + place.load_s
