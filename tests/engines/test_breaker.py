"""The circuit breaker's promises, driven through random histories; and whose fault a failure is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.breaker import (
    FAILURES,
    LONGEST_REST_S,
    RESTS_S,
    Breaker,
    Fault,
    fault_of,
    rest_asked_for,
)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.failed(breaker.begin(now), now)
    return breaker


def test_three_failures_in_a_row_open_it_and_a_second_later_it_takes_one_trial() -> None:
    breaker = opened()
    assert breaker.state(0.9) == "open"
    assert not breaker.ready(0.9)
    assert breaker.rest_s(0.25) == 0.75
    assert breaker.state(1.0) == "half_open"
    breaker.begin(1.0)
    assert not breaker.ready(50.0)


def test_a_whole_answer_between_failures_begins_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(FAILURES * 2):
        breaker.failed(breaker.begin(0.0), 0.0)
        breaker.failed(breaker.begin(0.0), 0.0)
        breaker.answered(breaker.begin(0.0))
    assert breaker.state(0.0) == "closed"


def test_a_first_token_alone_does_not_make_up_for_failures() -> None:
    breaker = Breaker()
    for _ in range(FAILURES):
        attempt = breaker.begin(0.0)
        breaker.proven(attempt)
        breaker.failed(attempt, 0.0)
    assert breaker.state(0.0) == "open"


def test_each_failed_trial_makes_the_rest_longer_up_to_the_longest() -> None:
    breaker, now = opened(), 0.0
    for rest in (*RESTS_S, RESTS_S[-1], RESTS_S[-1]):
        assert breaker.rest_s(now) == rest
        now += rest
        breaker.failed(breaker.begin(now), now)


def test_a_sign_of_life_closes_it_on_probation_and_a_whole_answer_for_good() -> None:
    breaker = opened()
    breaker.proven(breaker.begin(1.0))
    assert breaker.state(1.0) == "closed"
    breaker.failed(breaker.begin(1.0), 1.0)
    assert breaker.rest_s(1.0) == RESTS_S[1]
    breaker.answered(breaker.begin(6.0))
    for _ in range(FAILURES - 1):
        breaker.failed(breaker.begin(6.0), 6.0)
    assert breaker.state(6.0) == "closed"
    breaker.failed(breaker.begin(6.0), 6.0)
    assert breaker.rest_s(6.0) == RESTS_S[0]


def test_many_answers_cut_at_once_open_it_once() -> None:
    breaker = Breaker()
    attempts = [breaker.begin(0.0) for _ in range(8)]
    for attempt in attempts:
        breaker.failed(attempt, 0.0)
    assert breaker.rest_s(0.0) == RESTS_S[0]
    trial = breaker.begin(1.0)
    breaker.failed(attempts[0], 1.0)
    breaker.answered(attempts[1])
    assert breaker.state(1.0) == "half_open"
    breaker.proven(trial)
    breaker.failed(attempts[2], 1.0)
    assert breaker.state(1.0) == "closed"


def test_a_trial_that_is_given_up_leaves_its_place_to_another() -> None:
    breaker = opened()
    breaker.dropped(breaker.begin(1.0))
    assert breaker.ready(1.0)
    assert breaker.state(1.0) == "half_open"


def test_an_address_that_asks_for_a_rest_gets_it_and_is_not_at_fault() -> None:
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.asked_to_rest(breaker.begin(0.0), 0.0, 0.0)
    breaker.asked_to_rest(breaker.begin(0.0), 0.0, 7.0)
    assert (breaker.state(0.0), breaker.ready(6.9), breaker.rest_s(0.0)) == ("closed", False, 7.0)
    assert breaker.ready(7.0)


def test_an_address_that_is_not_known_yet_begins_with_a_trial_and_without_probation() -> None:
    breaker = Breaker(known=False)
    attempt = breaker.begin(0.0)
    assert (breaker.state(0.0), breaker.ready(0.0)) == ("half_open", False)
    breaker.proven(attempt)
    breaker.failed(breaker.begin(0.0), 0.0)
    assert breaker.state(0.0) == "closed"
    breaker = Breaker(known=False)
    breaker.failed(breaker.begin(0.0), 0.0)
    assert breaker.rest_s(0.0) == RESTS_S[0]


def test_an_attempt_at_an_open_one_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="open"):
        opened().begin(0.0)


class Histories(RuleBasedStateMachine):
    """Attempts overlap as they like; what is known of the address is kept beside it in the plainest way."""

    attempts = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0.0
        self.current: set[int] = set()
        """Attempts whose end counts: begun since it last opened."""
        self.number = 0
        self.row = 0
        self.openings = 0
        self.rests_until = 0.0
        self.is_open = False
        self.trial: int | None = None

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 4.0, 5.0, 15.0, 60.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.ready(self.now))
    @rule(target=attempts)
    def begin(self) -> tuple[int, int]:
        self.number += 1
        self.current.add(self.number)
        if self.is_open:
            self.trial = self.number
        return self.number, self.breaker.begin(self.now)

    @rule(attempt=attempts)
    def first_token(self, attempt: tuple[int, int]) -> None:
        self.breaker.proven(attempt[1])
        self.came_to_life(attempt[0])

    @rule(attempt=consumes(attempts))
    def whole_answer(self, attempt: tuple[int, int]) -> None:
        self.breaker.answered(attempt[1])
        self.came_to_life(attempt[0])
        if attempt[0] in self.current:
            self.row = self.openings = 0
        self.over(attempt)

    @rule(attempt=consumes(attempts))
    def failure(self, attempt: tuple[int, int]) -> None:
        self.breaker.failed(attempt[1], self.now)
        if attempt[0] in self.current:
            self.row += 1
            if self.is_open or self.row >= FAILURES:
                self.is_open = True
                rest = RESTS_S[min(self.openings, len(RESTS_S) - 1)]
                self.rests_until = max(self.rests_until, self.now + rest)
                self.openings += 1
                self.current.clear()
        self.over(attempt)

    @rule(attempt=consumes(attempts), seconds=st.sampled_from([0.0, 2.0, 30.0]))
    def asks_for_a_rest(self, attempt: tuple[int, int], seconds: float) -> None:
        self.breaker.asked_to_rest(attempt[1], self.now, seconds)
        self.came_to_life(attempt[0])
        self.rests_until = max(self.rests_until, self.now + seconds)
        self.over(attempt)

    @rule(attempt=consumes(attempts))
    def given_up(self, attempt: tuple[int, int]) -> None:
        self.over(attempt)

    def came_to_life(self, number: int) -> None:
        if number == self.trial:
            self.is_open, self.trial, self.row = False, None, FAILURES - 1

    def over(self, attempt: tuple[int, int]) -> None:
        self.breaker.dropped(attempt[1])
        self.current.discard(attempt[0])
        if attempt[0] == self.trial:
            self.trial = None

    @invariant()
    def it_is_as_what_happened_says(self) -> None:
        resting = self.now < self.rests_until
        expected = ("open" if resting else "half_open") if self.is_open else "closed"
        assert self.breaker.state(self.now) == expected
        assert self.breaker.ready(self.now) is (not resting and self.trial is None)

    @invariant()
    def nobody_rests_for_ever(self) -> None:
        assert self.breaker.rest_s(self.now) <= RESTS_S[-1]
        assert self.trial is not None or self.breaker.ready(self.now + RESTS_S[-1])


Histories.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_any_history = Histories.TestCase


@pytest.mark.parametrize(
    ("code", "status", "retry_after", "fault"),
    [
        (ErrorCode.ENGINE_UNAVAILABLE, 0, "", "failed"),
        (ErrorCode.ENGINE_UNAVAILABLE, 503, "", "failed"),
        (ErrorCode.ENGINE_UNAVAILABLE, 502, "3", "failed"),
        (ErrorCode.ENGINE_UNAVAILABLE, 503, "3", "busy"),
        (ErrorCode.ENGINE_UNAVAILABLE, 429, "", "busy"),
        (ErrorCode.ENGINE_UNAVAILABLE, 500, "", "busy"),
        (ErrorCode.ENGINE_UNAVAILABLE, 200, "", "busy"),
        (ErrorCode.ENGINE_REFUSED, 500, "", "failed"),
        (ErrorCode.ENGINE_REFUSED, 200, "", "request"),
        (ErrorCode.ENGINE_REFUSED, 204, "", "failed"),
        (ErrorCode.ENGINE_REFUSED, 307, "", "failed"),
        (ErrorCode.ENGINE_REFUSED, 401, "", "stranger"),
        (ErrorCode.ENGINE_REFUSED, 403, "", "stranger"),
        (ErrorCode.ENGINE_REFUSED, 404, "", "stranger"),
        (ErrorCode.ENGINE_REFUSED, 400, "", "request"),
        (ErrorCode.ENGINE_REFUSED, 422, "", "request"),
        (ErrorCode.PROMPT_TOO_LONG, 400, "", "request"),
        (ErrorCode.TURN_TIMEOUT, 200, "", "request"),
        (ErrorCode.ENGINE_LOST, 0, "", "failed"),
        (ErrorCode.ENGINE_LOST, 200, "", "failed"),
        (ErrorCode.ENGINE_TIMEOUT, 0, "", "failed"),
    ],
)
def test_a_failure_is_somebodys(code: ErrorCode, status: int, retry_after: str, fault: Fault) -> None:
    assert fault_of(MenagerieError(code), status, retry_after) == fault


NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "7", 7.0),
        (503, " 7 ", 7.0),
        (429, "", 1.0),
        (429, "0", 1.0),
        (429, "9" * 400, LONGEST_REST_S),
        (429, "-5", 1.0),
        (429, "soon", 1.0),
        (429, "²", 1.0),
        (429, format_datetime(NOW + timedelta(seconds=20), usegmt=True), 20.0),
        (429, format_datetime(NOW - timedelta(seconds=20), usegmt=True), 1.0),
        (429, "Wed, 01 Jul 2026 12:00:20 -0000", 1.0),
        (500, "7", 0.0),
    ],
)
def test_an_address_rests_as_long_as_it_asks_for_within_bounds(
    status: int, header: str, seconds: float
) -> None:
    assert rest_asked_for(status, header, NOW) == seconds
