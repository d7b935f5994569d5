"""Who is next on one engine: every user in turn, people before batches, and nobody waits for ever. Pure.

Start-time fair queueing. Each request gets a *tag*, its place in rounds: a user's requests are one apart, and the
first of a user who has none here gets the tag that is being served, `_served`. Requests are granted in the order of
their tags, equal ones in the order in which they came. So one who asks for the first time goes before the second
request of any other, whoever has asked for fifty at once.

Newcomers alone must not keep others waiting for ever: `_round` goes on by 1/n with every request that is granted
while n users have something here, and what is served is never more than one round behind. That bounds overtaking:

**A request with k of the same user waiting before it is overtaken by (k + 4) · n requests at most that came later**,
n being the most users at once that have something here meanwhile. For its tag is at most k + 1 above what is served
when it comes. A later one goes before it only with a smaller tag, which nobody is given any more once `_round` is k + 2
further: (k + 2) · n grants. And those that wait then with a smaller tag are 2 · n at most, because every grant
serves a whole round's share of one user, while `_round` adds 1/n to the share of each of n users at most.

A user's batches are a user of their own, so that a person does not wait behind their own batch. Batches come after
people until they have waited for `batch_patience_s`: then they take the place that their tag gives them.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator

import msgspec

_User = tuple[str, bool]
"""A user's requests, or a user's batches."""


class Waiting(msgspec.Struct, frozen=True, order=False):
    """A request that waits since `at`, in seconds."""

    id: int
    user: str
    tokens: int
    batch: bool
    at: float
    tag: float

    @property
    def place(self) -> tuple[float, int]:
        """What requests of one class are in order of."""
        return self.tag, self.id


class FairQueue:
    """The requests that wait for one engine, in the order in which they will be granted."""

    def __init__(self, batch_patience_s: float) -> None:
        self._batch_patience_s = batch_patience_s
        self._first: list[Waiting] = []
        self._batches: list[Waiting] = []
        self._by_id: dict[int, Waiting] = {}
        self._waits: Counter[str] = Counter()
        self._next_promotion = math.inf
        self._round = 0.0
        self._served = 0.0
        self._tags: dict[_User, float] = {}
        """The tag of the next request of each user, while it is above `_served`."""
        self._here: Counter[_User] = Counter()
        """How many requests of each user wait or run."""
        self._since: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Waiting]:
        yield from self._first
        yield from self._batches

    @property
    def head(self) -> Waiting | None:
        """Who is next."""
        return next(iter(self), None)

    @property
    def head_yields(self) -> bool:
        """Whether who is next is a batch's, and has not waited for long enough to go with people's."""
        return not self._first

    @property
    def oldest_at(self) -> float:
        """Since when the one that has waited longest waits; infinite where nobody does."""
        return self._waits_since()[0]

    @property
    def urgent_at(self) -> float:
        """The same, but a batch's waiting counts only from when it goes with people's."""
        return self._waits_since()[1]

    @property
    def next_promotion(self) -> float:
        """When the next request of a batch will have waited for long enough."""
        return self._next_promotion

    def waits_of(self, user: str) -> int:
        """How many requests of a user wait."""
        return self._waits[user]

    def add(self, number: int, user: str, tokens: int, batch: bool, now: float) -> None:
        """Let a request wait. `number` grows from request to request."""
        key = (user, batch)
        tag = max(self._served, self._tags.get(key, 0.0))
        self._tags[key] = tag + 1
        self._here[key] += 1
        self._waits[user] += 1
        waiting = Waiting(number, user, tokens, batch, now, tag)
        self._by_id[number] = waiting
        insort(self._batches if batch else self._first, waiting, key=_place)
        if batch:
            self._next_promotion = min(self._next_promotion, now + self._batch_patience_s)
        self._since = None

    def promote(self, now: float) -> None:
        """Give the requests of batches that have waited for long enough the place of any other."""
        if now < self._next_promotion:
            return
        late = [waiting for waiting in self._batches if waiting.at + self._batch_patience_s <= now]
        self._batches = [waiting for waiting in self._batches if waiting.at + self._batch_patience_s > now]
        for waiting in late:
            insort(self._first, waiting, key=_place)
        times = (waiting.at + self._batch_patience_s for waiting in self._batches)
        self._next_promotion = min(times, default=math.inf)

    def grant(self) -> Waiting:
        """Take the head out; the round goes on."""
        waiting = (self._first or self._batches).pop(0)
        self._forget(waiting)
        self._round = max(self._round, waiting.tag) + 1 / len(self._here)
        self._served = max(self._served, waiting.tag, self._round - 1)
        if len(self._tags) > 2 * len(self._here):
            self._tags = {
                user: tag for user, tag in self._tags.items() if tag > self._served or user in self._here
            }
        return waiting

    def give_up(self, number: int) -> None:
        """Take out one that waits no longer; none is missed."""
        waiting = self._by_id.get(number)
        if waiting is None:
            return
        for line in (self._first, self._batches):
            at = bisect_left(line, waiting.place, key=_place)
            if at < len(line) and line[at].id == number:
                del line[at]
        self._forget(waiting)
        key = (waiting.user, waiting.batch)
        if self._tags.get(key) == waiting.tag + 1:  # its last: as if it had not been
            self._tags[key] = waiting.tag
        self.left(waiting.user, waiting.batch)

    def left(self, user: str, batch: bool) -> None:
        """A request of the user has ended."""
        key = (user, batch)
        self._here[key] -= 1
        if not self._here[key]:
            del self._here[key]
            if self._tags.get(key, 0.0) <= self._served:
                self._tags.pop(key, None)

    def _forget(self, waiting: Waiting) -> None:
        del self._by_id[waiting.id]
        self._waits[waiting.user] -= 1
        if not self._waits[waiting.user]:
            del self._waits[waiting.user]
        self._since = None

    def _waits_since(self) -> tuple[float, float]:
        if self._since is None:
            people, batches = math.inf, math.inf
            for waiting in self._by_id.values():  # in the order in which they came
                if waiting.batch:
                    batches = min(batches, waiting.at)
                else:
                    people = waiting.at
                    break
            self._since = min(people, batches), min(people, batches + self._batch_patience_s)
        return self._since


def _place(waiting: Waiting) -> tuple[float, int]:
    return waiting.place
