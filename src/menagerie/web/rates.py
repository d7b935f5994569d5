"""How much one key may ask for: requests and tokens a minute, and the headers that tell of them as OpenAI's do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.keys import ApiKey

PERIOD_S: Final = 60.0
_FIRST_SWEEP: Final = 256


class RateLimitedError(MenagerieError):
    """`key.rate_limited`, with the headers that say of what there was too much, and until when."""

    def __init__(self, retry_after: float, headers: Mapping[str, str]) -> None:
        super().__init__(ErrorCode.KEY_RATE_LIMITED, retry_after=retry_after)
        self.headers = headers


class Bucket:
    """What is left of a limit: it holds a minute's worth, and what was taken flows back evenly. Taking more than there
    is leaves a debt, so that over any longer time no more than the limit is taken."""

    def __init__(self, limit: int, now: float) -> None:
        self.limit = limit
        self._left = float(limit)
        self._seen = now

    def left(self, now: float) -> float:
        """What is left at `now`; below zero it is owed."""
        flowed = max(0.0, now - self._seen) * self.limit / PERIOD_S
        self._left, self._seen = min(self.limit, self._left + flowed), max(now, self._seen)
        return self._left

    def take(self, amount: float, now: float) -> None:
        """Take so much, whether it is there or not."""
        self._left = self.left(now) - amount

    def seconds_until(self, amount: float, now: float) -> float:
        """How long until so much is left, if nothing more is taken."""
        return max(0.0, amount - self.left(now)) * PERIOD_S / self.limit


class RateLimits:
    """The limits of all keys, as this service counts them. It remembers the keys whose limits are not whole, and what
    it forgets is as if it had never been asked for: memory is bounded by the keys used within the last minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._sweep_at = _FIRST_SWEEP

    def enter(self, key: ApiKey | None) -> dict[str, str]:
        """Count one request, and say in headers what is left. Raises `RateLimitedError` where there is nothing left of
        a limit; such a request counts for nothing."""
        if key is None:
            return {}
        now = self._clock()
        buckets = {kind: self._bucket(key, kind, limit, now) for kind, limit in _limits(key).items()}
        wait = max((bucket.seconds_until(1, now) for bucket in buckets.values()), default=0.0)
        if wait > 0:
            raise RateLimitedError(wait, _headers(buckets, now))
        if "requests" in buckets:
            buckets["requests"].take(1, now)
        return _headers(buckets, now)

    def charge(self, key: ApiKey | None, tokens: int) -> None:
        """Take the tokens that a turn of this key turned out to need."""
        if key is not None and key.tokens_per_minute is not None:
            now = self._clock()
            self._bucket(key, "tokens", key.tokens_per_minute, now).take(tokens, now)

    def __len__(self) -> int:
        """How many limits are being remembered."""
        return len(self._buckets)

    def _bucket(self, key: ApiKey, kind: str, limit: int, now: float) -> Bucket:
        found = self._buckets.get((key.id, kind))
        if found is None:
            if len(self._buckets) >= self._sweep_at:
                self._sweep(now)
            found = self._buckets[key.id, kind] = Bucket(limit, now)
        return found

    def _sweep(self, now: float) -> None:
        """Forget what is whole again; the next sweep comes when as much again has gathered."""
        self._buckets = {
            name: bucket for name, bucket in self._buckets.items() if bucket.left(now) < bucket.limit
        }
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._buckets))


def _limits(key: ApiKey) -> dict[str, int]:
    limits = {"requests": key.requests_per_minute, "tokens": key.tokens_per_minute}
    return {kind: limit for kind, limit in limits.items() if limit is not None}


def _headers(buckets: Mapping[str, Bucket], now: float) -> dict[str, str]:
    headers: dict[str, str] = {}
    for kind, bucket in buckets.items():
        headers[f"x-ratelimit-limit-{kind}"] = str(bucket.limit)
        headers[f"x-ratelimit-remaining-{kind}"] = str(max(0, int(bucket.left(now))))
        headers[f"x-ratelimit-reset-{kind}"] = duration(bucket.seconds_until(bucket.limit, now))
    return headers


def duration(seconds: float) -> str:
    """A length of time as Go writes it, and OpenAI in these headers: `12ms`, `1.5s`, `6m0s`."""
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    shown = f"{rest / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{minutes}m{shown}s" if minutes else f"{shown}s"
