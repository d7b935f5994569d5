"""The simulated days: the same for the same seed, nothing lost, and our policy better than what others do."""

from __future__ import annotations

import math

import msgspec
import pytest
from bench.simulate.contenders import CONTENDERS
from bench.simulate.machine import Machine, worlds
from bench.simulate.picture import picture
from bench.simulate.results import Result, flood, forecast_error, play
from bench.simulate.trace import DAY_S, PERSONAS, Script, Turn, busy, script

WORLDS = worlds()
BUSY = script(50, 3, 2.5)
SHORT: Script = [turns[:20] for turns in BUSY]


@pytest.fixture(scope="module")
def days() -> dict[str, Result]:
    return {scheduler: play(WORLDS["two"], [BUSY], scheduler) for scheduler in CONTENDERS}


def test_the_same_seed_is_the_same_day_and_another_is_not() -> None:
    assert script(5, 7, 2.0) == script(5, 7, 2.0) != script(5, 8, 2.0)
    assert play(WORLDS["two"], [SHORT], "ours") == play(WORLDS["two"], [SHORT], "ours")


def test_another_number_of_users_does_not_change_what_each_asks() -> None:
    assert script(3, 7, 2.0) == script(6, 7, 2.0)[:3]


def test_personas_are_asked_by_zipf_and_hours_are_busy_or_not() -> None:
    asked = [turn.persona for turns in script(200, 1, 2.0) for turn in turns]
    assert asked.count(0) / asked.count(3) == pytest.approx(4, rel=0.2)
    assert set(asked) == set(range(PERSONAS))
    noon = sum(turn.not_before < DAY_S / 2 for turns in BUSY for turn in turns) / sum(map(len, BUSY))
    assert 0.4 < noon < 0.6
    assert busy(10) > 0.9 > 0.2 > busy(7)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("scheduler", CONTENDERS)
def test_every_turn_is_answered_once(world: str, scheduler: str) -> None:
    machine = Machine(WORLDS[world], SHORT)
    machine.play(CONTENDERS[scheduler](machine))
    assert len(machine.asked) == sum(map(len, SHORT))
    assert all(asked.at <= asked.began_at < asked.ended_at < math.inf for asked in machine.asked)


@pytest.mark.parametrize("scheduler", CONTENDERS)
def test_as_many_are_there_as_come_times_what_they_stay(scheduler: str) -> None:
    """Little's law, the left side counted at moments of its own."""
    machine = Machine(WORLDS["two"], SHORT)
    machine.play(CONTENDERS[scheduler](machine))
    step = machine.now / 5000
    there = [
        sum(asked.at <= moment < asked.ended_at for asked in machine.asked)
        for moment in (step * number for number in range(5000))
    ]
    stayed = sum(asked.ended_at - asked.at for asked in machine.asked) / len(machine.asked)
    coming = len(machine.asked) / machine.now
    assert sum(there) / len(there) == pytest.approx(coming * stayed, rel=0.05)


def test_half_wait_far_less_than_with_lru_and_the_way_of_one_model(days: dict[str, Result]) -> None:
    assert days["ours"].median_s <= 0.7 * days["lru"].median_s
    assert days["ours"].median_s <= 0.1 * days["reference"].median_s


def test_nobody_pays_for_it(days: dict[str, Result]) -> None:
    assert days["ours"].p95_s <= days["lru"].p95_s
    assert days["ours"].worst_s <= days["lru"].worst_s
    assert days["ours"].loads_per_hour <= days["lru"].loads_per_hour


def test_what_people_are_told_to_expect_comes_true(days: dict[str, Result]) -> None:
    error = days["ours"].forecast_error
    assert error is not None
    assert error <= 0.3


def test_forecasts_are_judged_by_those_who_waited() -> None:
    machine = Machine(WORLDS["two"], SHORT)
    machine.play(CONTENDERS["ours"](machine))
    for asked in machine.asked:
        asked.expected_s = 1.2 * asked.waited_s if asked.waited_s > 0.5 else 99.0
    assert forecast_error(machine.asked) == pytest.approx(0.2, abs=0.001)


def test_fifty_requests_of_one_do_not_delay_the_first_of_another() -> None:
    assert flood(WORLDS["two"], "ours") < 0.2 * flood(WORLDS["two"], "lru")


def test_two_scripts_that_do_not_fit_together_share_a_load_among_several_turns() -> None:
    world = msgspec.structs.replace(WORLDS["two"], budgets=(7 * 1024,))
    asked = [Turn(0.05, 0.0, persona, 120, 180) for persona in (0, 1)]
    loads = []
    for scheduler in ("ours", "lru"):
        machine = Machine(world, [[turn] * 60 for turn in asked])
        machine.play(CONTENDERS[scheduler](machine))
        loads.append(machine.loads)
    assert loads[0] < 0.5 * loads[1] == 60


def test_the_picture_has_a_line_for_each(days: dict[str, Result]) -> None:
    drawn = picture(list(days.values()))
    assert drawn.count("<svg") == 4
    assert all(name in drawn for name in ("menagerie", "LRU, in order", "one model, one turn"))
