"""Files that people send from the pages, where programs would need a key: who they are, and how much they may send."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from starlette.requests import HTTPConnection

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.web.rates import Bucket

FILES: Final = 30
"""Files a minute that nobody in particular sends from one address."""
_FIRST_SWEEP: Final = 256


def is_from_page(connection: HTTPConnection) -> bool:
    """Whether a page sends this: of this service or of a site that the settings allow, since the guard has refused all
    others. Browsers say so of all that changes something; a program that pretends to be one gets no more than what the
    socket of the pages gives to everybody: its own files, to ask about."""
    headers = connection.headers
    return "origin" in headers or headers.get("sec-fetch-site") == "same-origin"


class UploadLimits:
    """How many files, and bytes, nobody in particular may send in a minute from one address: they fill a disk that
    others need. People with a name answer for what they send."""

    def __init__(self, bytes_: int, files: int = FILES, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = (files, bytes_)
        self._clock = clock
        self._buckets: dict[str, tuple[Bucket, Bucket]] = {}
        self._sweep_at = _FIRST_SWEEP

    def enter(self, user: User) -> None:
        """Count one file. Raises `file.too_many` where there were too many, or too large ones; it counts for
        nothing then."""
        if user.names:
            return
        now = self._clock()
        files, size = self._of(user, now)
        wait = max(files.seconds_until(1, now), size.seconds_until(1, now))
        if wait > 0:
            raise MenagerieError(ErrorCode.FILE_TOO_MANY, retry_after=wait)
        files.take(1, now)

    def charge(self, user: User, size: int) -> None:
        """Count the bytes of a file that has come."""
        if not user.names:
            now = self._clock()
            self._of(user, now)[1].take(size, now)

    def __len__(self) -> int:
        """How many addresses are being remembered."""
        return len(self._buckets)

    def _of(self, user: User, now: float) -> tuple[Bucket, Bucket]:
        found = self._buckets.get(user.share)
        if found is None:
            if len(self._buckets) >= self._sweep_at:
                self._sweep(now)
            files, size = self._limits
            found = self._buckets[user.share] = Bucket(files, now), Bucket(size, now)
        return found

    def _sweep(self, now: float) -> None:
        """Forget what is whole again."""
        self._buckets = {
            share: pair
            for share, pair in self._buckets.items()
            if any(bucket.left(now) < bucket.limit for bucket in pair)
        }
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._buckets))
