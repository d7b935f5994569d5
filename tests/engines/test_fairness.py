"""Who is next on one engine: the promises of `fairness`."""

from __future__ import annotations

import itertools
from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from menagerie.engines.fairness import FairQueue


class Line:
    """A queue, its requests in the order in which they were granted, and who overtook whom."""

    def __init__(self, patience: float = 30.0) -> None:
        self.queue = FairQueue(patience)
        self.now = 0.0
        self.number = 0
        self.here: Counter[tuple[str, bool]] = Counter()
        self.running: list[tuple[str, bool]] = []
        self.before: dict[int, int] = {}
        self.overtaken: Counter[int] = Counter()
        self.most_users: dict[int, int] = {}

    def add(self, user: str, *, batch: bool = False) -> int:
        """A request; returns its number."""
        self.number += 1
        self.before[self.number] = sum((one.user, one.batch) == (user, batch) for one in self.queue)
        self.queue.add(self.number, user, 1, batch, self.now)
        self.here[user, batch] += 1
        for one in self.queue:
            self.most_users[one.id] = max(self.most_users.get(one.id, 0), len(self.here))
        return self.number

    def grant(self) -> int:
        """Grant the head, count those that it overtakes, and return its number."""
        head = self.queue.head
        assert head is not None
        assert self.queue.grant() is head
        for one in self.queue:
            self.overtaken[one.id] += one.id < head.id and one.batch == head.batch
        self.running.append((head.user, head.batch))
        return head.id

    def end(self, at: int = 0) -> None:
        """One of those that run ends."""
        user, batch = self.running.pop(at)
        self.queue.left(user, batch)
        self._gone((user, batch))

    def give_up(self, number: int) -> None:
        """One goes away, if it still waits."""
        for one in self.queue:
            if one.id == number:
                self.queue.give_up(number)
                self._gone((one.user, one.batch))
                return

    def _gone(self, user: tuple[str, bool]) -> None:
        self.here[user] -= 1
        self.here += Counter()


def test_users_go_in_turn_however_many_requests_each_has() -> None:
    """Three requests of one, one each of two others: the others come after the first of the three."""
    line = Line()
    ann = [line.add("ann") for _ in range(3)]
    bob, eve = line.add("bob"), line.add("eve")
    assert [line.grant() for _ in range(5)] == [ann[0], bob, eve, ann[1], ann[2]]


def test_fifty_requests_of_one_user_do_not_delay_anothers_first_beyond_one_freed_slot() -> None:
    """Whoever comes while fifty of one user wait and four run gets the next slot."""
    for granted in range(1, 50):
        line = Line()
        for _ in range(50):
            line.add("ann")
        for _ in range(granted):
            line.grant()
            if len(line.running) > 4:
                line.end()
        bob = line.add("bob")
        line.end()
        assert line.grant() == bob


def test_one_who_asks_again_and_again_does_not_pass_one_who_waits() -> None:
    """A user whose requests come one at a time gets one for each of the user whose requests wait, not two."""
    line = Line()
    for _ in range(20):
        line.add("ann")
    line.grant()
    granted: list[int] = []
    for _ in range(10):
        bob = line.add("bob")
        while bob not in granted:
            granted.append(line.grant())
            line.end(-1)
    turns = [number <= 20 for number in granted]
    assert all(this or following for this, following in itertools.pairwise(turns))


def test_a_stream_of_newcomers_does_not_keep_a_second_request_waiting_for_ever() -> None:
    """Somebody new before every grant: the second request of one who waits comes all the same."""
    line = Line()
    line.add("ann")
    second = line.add("ann")
    for number in range(10):
        line.add(f"new {number}")
        if line.grant() == second:
            break
        line.end()
    else:
        raise AssertionError("overtaken for ever")


