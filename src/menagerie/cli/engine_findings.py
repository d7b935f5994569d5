"""What `menagerie doctor` finds out about engines: the devices, their budgets, and the build that fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from menagerie.cli import wheels
from menagerie.engines.devices import Findings, machine_of
from menagerie.engines.plan import Device
from menagerie.locales import Language, text
from menagerie.settings import Settings

State = Literal["ok", "note", "bad"]
Finding = tuple[State, str, str]
"""How it is, the key `cli.doctor.<key>` of what was looked at, and what was seen."""


def devices(found: Findings, settings: Settings, language: Language) -> Iterator[Finding]:
    """Every device with its memory, what engines may use of it, and how that is known; then the engine itself."""
    machine = machine_of(found, settings)
    memory, *gpus = machine.devices
    yield "ok", "ram", _budget(memory.total_mib, memory.budget_mib, _way(found, settings), language)
    way = "set" if settings.gpu_memory is not None else "library"
    for gpu in gpus:
        seen = _budget(gpu.total_mib, gpu.budget_mib, way, language)
        yield "ok" if gpu.budget_mib else "note", "gpu", f"{gpu.name}: {gpu.description}, {seen}"
    if machine.shared_gpu:
        shared = found.report.gpus[0]
        yield "ok", "gpu", text("cli.doctor.gpu_shared", language, gpu=shared.description or shared.name)
    elif not gpus:
        yield "ok", "gpu", text("cli.doctor.devices_none", language)


def engine(found: Findings, language: Language) -> Iterator[Finding]:
    """The installed build of the engine and its back ends."""
    report = found.report
    if report.failure:
        yield "bad", "engine", text(f"cli.doctor.engine_{report.failure}", language)
    else:
        backends = ", ".join(report.backends)
        yield (
            "ok",
            "engine",
            text("cli.doctor.engine_seen", language, version=report.version, backends=backends),
        )


def build(
    found: Findings, seen: wheels.Evidence, settings: Settings, language: Language
) -> Iterator[Finding]:
    """Which build of the engine fits, and the command that installs it where another one is installed."""
    fits = wheels.fitting(seen)
    name = text(f"cli.doctor.backend.{fits.backend}", language)
    installed = {backend.casefold() for backend in found.report.backends}
    if fits.backend in ("cpu", "metal") or fits.backend in installed:
        yield "ok", "build", text("cli.doctor.build_right", language, backend=name)
        return
    yield "note", "build", text("cli.doctor.build_better", language, backend=name)
    words = wheels.command(fits, settings.engine_index)
    if words is None:
        yield "note", "build_command", text("cli.doctor.no_installer", language)
        return
    yield "note", "build_command", wheels.shown(words)
    if not settings.engine_index:
        where = text("cli.doctor.index_unknown", language, documentation=wheels.documentation())
        yield "note", "build_index", where


def _way(found: Findings, settings: Settings) -> str:
    if settings.engine_memory is not None:
        return "set"
    return found.memory.limit


def _budget(total_mib: int, budget_mib: int, way: str, language: Language) -> str:
    return text(
        "cli.doctor.budget",
        language,
        total=in_mib(total_mib, language),
        budget=in_mib(budget_mib, language),
        way=text(f"cli.doctor.way.{way}", language),
    )


def named(device: Device, language: Language) -> str:
    """The name of a device, for people."""
    return text("cli.doctor.ram", language) if device.name == "ram" else device.name


def in_mib(mib: int, language: Language) -> str:
    """A size as the settings count it."""
    return text("cli.doctor.mib", language, mib=mib)
