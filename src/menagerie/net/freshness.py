"""How long what a server sent may be used again without asking it: the rules of HTTP for a cache that is nobody's but
ours (RFC 9111, a private cache), and of RFC 5861 for servers that cannot be reached. Pure.

Our requests differ in `Accept` alone, which is part of what a response is kept under; so whatever `Vary` names matches,
except `*`. Requests with authorization are never kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

HEURISTIC_SHARE: Final = 0.1
"""The part of the time since it last changed for which a response without a date of expiry is fresh …"""
HEURISTIC_MOST: Final = 86_400.0
"""… and the most seconds of it."""
PERMANENT: Final = 3_600.0
"""Seconds for which a permanent redirect is one, where its server does not say."""
STALE_MOST: Final = 86_400.0
"""Seconds for which what is stale may stand in for a server that cannot be reached."""
KEPT: Final = ("cache-control", "expires", "etag", "last-modified", "vary")
"""The headers that a response is kept with."""

_BY_HEURISTIC: Final = frozenset({200, 203, 301, 308})
_STATUSES: Final = _BY_HEURISTIC | {302, 307}
_PERMANENT: Final = frozenset({301, 308})
_DIRECTIVE: Final = re.compile(r"([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,;\"]*)))?")
_LONGEST: Final = 10.0 * 365 * 86_400


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, all of them. `came` is when the response arrived, since the epoch; `age` how old it was then."""

    came: float
    age: float
    lifetime: float
    """How old it may be and still be used without asking; 0: it is always asked about."""
    stale: float
    """How much older it may be where its server cannot be reached."""

    def is_fresh(self, now: float) -> bool:
        """Whether it may be used without asking. A clock that was put back makes nothing fresh."""
        return now >= self.came and self._age(now) < self.lifetime

    def may_stand_in(self, now: float) -> bool:
        """Whether it may be used where its server cannot be reached."""
        return now >= self.came and self._age(now) < self.lifetime + self.stale

    def _age(self, now: float) -> float:
        return self.age + now - self.came


def freshness_of(status: int, headers: Mapping[str, str], *, asked: float, came: float) -> Freshness | None:
    """How fresh a response is that was asked for at `asked` and arrived at `came`; None if it may not be kept.

    The names of `headers` are in lower case, lines of the same name joined by commas.
    """
    directives = directives_of(headers.get("cache-control", ""))
    if status not in _STATUSES or "no-store" in directives or "*" in headers.get("vary", ""):
        return None
    made = _time(headers.get("date", ""))
    made = came if made is None else made
    lifetime = _lifetime(status, headers, directives, made)
    if lifetime is None:
        return None
    asks_always = "no-cache" in directives
    stale = min(_seconds(directives.get("stale-if-error", str(STALE_MOST))), STALE_MOST)
    return Freshness(
        came=came,
        age=max(came - made, _seconds(headers.get("age", "0")) + max(came - asked, 0.0), 0.0),
        lifetime=0.0 if asks_always else lifetime,
        stale=0.0 if asks_always or "must-revalidate" in directives else stale,
    )


def directives_of(cache_control: str) -> dict[str, str]:
    """The directives of a `Cache-Control`, by name in lower case; of one that comes twice, the first."""
    found: dict[str, str] = {}
    for name, quoted, token in _DIRECTIVE.findall(cache_control):
        found.setdefault(name.lower(), quoted or token)
    return found


def _lifetime(
    status: int, headers: Mapping[str, str], directives: Mapping[str, str], made: float
) -> float | None:
    """Seconds; None where nothing says that such a response may be kept at all."""
    if "max-age" in directives:
        return _seconds(directives["max-age"])
    if "expires" in headers:
        expires = _time(headers["expires"])
        return 0.0 if expires is None else min(max(expires - made, 0.0), _LONGEST)
    if status not in _BY_HEURISTIC:
        return None
    changed = _time(headers.get("last-modified", ""))
    if changed is not None:
        return min(max(made - changed, 0.0) * HEURISTIC_SHARE, HEURISTIC_MOST)
    return PERMANENT if status in _PERMANENT else 0.0


def _seconds(written: str) -> float:
    """A number of seconds; what is none counts as 0, so that it is asked again."""
    try:
        seconds = float(written) if re.fullmatch(r"\d+(\.0)?", written, re.ASCII) else 0.0
    except ValueError:
        return 0.0
    return min(seconds, _LONGEST)


def _time(written: str) -> float | None:
    """The seconds since the epoch of a date as HTTP writes it."""
    try:
        return parsedate_to_datetime(written).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
