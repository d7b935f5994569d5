"""One target of the residency: the engine that runs for it, and what can be told of it and of all others."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from menagerie.core.errors import MenagerieError
from menagerie.engines.engine import RunningEngine
from menagerie.engines.overview import DeviceView, EngineView, Overview
from menagerie.engines.plan import Kind, Local, Machine
from menagerie.engines.policy import Scheduler
from menagerie.engines.remote import RemoteEngine
from menagerie.engines.target import Target


class Care(msgspec.Struct, frozen=True):
    """How an engine is kept: `pinned` ones are loaded at the start and stay, others leave after `idle_after_s`."""

    pinned: bool = False
    idle_after_s: float | None = None


class Silent:
    """An observer that looks away."""

    def _look_away(self, **_facts: object) -> None:
        pass

    entered = granted = left = refused = loaded = unloaded = failed = _look_away


class Unit:
    """A target and its engine. `failure` is the last one, until a load succeeds."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.care = Care()
        self.engine: RunningEngine | None = None
        self.failure: MenagerieError | None = None
        self.load_seconds: float | None = None
        self.resident_mib: int | None = None

    @property
    def name(self) -> str:
        """What it is called where it is shown."""
        return self.target.alias if isinstance(self.target, Local) else self.target.name

    @property
    def kind(self) -> Kind:
        """What it computes."""
        return self.target.forms[0].kind if isinstance(self.target, Local) else "text"


def overview(policy: Scheduler, machine: Machine, units: Iterable[Unit], now: float) -> Overview:
    """What can be seen of all engines at `now`."""
    views = tuple(_engine(policy, unit, now) for unit in units)
    return Overview(
        devices=tuple(_device(machine, number, views) for number in range(len(machine.devices))),
        engines=views,
        running=policy.running,
        waiting=policy.waiting,
        queue_length=policy.rules.queue_length,
        hits=policy.hits,
        misses=policy.misses,
        loads=policy.loads,
        evictions=policy.evictions,
        failures=policy.failures,
    )


def _device(machine: Machine, number: int, engines: Iterable[EngineView]) -> DeviceView:
    device = machine.devices[number]
    there = [engine for engine in engines if engine.reserved_mib]
    measured = [engine.measured_mib for engine in there if engine.measured_mib is not None]
    return DeviceView(
        name=device.name,
        description=device.description,
        total_mib=device.total_mib,
        budget_mib=device.budget_mib,
        reserved_mib=sum(engine.reserved_mib[number] for engine in there),
        measured_mib=sum(measured) if number == 0 else None,
    )


def _engine(policy: Scheduler, unit: Unit, now: float) -> EngineView:
    place = policy.places[unit.target]
    state = policy.state(unit.target, now)
    remote = unit.engine if isinstance(unit.engine, RemoteEngine) else None
    resting = state in {"resting", "set_aside"}
    return EngineView(
        name=unit.name,
        kind=unit.kind,
        state=state,
        remote=not isinstance(unit.target, Local),
        pinned=place.pinned,
        form=place.form,
        forms=len(place.forms),
        slots=place.slots,
        running=len(place.running),
        waiting=len(place.queue),
        reserved_mib=place.reserved,
        measured_mib=unit.resident_mib if unit.engine else None,
        loads=place.loads,
        failures=place.failures,
        last_load_s=unit.load_seconds,
        idle_s=now - place.last_used if place.idle else None,
        failure=place.failure if resting else "",
        retry_in_s=max(0.0, place.rests_until - now) if resting else None,
        healthy_addresses=remote.healthy_addresses if remote else None,
        addresses=remote.addresses if remote else None,
    )
