"""What a day came to."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

from bench.simulate.contenders import CONTENDERS
from bench.simulate.machine import Asked, Machine, World
from bench.simulate.trace import Script, Turn

_FLOOD: Final = 50
_WAITED_S: Final = 0.5
"""Forecasts are judged for those who waited for longer."""


class Result(msgspec.Struct, frozen=True):
    """Days under one scheduler. Waits in seconds; `loading` as share of the time; `forecast_error` as median of
    |expected - waited| ÷ waited, None where nothing was foretold."""

    world: str
    scheduler: str
    users: int
    turns: int
    median_s: float
    p95_s: float
    worst_s: float
    mean_s: float
    loads_per_hour: float
    loading: float
    forecast_error: float | None = None


def play(world: World, scripts: Sequence[Script], scheduler: str) -> Result:
    """Run days, and count them together."""
    machines = [Machine(world, script) for script in scripts]
    for machine in machines:
        machine.play(CONTENDERS[scheduler](machine))
    asked = [one for machine in machines for one in machine.asked]
    waits = sorted(one.waited_s for one in asked)
    seconds = sum(machine.now for machine in machines)
    return Result(
        world=world.name,
        scheduler=scheduler,
        users=len(scripts[0]),
        turns=len(waits),
        median_s=round(median(waits), 3),
        p95_s=round(waits[int(len(waits) * 0.95)], 3),
        worst_s=round(waits[-1], 3),
        mean_s=round(sum(waits) / len(waits), 3),
        loads_per_hour=round(sum(machine.loads for machine in machines) / seconds * 3600, 2),
        loading=round(sum(machine.loading_s for machine in machines) / seconds, 4),
        forecast_error=forecast_error(asked),
    )


def forecast_error(asked: list[Asked]) -> float | None:
    """Median of |expected - waited| ÷ waited among those who waited for longer than half a second."""
    errors = [
        abs(one.expected_s - one.waited_s) / one.waited_s
        for one in asked
        if one.expected_s is not None and one.waited_s > _WAITED_S
    ]
    return round(median(errors), 3) if errors else None


def flood(world: World, scheduler: str) -> float:
    """For how long a user's first request waits that comes a second after another's fifty, all for one model."""
    turn = Turn(think_s=0.0, not_before=0.0, persona=0, prompt_tokens=120, answer_tokens=200)
    other = msgspec.structs.replace(turn, not_before=world.models[0].load_s + 1)
    script = [[turn]] * _FLOOD + [[other]]
    machine = Machine(world, script, owners=[0] * _FLOOD + [1])
    machine.play(CONTENDERS[scheduler](machine))
    return next(round(asked.waited_s, 2) for asked in machine.asked if asked.user == 1)
