"""Who is next on one engine: every user in turn, people before batches, and nobody waits for ever. Pure.

Start-time fair queueing: a request gets a *tag*, the virtual time at which it would begin if the engine went round
all its users, one request each. A user's requests are one apart; virtual time goes on by 1/n with every request that
is granted while n users have something here. So the first request of a user goes before the second of any other,
and a new tag is never smaller than virtual time: a request with k of the same user before it is overtaken by
(k + 1) · n requests at most that came later.

A batch's requests come after everybody's, until they have waited for `batch_patience_s`: then they take the place
that their tag gives them.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter
from collections.abc import Iterator

import msgspec


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
        self._next_promotion = math.inf
        self._now = 0.0
        """Virtual time."""
        self._tags: dict[str, float] = {}
        """The tag of the next request of each user that has something here."""
        self._here: Counter[str] = Counter()
        """How many requests of each user wait or run."""

    def __len__(self) -> int:
        return len(self._first) + len(self._batches)

    def __iter__(self) -> Iterator[Waiting]:
        yield from self._first
        yield from self._batches

    @property
    def head(self) -> Waiting | None:
        """Who is next."""
        return next(iter(self), None)

    @property
    def oldest_at(self) -> float:
        """Since when the one that has waited longest waits; infinite where nobody does."""
        return min((waiting.at for waiting in self), default=math.inf)

    @property
    def next_promotion(self) -> float:
        """When the next request of a batch will have waited for long enough."""
        return self._next_promotion

    def add(self, number: int, user: str, tokens: int, batch: bool, now: float) -> None:
        """Let a request wait. `number` grows from request to request."""
        tag = max(self._now, self._tags.get(user, 0.0))
        self._tags[user] = tag + 1
        self._here[user] += 1
        waiting = Waiting(number, user, tokens, batch, now, tag)
        insort(self._batches if batch else self._first, waiting, key=_place)
        if batch:
            self._next_promotion = min(self._next_promotion, now + self._batch_patience_s)

    def promote(self, now: float) -> None:
        """Give the requests of batches that have waited for long enough the place of any other."""
        if now < self._next_promotion:
            return
        late = [waiting for waiting in self._batches if waiting.at + self._batch_patience_s <= now]
        for waiting in late:
            self._batches.remove(waiting)
            insort(self._first, waiting, key=_place)
        times = (waiting.at + self._batch_patience_s for waiting in self._batches)
        self._next_promotion = min(times, default=math.inf)

    def promoted(self, waiting: Waiting) -> bool:
        """Whether a request goes with everybody's: a person's, or a batch's that has waited for long enough."""
        return not self._batches or waiting not in self._batches

    def grant(self) -> Waiting:
        """Take the head out; virtual time goes on."""
        waiting = (self._first or self._batches).pop(0)
        self._now += 1 / len(self._here)
        return waiting

    def give_up(self, waiting: Waiting) -> None:
        """Take out one that waits no longer."""
        (self._batches if waiting in self._batches else self._first).remove(waiting)
        self.left(waiting.user)

    def left(self, user: str) -> None:
        """A request of the user has ended."""
        self._here[user] -= 1
        if not self._here[user]:
            del self._here[user]
            self._tags.pop(user, None)


def _place(waiting: Waiting) -> tuple[float, int]:
    return waiting.place
