"""Where the axes of a plot have their marks, and what stands there: round numbers, round times, by language."""

from __future__ import annotations

from datetime import datetime, tzinfo
from math import ceil, floor, log10
from typing import Final

from menagerie.core.numbers import number_text
from menagerie.locales import Language

Tick = tuple[float, str]
"""Where, and what it says."""

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_TIME_STEPS: Final = (
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR for hours in (1, 2, 3, 4, 6, 12)),
    *(days * DAY for days in (1, 2, 7, 14, 28)),
)
_MOST_DIGITS: Final = 6
_DECADES: Final = 8
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"


def clock_text(moment: float, language: Language, zone: tzinfo, *, seconds: bool = False) -> str:
    """The time of day of Unix seconds: `14:05` in English, `14 h 05` in French."""
    local = datetime.fromtimestamp(moment, zone)
    if language == "en":
        return f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    plain = f"{local.hour}{_NO_BREAK}h"
    if seconds:
        return f"{plain}{_NO_BREAK}{local.minute}{_NO_BREAK}min{_NO_BREAK}{local.second}{_NO_BREAK}s"
    return f"{plain}{_NO_BREAK}{local:%M}" if local.minute else plain


def number_ticks(
    low: float, high: float, language: Language, *, unit: str = "", whole: bool = False, most: int = 5
) -> list[Tick]:
    """Multiples of 1, 2 or 5 times a power of ten, `most` of them at most, the last one at `high` or beyond."""
    span = high - low or 1.0
    rough = span / (most - 1)
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    digits = min(max(0, -floor(log10(step) + 1e-9)), _MOST_DIGITS)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return [
        (number * step, number_text(number * step, language, digits, unit))
        for number in range(first, last + 1)
    ]


def log_ticks(low: float, high: float, language: Language, *, unit: str = "") -> list[Tick]:
    """The powers of ten from `low`, or the one below it, to `high`, or the one beyond it; both are above 0. What is
    eight decades below `high` is left out."""
    first = floor(log10(max(low, high / 10.0**_DECADES)) + 1e-9)
    last = max(ceil(log10(high) - 1e-9), first + 1)
    return [
        (10.0**power, number_text(10.0**power, language, max(0, -power), unit))
        for power in range(first, last + 1)
    ]


def time_ticks(low: float, high: float, language: Language, zone: tzinfo, *, most: int = 6) -> list[Tick]:
    """Round times of the zone's day between two moments in Unix seconds, `most` of them at most."""
    span = max(high - low, 1.0)
    step = next((step for step in _TIME_STEPS if span / step <= most), _TIME_STEPS[-1])
    ahead = datetime.fromtimestamp(low, zone).utcoffset()
    offset = ahead.total_seconds() if ahead else 0.0
    first = ceil((low + offset) / step) * step - offset
    count = floor((high - first) / step) + 1
    moments = [first + number * step for number in range(max(count, 0))]
    if step >= DAY:
        return [(moment, f"{datetime.fromtimestamp(moment, zone):%m-%d}") for moment in moments]
    return [(moment, clock_text(moment, language, zone)) for moment in moments]