def test_work_that_was_done_alone_is_not_held_against_anyone() -> None:
    """Who had the engine alone for a hundred turns is not behind a newcomer's fifty."""
    line = Line()
    line.add("eve")
    line.grant()  # a turn that goes on: eve is here all the time
    for _ in range(100):
        line.add("ann")
        line.grant()
        line.end(1)
    for _ in range(50):
        line.add("bob")
    ann = line.add("ann")
    assert ann in {line.grant() for _ in range(3)}


def test_people_go_before_batches() -> None:
    """A batch's request that came first waits for a person's."""
    line = Line()
    batch = line.add("ann", batch=True)
    bob = line.add("bob")
    assert line.queue.head_yields is False
    assert [line.grant(), line.grant()] == [bob, batch]


def test_a_batch_is_not_starved_by_people() -> None:
    """After its patience it takes the place that its tag gives it: before those who came later."""
    line = Line(patience=30.0)
    batch = line.add("ann", batch=True)
    people = [line.add(f"user {number}") for number in range(3)]
    assert line.queue.next_promotion == 30.0
    line.queue.promote(29.9)
    assert line.grant() == people[0]
    line.queue.promote(30.0)
    assert line.queue.head is not None
    assert line.queue.head.id == batch


def test_a_user_does_not_wait_behind_their_own_batch() -> None:
    """A hundred requests of a batch, then the same user asks as a person, and so does another."""
    line = Line()
    for _ in range(100):
        line.add("ann", batch=True)
    line.queue.promote(30.0)
    for _ in range(10):
        line.grant()
        line.end()
    ann = line.add("ann")
    assert ann in {line.grant(), line.grant()}


def test_who_gives_up_and_asks_again_has_lost_nothing() -> None:
    """A page that is reloaded ten times before it is answered."""
    line = Line()
    line.add("eve")
    line.grant()
    for _ in range(10):
        line.give_up(line.add("bob"))
    bob = line.add("bob")
    line.add("ann")
    line.add("ann")
    assert line.grant() == bob


def test_it_remembers_nobody_who_has_gone() -> None:
    """A thousand users come and go: what is kept does not grow with them."""
    line = Line()
    for number in range(10):
        line.add(f"stays {number}")
        line.grant()
    for number in range(1000):
        line.add(f"user {number}")
        line.add(f"gone {number}")
        line.give_up(line.number)
        line.grant()
        line.end(-1)
    assert len(line.queue._tags) < 30
    assert len(line.queue._here) == 10


def test_who_waits_is_seen_with_the_time_that_counts() -> None:
    """The oldest is told, and a batch's time counts from when it goes with people's."""
    line = Line(patience=30.0)
    line.now = 5.0
    batch = line.add("ann", batch=True)
    assert (line.queue.oldest_at, line.queue.urgent_at) == (5.0, 35.0)
    line.now = 8.0
    line.add("bob")
    assert (line.queue.oldest_at, line.queue.urgent_at) == (5.0, 8.0)
    line.give_up(batch)
    assert (line.queue.oldest_at, line.queue.urgent_at) == (8.0, 8.0)
    assert (line.queue.waits_of("ann"), line.queue.waits_of("bob")) == (0, 1)


@settings(max_examples=400, deadline=None)
@given(
    seed=st.integers(0, 2**32), users=st.integers(1, 12), crowd=st.floats(0.3, 0.8), slots=st.integers(1, 6)
)
def test_nobody_is_overtaken_more_often_than_is_stated(
    seed: int, users: int, crowd: float, slots: int
) -> None:
    """(k + 4) · n: k of the same user before it, n users at once that have something here."""
    random, line = Random(seed), Line()
    for _ in range(300):
        line.now += 1
        line.queue.promote(line.now)
        if random.random() < crowd:
            line.add(f"user {random.randrange(users)}", batch=random.random() < 0.2)
        elif random.random() < 0.1 and line.number:
            line.give_up(random.randint(max(1, line.number - 20), line.number))
        elif line.queue and len(line.running) < slots:
            line.grant()
        elif line.running:
            line.end(random.randrange(len(line.running)))
        for number, times in line.overtaken.items():
            assert times <= (line.before[number] + 4) * line.most_users[number]
