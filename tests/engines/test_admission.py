"""Who may generate, and in which order."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.admission import Admission, Ticket


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class AnyOrderOfTurns(RuleBasedStateMachine):
    """Turns enter, wait, give up, end and end again in any order; a list of what entered is the whole model."""

    tickets = Bundle("tickets")
    ended = Bundle("ended")

    @initialize(slots=st.integers(1, 4), pool=st.none() | st.integers(1, 100), queue_length=st.integers(0, 5))
    def an_engine(self, slots: int, pool: int | None, queue_length: int) -> None:
        self.clock = Clock()
        self.pool = pool
        self.queue_length = queue_length
        self.admission = Admission(slots, pool, queue_length, self.clock)
        self.alive: list[Ticket] = []
        self.seen_granted: set[Ticket] = set()

    @property
    def waiting(self) -> list[Ticket]:
        return [ticket for ticket in self.alive if not ticket.granted]

    @property
    def running(self) -> list[Ticket]:
        return [ticket for ticket in self.alive if ticket.granted]

    @rule(target=tickets, tokens=st.integers(1, 110))
    def enter(self, tokens: int) -> Ticket:
        too_long = self.pool is not None and tokens > self.pool
        free = not self.waiting and self._fits(tokens)
        full = len(self.waiting) >= self.queue_length
        if too_long or (full and not free):
            with pytest.raises(MenagerieError) as refused:
                self.admission.enter(tokens)
            assert refused.value.code is (ErrorCode.PROMPT_TOO_LONG if too_long else ErrorCode.QUEUE_FULL)
            return Ticket(self.admission, tokens)
        ticket = self.admission.enter(tokens)
        assert ticket.granted is free
        self.alive.append(ticket)
        return ticket

    @rule(target=ended, ticket=consumes(tickets), seconds=st.floats(0, 60))
    def leave(self, ticket: Ticket, seconds: float) -> Ticket:
        self.clock.now += seconds
        self.alive = [other for other in self.alive if other is not ticket]
        ticket.release()
        return ticket

    @rule(ticket=ended)
    def leaving_again_changes_nothing(self, ticket: Ticket) -> None:
        before = (self.admission.running, self.admission.waiting)
        ticket.release()
        assert (self.admission.running, self.admission.waiting) == before
        assert ticket.position == 0

    @invariant()
    def no_more_run_than_there_are_slots_and_tokens(self) -> None:
        assert self.admission.running == len(self.running) <= self.admission.slots
        assert self.pool is None or sum(ticket.tokens for ticket in self.running) <= self.pool

    @invariant()
    def no_more_wait_than_may(self) -> None:
        assert self.admission.waiting == len(self.waiting) <= self.queue_length
        assert self.admission.busy is bool(self.alive)

    @invariant()
    def places_are_dense_and_in_the_order_of_arrival(self) -> None:
        assert [ticket.position for ticket in self.waiting] == list(range(1, len(self.waiting) + 1))
        assert all(ticket.position == 0 for ticket in self.running)

    @invariant()
    def nobody_waits_in_front_of_a_free_place(self) -> None:
        assert not self.waiting or not self._fits(self.waiting[0].tokens)

    @invariant()
    def nobody_who_was_granted_waits_again(self) -> None:
        assert all(ticket.granted for ticket in self.seen_granted)
        self.seen_granted.update(self.running)

    def _fits(self, tokens: int) -> bool:
        used = sum(ticket.tokens for ticket in self.running)
        return len(self.running) < self.admission.slots and (self.pool is None or used + tokens <= self.pool)


TestAnyOrderOfTurns = AnyOrderOfTurns.TestCase
TestAnyOrderOfTurns.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_large_turn_at_the_head_is_not_overtaken_by_small_ones() -> None:
    admission = Admission(slots=4, tokens=100, queue_length=10)
    running = admission.enter(60)
    waiting = [admission.enter(tokens) for tokens in (90, 1, 1)]
    assert [ticket.granted for ticket in waiting] == [False, False, False]
    running.release()
    assert [ticket.granted for ticket in waiting] == [True, True, True]


def test_a_turn_that_gives_up_at_the_head_lets_those_behind_it_in() -> None:
    admission = Admission(slots=2, tokens=100, queue_length=10)
    admission.enter(60)
    large, small = admission.enter(90), admission.enter(40)
    large.release()
    assert small.granted
    assert not large.granted


def test_the_expected_wait_follows_how_long_turns_really_take() -> None:
    clock = Clock()
    admission = Admission(slots=2, tokens=None, queue_length=10, clock=clock)
    for _ in range(60):
        ticket = admission.enter(1)
        clock.now += 3.0
        ticket.release()
    for _ in range(2):
        admission.enter(1)
    first, second = admission.enter(1), admission.enter(1)
    assert first.expected_s == pytest.approx(3.0 / 2, rel=0.01)
    assert second.expected_s == pytest.approx(2 * 3.0 / 2, rel=0.01)


def test_a_full_queue_says_when_to_come_back() -> None:
    admission = Admission(slots=1, tokens=None, queue_length=0)
    admission.enter(1)
    with pytest.raises(MenagerieError) as refused:
        admission.enter(1)
    assert refused.value.code is ErrorCode.QUEUE_FULL
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 1


def test_a_turn_longer_than_the_pool_is_told_both_numbers_and_never_waits() -> None:
    admission = Admission(slots=1, tokens=100, queue_length=5)
    with pytest.raises(MenagerieError) as refused:
        admission.enter(101)
    assert refused.value.code is ErrorCode.PROMPT_TOO_LONG
    assert refused.value.values == {"tokens": 101, "window": 100}
    assert not admission.busy


async def test_who_waits_hears_of_every_step_and_of_nothing_else() -> None:
    admission = Admission(slots=1, tokens=None, queue_length=5)
    running, first, second, third = [admission.enter(1) for _ in range(4)]
    third.release()
    assert not await second.moved(0)
    running.release()
    assert await first.moved(0)
    assert first.granted
    assert await second.moved(0)
    assert second.position == 1
    assert not await second.moved(0.01)


async def test_a_grant_that_came_before_the_wait_is_heard() -> None:
    admission = Admission(slots=1, tokens=None, queue_length=5)
    running, waiting = admission.enter(1), admission.enter(1)
    asyncio.get_running_loop().call_soon(running.release)
    assert await waiting.moved(5)
    assert waiting.granted
