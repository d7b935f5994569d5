"""Engines as they may be seen on a busy day, and the figures of that day: for tests of what shows them."""

from __future__ import annotations

from math import sin
from random import Random

from menagerie.engines.figures import Figures
from menagerie.engines.overview import DeviceView, EngineView, Overview

GIB = 1024


def an_overview() -> Overview:
    """Two devices; an engine in most of the states there are."""
    return Overview(
        devices=(
            DeviceView("ram", "8 cores", 32 * GIB, 24 * GIB, 9 * GIB + 300, 8 * GIB + 100),
            DeviceView("gpu0", "NVIDIA GeForce RTX 4070", 12 * GIB, 11 * GIB, 7 * GIB),
        ),
        engines=(
            EngineView(
                "Llama-3.2-3B-Instruct-Q4_K_M", "text", "ready", False, True, 0, 3, 8, 3, 0,
                (2100, 3300), 2050, 1, 0, 2.4, None,
            ),
            EngineView(
                "Qwen2.5-7B-Instruct-Q4_K_M", "text", "ready", False, False, 1, 3, 4, 0, 0,
                (1400, 3868), 1300, 3, 0, 6.1, 83.0,
            ),
            EngineView("Mistral-Small-24B-Q4_K_M", "text", "loading", False, False, 0, 2, 2, 0, 2, (5716, 0)),
            EngineView("bge-m3-Q8_0", "embedding", "absent", False, False, 0, 1, 0, 0, 0, (), None, 2, 0, 0.8),
            EngineView(
                "/srv/models/Phi-4-mini-Q4_K_M", "text", "set_aside", False, False, 0, 1, 0, 0, 0, (), None, 0, 3,
                failure="engine.lost", retry_in_s=540.0,
            ),
            EngineView(
                "big", "text", "ready", True, False, 0, 1, 32, 5, 0, failure="", healthy_addresses=2, addresses=3,
            ),
        ),
        running=8,
        waiting=2,
        queue_length=256,
        hits=1834,
        misses=41,
        loads=9,
        evictions=4,
        failures=3,
    )  # fmt: skip


class SeenEngines:
    """What the routes need of the engines: their overview."""

    def __init__(self) -> None:
        self.seen = an_overview()

    def overview(self) -> Overview:
        return self.seen


class Clock:
    """A clock that is set by hand, in Unix seconds."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def lively_figures(until: float) -> Figures:
    """The figures of a day that ends at `until`, always the same ones; their clock stands still there."""
    chance = Random(7)
    clock = Clock(until - 86_400)
    figures = Figures(clock)
    overview = an_overview()
    while clock.now < until:
        load = 1.2 + sin((clock.now - until) / 2500) + sin((clock.now - until) / 300) / 2
        for _ in range(max(0, round(load * 3 + chance.random() * 2 - 1))):
            hit = chance.random() > 0.08
            figures.entered(kind="text", hit=hit)
            figures.granted(kind="text", waited_s=chance.expovariate(6) * load + (0 if hit else 2.5))
            figures.left(kind="text", held_s=chance.lognormvariate(1.2, 0.5))
        if chance.random() > 0.6:
            figures.entered(kind="embedding", hit=True)
            figures.granted(kind="embedding", waited_s=0.004)
            figures.left(kind="embedding", held_s=chance.lognormvariate(-1.5, 0.3))
        if chance.random() > 0.97:
            engine = chance.choice(overview.engines[:4])
            figures.loaded(engine=engine.name, kind=engine.kind, seconds=chance.lognormvariate(1.2, 0.6))
        figures.sample(overview, clock.now)
        clock.now += 60
    clock.now = until
    figures.failed(engine="/srv/models/Phi-4-mini-Q4_K_M", code="engine.lost")
    return figures
