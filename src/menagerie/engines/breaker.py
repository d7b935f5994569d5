"""Whether an address is asked at all: closed while it serves, open while it does not, half open for one trial. Pure:
the time comes in, in seconds of any clock that does not go back. The pattern is M. Nygard's ("Release It!", 5.2)."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal

from menagerie.core.errors import ErrorCode, MenagerieError

FAILURES: Final = 3
"""So many in a row open it."""
RESTS_S: Final = (1.0, 5.0, 15.0, 60.0)
"""Seconds that it stays open: the first time, the second, … since the last whole answer."""
LONGEST_REST_S: Final = 300.0
"""Of those that an address may ask for."""
_BUSY_REST_S: Final = 1.0

State = Literal["closed", "open", "half_open"]
Fault = Literal["failed", "busy", "stranger", "request"]


class Breaker:
    """One address's breaker. Each request begins an attempt, and says what became of it.

    Invariants: `FAILURES` attempts in a row that fail, and nothing less, open a closed one; half open, it lets one
    attempt through at a time. One that a sign of life has closed again is on probation: the next failure opens it, for
    longer, until a whole answer has made up for it. What was begun before it opened says nothing about it later.
    The breaker of an address that is not `known` begins half open.
    """

    def __init__(self, *, known: bool = True) -> None:
        self.failures = 0
        """In a row."""
        self._openings = 0
        self._open = not known
        self._rests_until = -math.inf
        self._era = 0
        self._trial: int | None = None

    def state(self, now: float) -> State:
        """Closed also while the address has asked for a rest: it is not at fault."""
        if not self._open:
            return "closed"
        return "open" if now < self._rests_until else "half_open"

    def ready(self, now: float) -> bool:
        """Whether an attempt may begin."""
        return self._trial is None and now >= self._rests_until

    def rest_s(self, now: float) -> float:
        """Seconds until an attempt may begin; 0 also while a trial is under way."""
        return max(0.0, self._rests_until - now)

    def begin(self, now: float) -> int:
        """Begin an attempt, only while `ready`. What comes back names it."""
        if not self.ready(now):
            raise ValueError("the breaker is open")
        if self._open:
            self._era += 1
            self._trial = self._era
        return self._era

    def proven(self, attempt: int) -> None:
        """The address has answered something, be it a refusal: a trial closes the breaker, on probation."""
        if attempt == self._trial:
            self._open = False
            self._trial = None
            self.failures = FAILURES - 1 if self._openings else 0

    def answered(self, attempt: int) -> None:
        """The address has given a whole answer: all is forgiven."""
        self.proven(attempt)
        if attempt == self._era and not self._open:
            self.failures = 0
            self._openings = 0

    def failed(self, attempt: int, now: float) -> None:
        """The address did not serve. Opens the breaker after a trial, and after `FAILURES` in a row."""
        if attempt != self._era or (self._open and attempt != self._trial):
            return
        self.failures += 1
        if self._open or self.failures >= FAILURES:
            rest = RESTS_S[min(self._openings, len(RESTS_S) - 1)]
            self._rests_until = max(self._rests_until, now + rest)
            self._open = True
            self._openings += 1
            self._trial = None

    def asked_to_rest(self, attempt: int, now: float, seconds: float) -> None:
        """The address serves, but wants nothing for so many seconds."""
        self.proven(attempt)
        self._rests_until = max(self._rests_until, now + seconds)

    def dropped(self, attempt: int) -> None:
        """The attempt is over; where nothing was learnt from it, another one may be the trial."""
        if attempt == self._trial:
            self._trial = None


def fault_of(failure: MenagerieError, status: int, retry_after: str) -> Fault:
    """Whose fault a failure is, by the HTTP status of the reply (0: none came) and its `Retry-After`.

    `failed`: the address's. `busy`: nobody's, it has enough to do. `stranger`: it does not serve us at all (wrong
    key, no such model), whatever the request. `request`: the request's own, which no other address would take.
    """
    match failure.code:
        case ErrorCode.ENGINE_LOST | ErrorCode.ENGINE_TIMEOUT:
            return "failed"
        case ErrorCode.ENGINE_UNAVAILABLE:
            if status == 0 or (status in {502, 503, 504} and not (status == 503 and retry_after)):
                return "failed"
            return "busy"
        case ErrorCode.ENGINE_REFUSED:
            if status in {401, 403, 404, 405}:
                return "stranger"
            return "request" if status == 200 or 400 <= status < 500 else "failed"
        case _:
            return "request"


def rest_asked_for(status: int, retry_after: str, now: datetime | None = None) -> float:
    """Seconds that a busy address asks for by `Retry-After` (RFC 9110, 10.2.3: seconds, or a date); a second where a
    429 or a 503 does not say; none for one that has no room for this very request."""
    if status not in {429, 503}:
        return 0.0
    seconds = _BUSY_REST_S
    if retry_after.strip().isdecimal():
        seconds = float(retry_after[:9])
    elif retry_after:
        try:
            seconds = (parsedate_to_datetime(retry_after) - (now or datetime.now(UTC))).total_seconds()
        except (TypeError, ValueError):
            seconds = _BUSY_REST_S
    return min(max(seconds, _BUSY_REST_S), LONGEST_REST_S)
