"""In which form a wanted engine is loaded, and who has to leave for it. Pure. Memory in MiB of each device."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping

from menagerie.engines.place import Place
from menagerie.engines.rules import Rules

Memory = tuple[int, ...]
Choice = tuple[int, list[Place]]
"""The number of a form, and the engines that have to leave first."""


def choose(
    place: Place,
    places: Iterable[Place],
    free: Memory,
    now: float,
    rules: Rules,
    closed: Mapping[Hashable, Place | None],
) -> Choice | None:
    """How to load an engine that is waited for; None while it has to wait. The first of these that can be:

    1. as has been chosen before; 2. whole, if need be in the place of what nobody has used for long; 3. without its
    prompt cache; 4. in the place of idle engines that have stayed for long enough, or that nobody has used for a
    lull; 5. smaller; 6. after patience, in the place of engines that have stayed for long enough, busy ones
    included, which then take no more requests.

    Those who leave for 4 and 6 are the ones of least worth, and come back smaller where both fit in that way.
    `free` is what is free and what becomes free by itself; `closed` tells for whom an engine was closed before.
    """
    others = [one for one in places if _may_leave(one, place)]
    if place.chosen_form is not None and fits(place.forms[place.chosen_form].memory, free):
        return place.chosen_form, []
    return (
        _whole(place, free, [one for one in others if one.idle and now >= one.last_used + rules.stale_s], now)
        or _in_place_of_idle(place, free, [one for one in others if one.idle], now, rules)
        or _smaller(place, free)
        or _in_place_of_busy(place, free, others, now, rules, closed)
    )


def _whole(place: Place, free: Memory, stale: list[Place], now: float) -> Choice | None:
    full = place.forms[0]
    leaving = _least_worth(full.memory, free, stale, now)
    if leaving is not None:
        return 0, leaving
    return next(
        (
            (n, [])
            for n, form in enumerate(place.forms)
            if form.slots == full.slots and fits(form.memory, free)
        ),
        None,
    )


def _in_place_of_idle(
    place: Place, free: Memory, idle: list[Place], now: float, rules: Rules
) -> Choice | None:
    since = {one.key: min(one.stays_until(rules), one.last_used + rules.lull_s(one.load_s)) for one in idle}
    place.due_at = min((due for due in since.values() if due > now), default=math.inf)
    return _swap(place, free, [one for one in idle if place.short_of_memory or since[one.key] <= now], now)


def _smaller(place: Place, free: Memory) -> Choice | None:
    return next(((n, []) for n, form in enumerate(place.forms) if fits(form.memory, free)), None)


def _in_place_of_busy(
    place: Place,
    free: Memory,
    others: list[Place],
    now: float,
    rules: Rules,
    closed: Mapping[Hashable, Place | None],
) -> Choice | None:
    if now < place.urgent_since + rules.patience_s(place.load_s):
        return None
    stayed = [one for one in others if one.idle or one.stays_until(rules) <= now]
    before = [one for one in stayed if closed.get(one.key) is place]
    at_once = [one for one in stayed if not one.running]
    return (
        _swap(place, free, at_once, now) or _swap(place, free, before, now) or _swap(place, free, stayed, now)
    )


def _may_leave(one: Place, wanted: Place) -> bool:
    taken = one.closed_for is not None and one.closed_for is not wanted
    return one.state == "ready" and any(one.reserved) and not taken and (not one.pinned or wanted.pinned)


def _swap(place: Place, free: Memory, others: list[Place], now: float) -> Choice | None:
    """The largest form beside which those who leave for it can come back smaller; else the largest there is room
    for."""
    if not others:
        return None
    fallback = None
    for number, form in enumerate(place.forms):
        leaving = _least_worth(form.memory, free, others, now)
        if leaving is None:
            continue
        fallback = fallback or (number, leaving)
        room = less(plus(free, [one.reserved for one in leaving]), [form.memory])
        if fits(plus(nothing(room), [one.forms[-1].memory for one in leaving]), room):
            return number, leaving
    return fallback


def _least_worth(need: Memory, free: Memory, others: Iterable[Place], now: float) -> list[Place] | None:
    """Those of least worth that have to leave so that `need` fits; None where all together are not enough."""
    leaving: list[Place] = []
    for one in sorted(others, key=lambda other: (other.worth(now), other.last_used)):
        short = [wanted > max(there, 0) for wanted, there in zip(need, free, strict=True)]
        if any(is_short and taken for is_short, taken in zip(short, one.reserved, strict=True)):
            leaving.append(one)
            free = plus(free, [one.reserved])
    if not fits(need, free):
        return None
    for one in list(leaving):  # a larger one that followed may have made it needless
        without = less(free, [one.reserved])
        if fits(need, without):
            leaving.remove(one)
            free = without
    return leaving


def fits(need: Memory, free: Memory) -> bool:
    """Whether `need` is there on every device, nothing being there even where less than nothing is free."""
    for wanted, there in zip(need, free, strict=True):  # noqa: SIM110 - asked a thousand times in a decision
        if wanted > there and wanted > 0:
            return False
    return True


def nothing(like: Memory) -> Memory:
    """No memory, of as many devices."""
    return (0,) * len(like)


def plus(memory: Memory, others: Iterable[Memory]) -> Memory:
    """The sum of all."""
    return tuple(map(sum, zip(memory, *others, strict=True)))


def less(memory: Memory, others: Iterable[Memory]) -> Memory:
    """What is left of `memory` without all others."""
    taken = plus(nothing(memory), others)
    return tuple(there - gone for there, gone in zip(memory, taken, strict=True))
