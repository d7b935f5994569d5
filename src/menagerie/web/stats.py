"""The figures in a person's words: what the page `/platform/stats` shows, ready for its template."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from menagerie.core.numbers import number_text
from menagerie.engines.figures import shown_name
from menagerie.engines.history import History
from menagerie.engines.overview import DeviceView, EngineState, EngineView, Overview
from menagerie.locales import Language, text
from menagerie.web.stats_plots import Figure, figures
from menagerie.web.stats_words import (
    NONE,
    When,
    device_title,
    failure_text,
    kind_text,
    memory_text,
    share_text,
    span_text,
)

_WELL: Final = frozenset({"ready"})
_BUSY: Final = frozenset({"waiting", "loading", "leaving"})
_ILL: Final = frozenset({"resting", "set_aside"})


@dataclass(frozen=True)
class Tile:
    """One number, what it counts, and what to hold it against."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class DeviceCard:
    """One device's memory: parts of a thousand for its bars, and the same in words."""

    identity: str
    title: str
    description: str
    reserved: int
    measured: int | None
    budget: int
    facts: tuple[tuple[str, str, str], ...]
    """How each looks in the bars, its name, its size."""


@dataclass(frozen=True)
class EngineRow:
    """One engine; each cell has what it says and what it adds in small (may be empty). `look` is well, busy, ill
    or off."""

    look: str
    name: tuple[str, str]
    state: tuple[str, str]
    places: str
    waiting: str
    memory: tuple[str, str]
    loads: tuple[str, str]
    failures: str


@dataclass(frozen=True)
class FailureRow:
    """One failure of late."""

    at: str
    engine: str
    what: str


@dataclass(frozen=True)
class StatsPage:
    """All that the page shows, in one language."""

    now: str
    span: str
    tiles: tuple[Tile, ...]
    devices: tuple[DeviceCard, ...]
    engines: tuple[EngineRow, ...]
    figures: tuple[Figure, ...]
    failures: tuple[FailureRow, ...]


def stats_page(overview: Overview, history: History, when: When, span: str) -> StatsPage:
    """The page of what is so now, and what was so over `span` (hour or day)."""
    language = when.language
    return StatsPage(
        now=when.exact(history.until),
        span=span,
        tiles=tuple(_tiles(overview, language)),
        devices=tuple(_device(number, device, language) for number, device in enumerate(overview.devices)),
        engines=tuple(_engine(engine, language) for engine in overview.engines),
        figures=tuple(figures(history, overview.devices, when)),
        failures=tuple(
            FailureRow(when.moment(failure.at), failure.engine, failure_text(failure.code, language))
            for failure in reversed(history.failures)
        ),
    )


def _tiles(overview: Overview, language: Language) -> Iterator[Tile]:
    def tile(name: str, value: str, **values: object) -> Tile:
        note = text(f"page.stats.tile.{name}.note", language, **values)
        return Tile(text(f"page.stats.tile.{name}", language), value, note)

    def number(value: float) -> str:
        return number_text(value, language)

    turns = overview.hits + overview.misses
    hits = share_text(overview.hits, turns, language)
    slots = sum(engine.slots for engine in overview.engines if engine.state == "ready")
    aside = sum(engine.state == "set_aside" for engine in overview.engines)
    yield tile("running", number(overview.running), slots=number(slots))
    yield tile("waiting", number(overview.waiting), most=number(overview.queue_length))
    yield tile("hits", hits, hits=number(overview.hits), turns=number(turns))
    yield tile("loads", number(overview.loads), evictions=number(overview.evictions))
    yield tile("failures", number(overview.failures), aside=number(aside))


def _device(number: int, device: DeviceView, language: Language) -> DeviceCard:
    def thousandths(mib: int) -> int:
        return min(1000, round(1000 * mib / max(device.total_mib, 1)))

    told = [("reserved", device.reserved_mib)]
    if device.measured_mib is not None:
        told.append(("measured", device.measured_mib))
    told += [("budget", device.budget_mib), ("total", device.total_mib)]
    facts = tuple(
        (name, text(f"page.stats.memory.{name}", language), memory_text(mib, language)) for name, mib in told
    )
    return DeviceCard(
        identity=f"device-{number}",
        title=device_title(device.name, language),
        description=device.description,
        reserved=thousandths(device.reserved_mib),
        measured=None if device.measured_mib is None else thousandths(device.measured_mib),
        budget=thousandths(device.budget_mib),
        facts=facts,
    )


def _engine(engine: EngineView, language: Language) -> EngineRow:
    def say(key: str, **values: object) -> str:
        return text(f"page.stats.engine.{key}", language, **values)

    def number(value: float) -> str:
        return number_text(value, language)

    last = "" if engine.last_load_s is None else span_text(engine.last_load_s, language)
    places = say("turns", running=number(engine.running), slots=number(engine.slots))
    return EngineRow(
        look=_look(engine.state),
        name=(shown_name(engine.name), _whereabouts(engine, language)),
        state=(text(f"page.stats.state.{engine.state}", language), _circumstances(engine, language)),
        places=places if engine.slots else NONE,
        waiting=number(engine.waiting),
        memory=_memory(engine, language),
        loads=(number(engine.loads), say("last_load", last=last) if last else ""),
        failures=number(engine.failures),
    )


def _whereabouts(engine: EngineView, language: Language) -> str:
    place = text(f"page.stats.engine.{'remote' if engine.remote else 'local'}", language)
    if engine.addresses is not None and engine.healthy_addresses is not None:
        values = {"healthy": engine.healthy_addresses, "all": engine.addresses}
        place = text("page.stats.engine.addresses", language, **values)
    pinned = [text("page.stats.engine.pinned", language)] if engine.pinned else []
    return " · ".join([kind_text(engine.kind, language), place, *pinned])


def _memory(engine: EngineView, language: Language) -> tuple[str, str]:
    reserved = sum(engine.reserved_mib)
    if not reserved:
        return NONE, ""
    more: list[str] = []
    if engine.measured_mib is not None:
        measured = memory_text(engine.measured_mib, language)
        more.append(text("page.stats.engine.measured", language, measured=measured))
    if engine.form:
        values = {"form": engine.form + 1, "forms": engine.forms}
        more.append(text("page.stats.engine.reduced", language, **values))
    return memory_text(reserved, language), " · ".join(more)


def _look(state: EngineState) -> str:
    for look, states in (("well", _WELL), ("busy", _BUSY), ("ill", _ILL)):
        if state in states:
            return look
    return "off"


def _circumstances(engine: EngineView, language: Language) -> str:
    """For how long an engine has been idle; why it rests or is set aside, and until when."""
    if not engine.failure:
        idle = "" if engine.idle_s is None else span_text(engine.idle_s, language)
        return text("page.stats.engine.idle", language, span=idle) if idle else ""
    why = failure_text(engine.failure, language)
    if engine.retry_in_s is None:
        return text("page.stats.engine.because", language, why=why)
    soon = span_text(max(engine.retry_in_s, 1.0), language)
    return text("page.stats.engine.retry", language, why=why, soon=soon)
