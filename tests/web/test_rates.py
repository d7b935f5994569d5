"""How much one key may ask for: never more than its limit, whatever the order, and told as OpenAI tells it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from menagerie.core.errors import ErrorCode
from menagerie.core.keys import ApiKey
from menagerie.web.rates import RateLimitedError, RateLimits, duration


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def a_key(key_id: str = "a", requests: int | None = None, tokens: int | None = None) -> ApiKey:
    return ApiKey(
        id=key_id,
        name=key_id,
        owner="ann",
        requests_per_minute=requests,
        tokens_per_minute=tokens,
        created_at=datetime.now(UTC),
    )


def refused(limits: RateLimits, key: ApiKey) -> RateLimitedError:
    with pytest.raises(RateLimitedError) as refusal:
        limits.enter(key)
    assert refusal.value.code == ErrorCode.KEY_RATE_LIMITED
    return refusal.value


def test_requests_within_the_limit_are_let_in_and_the_next_is_told_when() -> None:
    clock = Clock()
    limits, key = RateLimits(clock), a_key(requests=3)
    assert [limits.enter(key)["x-ratelimit-remaining-requests"] for _ in range(3)] == ["2", "1", "0"]
    refusal = refused(limits, key)
    assert refusal.retry_after == pytest.approx(20)
    assert refusal.headers == {
        "x-ratelimit-limit-requests": "3",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m0s",
    }
    clock.now += 19.9
    refused(limits, key)
    clock.now += 0.2
    limits.enter(key)
    refused(limits, key)


def test_an_idle_hour_saves_up_no_more_than_a_minute() -> None:
    clock = Clock()
    limits, key = RateLimits(clock), a_key(requests=2)
    limits.enter(key)
    clock.now += 3600
    assert [limits.enter(key)["x-ratelimit-remaining-requests"] for _ in range(2)] == ["1", "0"]
    refused(limits, key)


def test_tokens_are_charged_after_the_turn_and_refuse_until_they_have_flowed_back() -> None:
    clock = Clock()
    limits, key = RateLimits(clock), a_key(tokens=600)
    assert limits.enter(key)["x-ratelimit-remaining-tokens"] == "600"
    limits.charge(key, 900)
    refusal = refused(limits, key)
    assert refusal.retry_after == pytest.approx(30.1)
    assert refusal.headers["x-ratelimit-remaining-tokens"] == "0"
    assert refusal.headers["x-ratelimit-reset-tokens"] == "1m30s"
    clock.now += 30.2
    assert limits.enter(key)["x-ratelimit-remaining-tokens"] == "2"


def test_a_request_that_is_refused_for_its_tokens_takes_none_of_the_requests() -> None:
    limits, key = RateLimits(Clock()), a_key(requests=2, tokens=10)
    limits.charge(key, 100)
    for _ in range(5):
        assert refused(limits, key).headers["x-ratelimit-remaining-requests"] == "2"


def test_one_key_takes_nothing_from_another() -> None:
    limits = RateLimits(Clock())
    limits.enter(a_key("a", requests=1))
    refused(limits, a_key("a", requests=1))
    limits.enter(a_key("b", requests=1))


def test_without_a_key_or_a_limit_nothing_is_counted_and_nothing_told() -> None:
    limits = RateLimits(Clock())
    for key in (None, a_key()):
        assert limits.enter(key) == {}
        limits.charge(key, 10**9)
    assert len(limits) == 0


@given(some.lists(some.floats(min_value=0, max_value=30), max_size=80), some.integers(1, 20))
def test_no_pace_gets_more_than_a_minutes_worth_at_once_and_the_limit_after(
    pauses: list[float], limit: int
) -> None:
    clock = Clock()
    limits, key = RateLimits(clock), a_key(requests=limit)
    waits: list[float] = []
    began, let_in = clock.now, 0
    for pause in pauses:
        clock.now += pause
        try:
            limits.enter(key)
        except RateLimitedError as refusal:
            waits.append(refusal.retry_after or 0)
        else:
            let_in += 1
        assert all(0 < wait <= 60 / limit + 1e-6 for wait in waits)
        assert let_in <= limit + (clock.now - began) * limit / 60 + 1e-6


def test_a_clock_that_stands_still_or_goes_back_gives_nothing_away() -> None:
    clock = Clock()
    limits, key = RateLimits(clock), a_key(requests=1)
    limits.enter(key)
    clock.now -= 100
    refused(limits, key)
    clock.now += 100
    refused(limits, key)


def test_keys_whose_limits_are_whole_again_are_forgotten() -> None:
    clock = Clock()
    limits = RateLimits(clock)
    for number in range(50_000):
        clock.now += 0.5
        limits.enter(a_key(str(number), requests=60))
    assert len(limits) < 1000


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0ms"),
        (0.0123, "12ms"),
        (0.9996, "1s"),
        (1.5, "1.5s"),
        (59.9999, "1m0s"),
        (360, "6m0s"),
        (61.25, "1m1.25s"),
    ],
)
def test_a_length_of_time_is_written_as_go_writes_it(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
