"""`python -m bench.simulate [--users N ...] [--seed N] [--keep]`: a day under every scheduler, as a table."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import msgspec

from bench.simulate.contenders import CONTENDERS
from bench.simulate.machine import World, worlds
from bench.simulate.picture import picture
from bench.simulate.results import Result, flood, play
from bench.simulate.trace import Script, script

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "docs" / "data" / "residency-simulation.json"
PICTURE = ROOT / "docs" / "images" / "residency-simulation.svg"
USERS = (5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500)
CONVERSATIONS = 2.5
"""Conversations that a user begins in the busiest hour."""
RANGE = (1.5, 2.0, 2.5, 3.0, 4.0)
SEEDS = 5
"""Days that are counted together where the load is what differs."""
_USERS = 50
"""As many where something else than their number differs."""


class AtLoad(msgspec.Struct, frozen=True):
    """Days at one load; `ratios`: of each day, our median wait ÷ that of LRU, None where nobody waits."""

    conversations: float
    results: list[Result]
    ratios: list[float | None]


class Kept(msgspec.Struct, frozen=True):
    """What is kept: days by number of users and by load where two of six models fit, the other worlds, the flood."""

    seed: int
    conversations: float
    days: list[Result]
    loads: list[AtLoad]
    worlds: list[Result]
    flood_s: dict[str, float]
    """For how long another's first request waits behind one user's fifty."""


def simulate(users: list[int], seed: int) -> Kept:
    """All days, one after the other."""
    every = worlds()
    days: list[Result] = []
    others: list[Result] = []
    for number in users:
        days += _compared(every["two"], [script(number, seed, CONVERSATIONS)], f"{number} users")
    for name, world in every.items():
        if name != "two":
            others += _compared(world, [script(_USERS, seed, CONVERSATIONS)], name)
    return Kept(
        seed=seed,
        conversations=CONVERSATIONS,
        days=days,
        loads=[at_load(every["two"], load, seed) for load in RANGE],
        worlds=others,
        flood_s={name: flood(every["two"], name) for name in CONTENDERS},
    )


def at_load(world: World, load: float, seed: int) -> AtLoad:
    """Several days of fifty users."""
    scripts = [script(_USERS, seed + n, load) for n in range(SEEDS)]
    ratios: list[float | None] = []
    for day in scripts:
        ours, lru = (play(world, [day], scheduler).median_s for scheduler in ("ours", "lru"))
        ratios.append(round(ours / lru, 3) if lru else None)
    return AtLoad(load, _compared(world, scripts, f"{load} conversations an hour"), ratios)


def _compared(world: World, scripts: list[Script], what: str) -> list[Result]:
    began = time.monotonic()
    results = [play(world, scripts, scheduler) for scheduler in CONTENDERS]
    print(f"# {what}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
    return results


def table(results: list[Result]) -> str:
    """A table in Markdown."""
    heads = ["models that fit", "users", "scheduler", "median wait", "95th percentile", "worst"]
    heads += ["loads an hour", "time loading", "forecast's error"]
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for one in results:
        error = "" if one.forecast_error is None else f"{one.forecast_error:.0%}".replace("%", " %")
        rows.append(
            f"| {one.world} | {one.users} | {one.scheduler} | {one.median_s:,.2f} s | {one.p95_s:,.1f} s "
            f"| {one.worst_s:,.0f} s | {one.loads_per_hour:,.0f} | {100 * one.loading:.0f} % | {error} |"
        )
    return "\n".join(rows)


def main() -> int:
    """Simulate, print, and keep what the docs show."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulate", description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=list(USERS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help=f"write {DATA.name} and {PICTURE.name}")
    arguments = parser.parse_args()
    kept = simulate(arguments.users, arguments.seed)
    print(table(kept.days + kept.worlds))
    for one in kept.loads:
        print(f"\n{one.conversations} conversations an hour; median, ours ÷ LRU, by day: {one.ratios}\n")
        print(table(one.results))
    print("\nAnother's first request behind one user's fifty, in seconds:", kept.flood_s)
    if arguments.keep:
        DATA.parent.mkdir(exist_ok=True)
        DATA.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")
        PICTURE.write_text(picture(kept.days), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
