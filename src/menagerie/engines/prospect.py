"""When an engine that is waited for will likely be ready: the coming swaps, played through with what is usual. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from menagerie.engines.place import Place
from menagerie.engines.room import Memory, less, plus
from menagerie.engines.rules import Rules


class _Leaver(msgspec.Struct):
    """An engine in memory: when it will likely be idle by itself, until when it stays, and how long its turns take
    to end once it takes no more."""

    memory: Memory
    idle_at: float
    stays_until: float
    drain_s: float

    def gone_at(self, due: float) -> float:
        """When it leaves for one that has waited for long enough at `due`."""
        return min(self.idle_at, max(due, self.stays_until) + self.drain_s)


def until_ready(place: Place, places: Iterable[Place], free: Memory, now: float, rules: Rules) -> float:
    """Seconds until `place` is likely to take its next request; `free` is what no engine has."""
    if place.state == "ready" and place.closed_for is None:
        return 0.0
    if place.state == "loading":
        return max(place.began_at + place.load_s - now, place.load_s / 10)
    places = list(places)
    there = (one for one in places if one.state != "absent" and not one.closed_for)
    leavers = [leaver for one in there if (leaver := _leaver(one, now, rules)) is not None]
    free = plus(free, [one.reserved for one in places if one.state == "leaving"])
    ready_at = now
    for wanted in sorted((one for one in places if _waits(one)), key=lambda one: one.urgent_since):
        need = wanted.forms[0].memory
        closed = [one for one in places if one.closed_for is wanted]
        begins = now + max((max(one.remaining_s(now), default=0.0) for one in closed), default=0.0)
        free = plus(free, [one.reserved for one in closed])
        due = max(now, wanted.urgent_since + rules.patience_s(wanted.load_s))
        for leaver in sorted(leavers, key=lambda one: one.gone_at(due)):
            short = [most > there for most, there in zip(need, free, strict=True)]
            if not any(lacking and taken for lacking, taken in zip(short, leaver.memory, strict=True)):
                continue
            begins = max(begins, leaver.gone_at(due))
            free = plus(free, [leaver.memory])
            leavers.remove(leaver)
        ready_at = max(begins, wanted.rests_until) + wanted.load_s
        if wanted is place:
            break
        free = less(free, [need])
        leavers.append(_comes(wanted, ready_at, rules))
    return ready_at - now


def _waits(place: Place) -> bool:
    return bool(len(place.queue)) and (place.state in {"absent", "leaving"} or place.closed_for is not None)


def _leaver(place: Place, now: float, rules: Rules) -> _Leaver | None:
    if place.state == "leaving" or place.pinned:
        return None
    if place.state == "loading":
        return _comes(place, place.began_at + place.load_s, rules)
    until = place.stays_until(rules)
    if place.idle:
        idle_at = max(now, min(until, place.last_used + rules.lull_s(place.load_s)))
        return _Leaver(place.reserved, idle_at, until, 0.0)
    drain = max(place.remaining_s(now), default=0.0)
    idle_at = math.inf if len(place.queue) else now + _lull(place, drain, now)
    return _Leaver(place.reserved, idle_at, until, drain)


def _comes(place: Place, ready_at: float, rules: Rules) -> _Leaver:
    turns = place.holds.expected_s(min(len(place.queue), place.slots))
    rounds = math.ceil(len(place.queue) / place.slots)
    stay = min(max(rules.stay_s(place.load_s + turns), (rounds - 1) * turns), rules.most_stay_s)
    idle_at = ready_at + _lull(place, rounds * turns, ready_at)
    return _Leaver(place.forms[0].memory, idle_at, ready_at + stay, turns)


def _lull(place: Place, drain_s: float, now: float) -> float:
    """Seconds until nobody runs on it, when turns of `drain_s` run and others come as they did lately."""
    return drain_s * math.exp(min(5.0, place.wanted_per_s(now) * drain_s))
