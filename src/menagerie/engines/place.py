"""What the policy knows of one engine: its state, who runs on it, who waits for it, and what it would cost to lose
it. Pure."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Final, Literal

import msgspec

from menagerie.engines.fairness import FairQueue
from menagerie.engines.forecast import Holds, expected_waits, remaining_s
from menagerie.engines.rules import Rules

_MEMORY_OF_ARRIVALS_S: Final = 300.0
"""Requests of the last minutes tell how much an engine is wanted; older ones fade."""
_SMOOTHING: Final = 0.5
_OUTLOOK_KEPT_S: Final = 0.25


class Form(msgspec.Struct, frozen=True):
    """One way to load an engine: MiB of each device, turns at once, and tokens in the pool that they share (None:
    the engine keeps its own account). `spare` slots come on top for people, while batches fill the others; without any,
    batches leave one of the others to people."""

    memory: tuple[int, ...]
    slots: int
    tokens: int | None = None
    spare: int = 0


class Running(msgspec.Struct):
    """A granted request. `crowd_at` is `Place.crowd` when it was granted."""

    user: str
    tokens: int
    batch: bool
    at: float
    crowd_at: float


class Place:
    """One engine. `reserved` is what it may take while it is anything but absent."""

    def __init__(self, key: Hashable, batch_patience_s: float) -> None:
        self.key = key
        self.forms: tuple[Form, ...] = ()
        self.pinned = False
        self.idle_after_s: float | None = None
        self.state: Literal["absent", "loading", "ready", "leaving"] = "absent"
        self.form = 0
        self.reserved: tuple[int, ...] = ()
        self.queue = FairQueue(batch_patience_s)
        self.running: dict[int, Running] = {}
        self.holds = Holds()
        self.load_s = 1.0
        self.loads = 0
        self.began_at = self.ready_at = self.last_used = 0.0
        self.person_at = -math.inf
        """When a person, and no batch, last came or was done."""
        self.left_at = -math.inf
        """When it last had to leave for others."""
        self.rests_until = 0.0
        self.due_at = math.inf
        """When the swap that it waits for is worth its harm."""
        self.failures = 0
        self.failure = ""
        self.short_of_memory = False
        self.closed_for: Place | None = None
        """For whom it has to leave; until then it takes no more requests."""
        self.chosen_form: int | None = None
        """In which form it is loaded once those have left that have to."""
        self.chosen_as = 0
        """The order in which forms were chosen."""
        self.comes_back = False
        """Had to leave, and is loaded again, smaller, when there is room."""
        self._tokens = 0
        self._arrivals = 0.0
        self._arrivals_at = 0.0
        self._crowd = 0.0
        self._crowd_at = 0.0
        self._outlook: tuple[float, list[float]] | None = None
        self._order: dict[int, int] | None = None

    @property
    def urgent_since(self) -> float:
        """Since when its line stands still where it is absent: a line that has had its turn begins anew, and a
        batch's time has to have come first."""
        return max(self.queue.urgent_at, self.left_at)

    @property
    def slots(self) -> int:
        """Turns at once in the present form, or in the one that it would be loaded in."""
        return self.forms[self.form].slots

    @property
    def idle(self) -> bool:
        """Loaded, and nobody runs on it or waits for it."""
        return self.state == "ready" and not self.wanted

    @property
    def wanted(self) -> bool:
        """Whether anybody runs on it or waits for it."""
        return bool(self.running or len(self.queue))

    # What happens

    def add(self, number: int, user: str, tokens: int, batch: bool, now: float) -> None:
        """A request has come, and waits."""
        self.queue.add(number, user, tokens, batch, now)
        self._arrivals = self._arrivals * _faded(now - self._arrivals_at) + 1
        self._arrivals_at = self.last_used = now
        self.person_at = self.person_at if batch else now
        self._changed()

    def promote(self, now: float) -> None:
        """Let the batches that have waited for long enough go with people."""
        if now >= self.queue.next_promotion:
            self.queue.promote(now)
            self._order = None

    def grant(self, now: float) -> None:
        """The head of the queue may generate."""
        self._count_crowd(now)
        head = self.queue.grant()
        self.running[head.id] = Running(head.user, head.tokens, head.batch, now, self._crowd)
        self._tokens += head.tokens
        self._changed()

    def adjust(self, request: int, tokens: int) -> None:
        """A granted request needs so many tokens."""
        running = self.running[request]
        self._tokens += tokens - running.tokens
        running.tokens = tokens

    def leave(self, request: int, now: float) -> None:
        """A request has ended, or is given up."""
        running = self.running.get(request)
        if running is None:
            self.give_up(request)
            return
        self._count_crowd(now)
        del self.running[request]
        self.queue.left(running.user, running.batch)
        self._tokens -= running.tokens
        held = now - running.at
        if held > 0:
            self.holds.note(held, (self._crowd - running.crowd_at) / held)
        self.last_used = now
        self.person_at = self.person_at if running.batch else now
        self._outlook = None

    def cut_off(self, now: float) -> list[int]:
        """The engine serves nobody any more: whose requests those were that ran."""
        self._count_crowd(now)
        cut = list(self.running)
        for running in self.running.values():
            self.queue.left(running.user, running.batch)
        self.running.clear()
        self._tokens = 0
        self._changed()
        return cut

    def give_up(self, request: int) -> None:
        """A waiting request waits no longer."""
        self.queue.give_up(request)
        self._changed()

    def begin(self, form: int, now: float) -> None:
        """A load begins."""
        self.state, self.form, self.began_at = "loading", form, now
        self.reserved = self.forms[form].memory
        self.comes_back = False
        self.due_at = math.inf
        self.chosen_form = None

    def loaded(self, now: float, seconds: float, memory: tuple[int, ...] | None) -> None:
        """The load has succeeded."""
        self.state = "ready"
        self.load_s += (seconds - self.load_s) * (_SMOOTHING if self.loads else 1.0)
        self.loads += 1
        self.ready_at = self.last_used = now
        self.short_of_memory = False
        self.reserved = memory or self.reserved
        self._outlook = None

    def absent(self) -> None:
        """Nothing of it is in memory any more."""
        self.state, self.reserved, self.form = "absent", (0,) * len(self.reserved), 0
        self._outlook = None

    # What follows

    def has_room(self, tokens: int, now: float, rules: Rules, *, batch: bool, yields: bool) -> bool:
        """Whether one more request fits. While people are about, a batch that `yields` begins nothing beyond half of
        the slots: what computes beside an answer slows it down. A spare slot is for a person beside a batch."""
        form = self.forms[self.form]
        if not batch:
            batches = sum(running.batch for running in self.running.values()) if form.spare else 0
            slots = form.slots + min(form.spare, batches)
        elif not yields:
            slots = form.slots
        elif now < self.person_at + rules.people_stay_s:
            slots = max(1, form.slots // 2)
        else:
            slots = form.slots if form.spare else max(1, form.slots - 1)
        return len(self.running) < slots and (form.tokens is None or self._tokens + tokens <= form.tokens)

    def wanted_per_s(self, now: float) -> float:
        """Requests a second, as they came lately."""
        return self._arrivals * _faded(now - self._arrivals_at) / _MEMORY_OF_ARRIVALS_S

    def worth(self, now: float) -> float:
        """What it saves to keep it: seconds of waiting, a second and a MiB."""
        return self.wanted_per_s(now) * self.load_s / max(1, sum(self.reserved))

    def stays_until(self, rules: Rules) -> float:
        """Until when it serves before it has to leave for others: for as long as makes a swap worth its cost, and
        until all those who waited for it when it came have begun."""
        if self.queue.urgent_at < self.ready_at:
            return self.ready_at + rules.most_stay_s
        return self.ready_at + rules.stay_s(self.load_s + self.holds.expected_s(len(self.running)))

    def smallest_beside(self, free: tuple[int, ...]) -> bool:
        """Whether its smallest form would fit into what is free."""
        smaller = self.forms[-1].memory
        return len(self.forms) > 1 and all(need <= there for need, there in zip(smaller, free, strict=True))

    def position(self, request: int) -> int:
        """A waiting request's place, from 1; 0 for one that does not wait."""
        if self._order is None:
            self._order = {one.id: number for number, one in enumerate(self.queue, 1)}
        return self._order.get(request, 0)

    def outlook(self, now: float) -> list[float]:
        """The expected waits of those who wait, in their order, once it is ready; kept for a moment."""
        if self._outlook is None or now - self._outlook[0] > _OUTLOOK_KEPT_S:
            held = [now - one.at for one in self.running.values()] if self.state == "ready" else []
            pool_is_full = held and self.forms[self.form].tokens is not None and len(self.queue)
            slots = min(len(held), self.slots) if pool_is_full else self.slots
            hold = self.holds.expected_s(slots)
            self._outlook = (now, expected_waits(held, slots - len(held), hold, len(self.queue)))
        return self._outlook[1]

    def remaining_s(self, now: float) -> list[float]:
        """Seconds until each running turn is likely to have ended."""
        hold = self.holds.expected_s(len(self.running))
        return [remaining_s(now - one.at, hold) for one in self.running.values()]

    def _changed(self) -> None:
        self._outlook = self._order = None

    def _count_crowd(self, now: float) -> None:
        """The integral of the number of running turns over time, for their mean while one ran."""
        self._crowd += len(self.running) * (now - self._crowd_at)
        self._crowd_at = now


def _faded(seconds: float) -> float:
    return math.exp(-max(0.0, seconds) / _MEMORY_OF_ARRIVALS_S)
