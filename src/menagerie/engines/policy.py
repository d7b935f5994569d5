"""Which engines are in memory, and who is next: the whole policy, pure. Times in seconds and memory in MiB come in as
arguments; what is to be done goes out as actions. `residency` carries them out, the simulator replays them.

What it promises, whatever happens (`tests/engines/test_histories.py` drives random ones against it):

- **Budget.** What engines may take together never exceeds any device's budget, and nothing is started that does not
  fit beside what is there, what is ending included.
- **Nobody is cut off.** An engine that is loading, or on which a turn runs, is never ended.
- **Every request ends once:** granted, refused, or given up by its owner.
- **Fair.** On one engine, users go in turn and people before batches (`fairness`), which have all slots while nobody is
  about, and half of them else; a spare slot is for people alone.
- **Bounded overtaking.** Requests for an engine that is there go ahead of one that needs a swap, but only for
  `patience`: four times the load, 2 s at least, 30 s at most, counted from its arrival. Then the engines that have to
  leave take no more requests, unless they came less than `stay` ago: twice what the swap cost, their load and the
  turns that have to end, and until all have begun who waited when they came; 120 s at most.
- **Bounded waiting.** With M engines and turns of T seconds at most, no line stands still for longer than
  `Rules.longest_wait_s`: patience + T + load, and M - 1 rounds of stay + T + load. Failures and deaths come on top.
- **No thrashing.** An engine leaves when it has stayed, or when nobody has used it for a lull: with the stay, the
  larger part of the time is spent serving.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from menagerie.engines.actions import Action, End, Grant, Key, NotLetIn, Refuse, Start
from menagerie.engines.overview import EngineState, Reason
from menagerie.engines.place import Form, Place
from menagerie.engines.prospect import until_ready
from menagerie.engines.room import Memory, choose, fits, less, nothing, plus
from menagerie.engines.rules import Rules

_OUTLOOK_KEPT_S: Final = 0.25


class Scheduler:
    """The state of the policy. Tell it what happens, then ask `decide` what to do, and again at `next_look`."""

    def __init__(self, budgets: Memory, rules: Rules | None = None) -> None:
        self.budgets = budgets
        self.rules = rules or Rules()
        self.places: dict[Key, Place] = {}
        self.hits = self.misses = self.loads = self.evictions = self.failures = 0
        self._where: dict[int, Place] = {}
        self._refusals: list[Refuse] = []
        self._next_request = self._next_choice = 0
        self._stopping = ""
        self._ready_in: dict[Key, tuple[float, float]] = {}

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
        self._check(place, user, tokens, now, batch=batch)
        number = self._next_request = self._next_request + 1
        if place.state == "ready":
            self.hits += 1
        else:
            self.misses += 1
        place.add(number, user, tokens, batch, now)
        self._where[number] = place
        return number

    def adjust(self, request: int, tokens: int) -> None:
        """A granted request needs only so many tokens of the pool; harmless for one whose engine was lost."""
        if (place := self._where.get(request)) is not None:
            place.adjust(request, tokens)

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
        self._refuse_all(place, code)

    def lost(self, key: Key, now: float) -> None:
        """A loaded engine ends by itself, or has to be ended because it hung; `died` will tell that it has. Who ran on
        it runs no more: whoever asks again enters again."""
        place = self.places[key]
        place.state = "leaving"
        for request in place.cut_off(now):
            del self._where[request]

    def died(self, key: Key, now: float, code: str) -> None:
        """An engine that was lost is gone, and its memory is free."""
        place = self.places[key]
        assert place.state == "leaving"
        self._forgive(place, now)
        place.absent()
        self._count_failure(place, now, code)
        if self._is_set_aside(place):
            self._refuse_all(place, code)

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
            self._refuse_all(place, why)

    # What to do

    def decide(self, now: float) -> list[Action]:
        """What is to be done now. The actions count as begun."""
        decided: list[Action] = []
        while actions := self._next_actions(now):  # what is granted or ended may let more be decided
            decided += actions
            self._ready_in.clear()
        return decided

    def next_look(self, now: float) -> float:
        """When to ask `decide` again, if nothing happens before; infinite where only an event can change anything."""
        looks = [math.inf]
        for place in self.places.values():
            if place.state == "absent" and len(place.queue):
                looks += [place.rests_until, place.due_at, self._urgent_at(place)]
            elif place.state == "absent" and (place.pinned or place.comes_back):
                looks.append(place.rests_until)
            elif place.idle and place.idle_after_s is not None and not place.pinned:
                looks.append(place.last_used + place.idle_after_s)
            if place.state == "ready":
                looks += [place.queue.next_promotion, place.stays_until(self.rules)]
                looks.append(place.person_at + self.rules.people_stay_s)
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

    def could_hold(self, key: Key) -> bool:
        """Whether an engine is there, or could be loaded if everything left that can."""
        place = self.places[key]
        return place.state != "absent" or self._least(place, self._unpinned()) is not None

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
        at, ready_s = self._ready_in.get(place.key, (-math.inf, 0.0))
        if now - at > _OUTLOOK_KEPT_S:
            free = less(self.budgets, [self._taken()])
            ready_s = until_ready(place, self.places.values(), free, now, self.rules)
            at, _ = self._ready_in[place.key] = now, ready_s
        return max(0.0, ready_s - (now - at)) + place.outlook(now)[position - 1]

    # How

    def _next_actions(self, now: float) -> list[Action]:
        actions = [*self._end_what_is_unused(now), *self._make_room(now), *self._grant(now)]
        refusals, self._refusals = self._refusals, []
        return [*refusals, *actions]

    def _check(self, place: Place, user: str, tokens: int, now: float, *, batch: bool) -> None:
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
            and place.has_room(tokens, now, self.rules, batch=batch, yields=batch)
        ):
            return
        mine = sum(other.queue.waits_of(user) for other in self.places.values())
        left = self.rules.queue_length - self.waiting
        if mine >= left:  # whoever has as much as is left leaves that to others
            raise NotLetIn("full", max(1.0, place.holds.expected_s(place.slots) / max(1, place.slots)))

    def _check_size(self, place: Place) -> None:
        """Whether the engine could be loaded if everything left that can."""
        unpinned = self._unpinned()
        if self._least(place, unpinned) is None:
            needed, budget = self._shortage(place, unpinned)
            raise NotLetIn("too_large", needed=needed, budget=budget)

    def _shortage(self, place: Place, unpinned: Memory) -> tuple[int, int]:
        """MiB of the device on which the smallest form cannot fit, and what there is for it."""
        most = self.budgets if place.pinned else unpinned
        pairs = zip(place.forms[-1].memory, most, strict=True)
        return next((need, max(there, 0)) for need, there in pairs if need > max(there, 0))

    def _unpinned(self) -> Memory:
        """What there is for an engine that is not pinned if everything leaves that can."""
        return less(self.budgets, [other.reserved for other in self.places.values() if other.pinned])

    def _least(self, place: Place, unpinned: Memory) -> Memory | None:
        """What the smallest form takes that can fit."""
        most = self.budgets if place.pinned else unpinned
        return next((form.memory for form in reversed(place.forms) if fits(form.memory, most)), None)

    def _refuse_all(self, place: Place, code: str, needed: int = 0, budget: int = 0) -> None:
        for waiting in list(place.queue):
            del self._where[waiting.id]
            place.give_up(waiting.id)
            self._refusals.append(Refuse(waiting.id, code, needed, budget))

    def _count_failure(self, place: Place, now: float, code: str) -> None:
        self.failures += 1
        place.failures += 1
        place.failure = code
        place.rests_until = now + self.rules.rest_s(place.failures)

    def _forgive(self, place: Place, now: float) -> None:
        """Failures count in a row: an engine that has lived well begins anew."""
        if now - place.ready_at > self.rules.lived_well_s:
            place.failures = 0

    def _is_set_aside(self, place: Place) -> bool:
        return place.failures > len(self.rules.rests_s)

    def _grant(self, now: float) -> list[Action]:
        grants: list[Action] = []
        for place in self.places.values():
            place.promote(now)
            if place.state != "ready" or place.closed_for:
                continue
            while (head := place.queue.head) and place.has_room(
                head.tokens, now, self.rules, batch=head.batch, yields=place.queue.head_yields
            ):
                place.grant(now)
                grants.append(Grant(head.id))
        return grants

    def _end_what_is_unused(self, now: float) -> list[Action]:
        idle = [place for place in self.places.values() if place.idle and not place.pinned]
        actions = [
            self._end(place, "idle", now)
            for place in idle
            if place.idle_after_s is not None and now >= place.last_used + place.idle_after_s
        ]
        stays = less(self.budgets, [one.reserved for one in self.places.values() if one.state != "leaving"])
        if min(stays, default=0) >= 0:
            return actions
        for place in sorted(idle, key=lambda one: one.worth(now)):  # one has grown beyond what was expected
            if place.idle and any(
                there < 0 < taken for there, taken in zip(stays, place.reserved, strict=True)
            ):
                actions.append(self._end(place, "evicted", now))
                stays = plus(stays, [place.reserved])
        return actions

    def _end(self, place: Place, reason: Reason, now: float) -> Action:
        self._forgive(place, now)
        place.state, place.left_at = "leaving", now
        if reason in {"evicted", "shrunk"}:
            self.evictions += 1
        return End(place.key, reason)

    def _start(self, place: Place, form: int, now: float) -> Action:
        place.begin(form, now)
        return Start(place.key, form)

    def _make_room(self, now: float) -> list[Action]:
        """Start what waits, and end what has to leave for it. Those whose time has come go first, and what they need
        is kept for them though they cannot have it yet; then those for whom others leave; then everybody else.
        What is left may be taken by whoever fits."""
        actions: list[Action] = []
        was_closed = {place.key: place.closed_for for place in self.places.values()}
        for place in self.places.values():
            place.closed_for = None
            if not len(place.queue):
                place.chosen_form = None
        free = less(self.budgets, [self._taken()])
        later = plus(free, [one.reserved for one in self.places.values() if one.state == "leaving"])
        unpinned = self._unpinned()
        ready = [place for place in self.places.values() if place.state == "ready"]
        for place in sorted(self._wanting(now), key=lambda one: self._rank(one, now)):
            chosen = choose(place, ready, later, now, self.rules, was_closed)
            if chosen is None:
                least = self._least(place, unpinned)
                if least is None:
                    self._refuse_all(place, "too_large", *self._shortage(place, unpinned))
                elif now >= self._urgent_at(place):
                    free, later = less(free, [least]), less(later, [least])
                continue
            form, leaving = chosen
            memory = place.forms[form].memory
            for other in leaving:
                other.closed_for = place
                later = plus(later, [other.reserved])
                if not other.running:
                    other.comes_back = other.smallest_beside(less(later, [memory]))
                    reason: Reason = "shrunk" if other.comes_back else "evicted"
                    actions.append(self._end(other, reason, now))
            if not leaving and fits(memory, free):
                actions.append(self._start(place, form, now))
            elif place.chosen_form is None:
                self._next_choice = place.chosen_as = self._next_choice + 1
            place.chosen_form = form if place.state == "absent" else None
            free, later = less(free, [memory]), less(later, [memory])
        if not any(len(place.queue) for place in self.places.values() if place.state == "absent"):
            actions += self._bring_back(free, now)
        return actions

    def _urgent_at(self, place: Place) -> float:
        return place.urgent_since + self.rules.patience_s(place.load_s)

    def _rank(self, place: Place, now: float) -> tuple[int, float]:
        if now >= self._urgent_at(place):
            return 0, place.urgent_since
        return (2, place.urgent_since) if place.chosen_form is None else (1, place.chosen_as)

    def _wanting(self, now: float) -> Iterable[Place]:
        for place in self.places.values():
            if place.state == "absent" and len(place.queue) and place.rests_until <= now:
                yield place

    def _bring_back(self, free: Memory, now: float) -> list[Action]:
        """Load what is pinned, and, smaller, what had to leave for another and fits beside it: one after another."""
        if self._stopping or any(place.state == "loading" for place in self.places.values()):
            return []
        for place in self.places.values():
            if place.state != "absent" or place.rests_until > now or not (place.comes_back or place.pinned):
                continue
            for number, form in enumerate(place.forms):
                if fits(form.memory, free):
                    return [self._start(place, number, now)]
        return []

    def _taken(self) -> Memory:
        return plus(nothing(self.budgets), [place.reserved for place in self.places.values()])
