"""`python -m bench.simulate [--users N ...] [--seed N] [--keep]`: a day under every scheduler, as a table."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import msgspec

from bench.simulate.contenders import CONTENDERS
from bench.simulate.machine import worlds
from bench.simulate.picture import picture
from bench.simulate.results import Result, flood, play
from bench.simulate.trace import script

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "docs" / "data" / "residency-simulation.json"
PICTURE = ROOT / "docs" / "images" / "residency-simulation.svg"
USERS = (5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500)
CONVERSATIONS = 2.0
"""Conversations that a user begins in the busiest hour."""
_USERS_OF_VARIANTS = 50


class Kept(msgspec.Struct, frozen=True):
    """What is kept: the seed, days in the world where two of six models fit, the other worlds, and the flood."""

    seed: int
    conversations: float
    days: list[Result]
    worlds: list[Result]
    flood_s: dict[str, float]
    """For how long another's first request waits behind one user's fifty."""


def simulate(users: list[int], seed: int) -> Kept:
    """All days, one after the other."""
    days: list[Result] = []
    others: list[Result] = []
    every = worlds()
    runs = [("two", number) for number in users]
    runs += [(name, _USERS_OF_VARIANTS) for name in every if name != "two"]
    for done, (name, number) in enumerate(runs):
        began = time.monotonic()
        asked = script(number, seed, CONVERSATIONS)
        results = [play(every[name], asked, scheduler) for scheduler in CONTENDERS]
        (days if done < len(users) else others).extend(results)
        took = time.monotonic() - began
        print(
            f"# {name}, {number} users: {took:.1f} s ({done + 1} of {len(runs)})", file=sys.stderr, flush=True
        )
    return Kept(seed, CONVERSATIONS, days, others, {name: flood(every["two"], name) for name in CONTENDERS})


def table(results: list[Result]) -> str:
    """A table in Markdown."""
    heads = (
        "models that fit",
        "users",
        "scheduler",
        "median wait",
        "95th percentile",
        "worst",
        "loads an hour",
    )
    heads += ("time loading", "forecast's error")
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
    print("\nAnother's first request behind one user's fifty, in seconds:", kept.flood_s)
    if arguments.keep:
        DATA.parent.mkdir(exist_ok=True)
        DATA.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")
        PICTURE.write_text(picture(kept.days), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
