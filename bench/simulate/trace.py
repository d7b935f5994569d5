"""What people will ask of the machine in a day: the same script for every scheduler.

A script is closed: a user reads an answer and thinks before the next turn, so that nobody asks twice at once, and
whoever waits asks later. What is asked, and how long they think, is the same for all.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

import msgspec

DAY_S: Final = 12 * 3600.0
PERSONAS: Final = 24
_TURNS: Final = 6.0
"""Turns of a conversation, on average: geometric."""
_CHANGES: Final = 0.15
"""How often a user asks another persona than in the turn before."""
_THINK_S: Final = 25.0
"""Median time to read an answer and type the next question; log-normal, σ = 0.8."""
_PROMPT_TOKENS: Final = 120
"""Median of what is new in a prompt; the rest is in the engine's cache. σ = 0.8, 2,000 at most."""
_ANSWER_TOKENS: Final = 180
"""Median, σ = 0.7, 800 at most."""


class Turn(msgspec.Struct, frozen=True):
    """A question, asked `think_s` after the last answer to the same user, or at `not_before` where that is later."""

    think_s: float
    not_before: float
    persona: int
    prompt_tokens: int
    answer_tokens: int


Script = list[list[Turn]]
"""The turns of each user."""


def busy(hour: float) -> float:
    """How busy a time of the working day is, as a share of the busiest: two humps, at 10 and at 14 o'clock, in a day
    from 7 to 19."""
    return max(math.exp(-(((hour - 10) / 1.6) ** 2)), 0.9 * math.exp(-(((hour - 14.5) / 1.9) ** 2)), 0.05)


def script(users: int, seed: int, conversations: float) -> Script:
    """A day of so many users; each begins so many conversations an hour at the busiest time."""
    return [list(_user(random.Random(f"{seed}/{user}"), conversations)) for user in range(users)]


def _user(chance: random.Random, conversations: float) -> Iterator[Turn]:
    at = 0.0
    while True:
        at += chance.expovariate(conversations / 3600)
        if at >= DAY_S:
            return
        if chance.random() > busy(7 + at / 3600):
            continue
        persona = _persona(chance)
        begins = at
        while True:
            yield Turn(
                think_s=chance.lognormvariate(math.log(_THINK_S), 0.8),
                not_before=begins,
                persona=persona,
                prompt_tokens=_tokens(chance, _PROMPT_TOKENS, 0.8, 2000),
                answer_tokens=_tokens(chance, _ANSWER_TOKENS, 0.7, 800),
            )
            if chance.random() < 1 / _TURNS:
                break
            if chance.random() < _CHANGES:
                persona = _persona(chance)


def _tokens(chance: random.Random, median: int, sigma: float, most: int) -> int:
    return min(most, 1 + round(chance.lognormvariate(math.log(median), sigma)))


_ZIPF: Final = list(accumulate(1 / rank for rank in range(1, PERSONAS + 1)))


def _persona(chance: random.Random) -> int:
    """Persona 0 is asked most, the k-th 1/k as often."""
    return chance.choices(range(PERSONAS), cum_weights=_ZIPF)[0]
