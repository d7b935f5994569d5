"""The machine that is simulated: what a model takes, how fast it loads and answers, and the events of a day.

Speeds are those of a consumer GPU with 4-bit models: 60 tokens/s alone for the smallest model here and 25 for the
largest; beside n - 1 others a stream has n^-0.3 of that (eight streams together 4.3 times one), and engines that
generate at the same time share their device evenly. A prompt is read 25 times as fast as an answer is written.
Loads go at 2 GB/s after one second.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from bench.simulate.trace import DAY_S, Script, Turn

CROWDING: Final = 0.3
_READING: Final = 25.0
_END_S: Final = 0.2
"""From the order to end an engine until its memory is free."""
_SLICE_S: Final = 1e-9


class Model(msgspec.Struct, frozen=True):
    """`memory` in MiB of each device; `speed` in tokens/s of a stream alone."""

    memory: tuple[int, ...]
    load_s: float
    speed: float
    slots: int = 8

    @property
    def device(self) -> int:
        """Where it computes."""
        return next(number for number, taken in enumerate(self.memory) if taken)


class World(msgspec.Struct, frozen=True):
    """A machine and its models; persona k has model k modulo their number."""

    name: str
    budgets: tuple[int, ...]
    models: tuple[Model, ...]

    def model_of(self, persona: int) -> int:
        """The model that answers for a persona."""
        return persona % len(self.models)


def model(gib: float, device: int = 0, devices: int = 1) -> Model:
    """A model that takes so much, on one of the devices."""
    memory = [0] * devices
    memory[device] = round(gib * 1024)
    return Model(tuple(memory), load_s=1 + gib / 2, speed=min(60.0, 200 / gib))


def worlds() -> dict[str, World]:
    """Two of six models fit, three, all; mixed sizes; two devices."""
    sizes = (6.0, 5.5, 5.0, 6.5, 5.0, 5.5)
    mixed = (3.0, 8.0, 2.0, 5.0, 11.0, 4.0)
    alike = tuple(map(model, sizes))
    return {
        "two": World("two", (12 * 1024,), alike),
        "three": World("three", (18 * 1024,), alike),
        "all": World("all", (36 * 1024,), alike),
        "mixed": World("mixed", (12 * 1024,), tuple(map(model, mixed))),
        "devices": World(
            "devices", (6656, 6656), tuple(model(size, n % 2, 2) for n, size in enumerate(sizes))
        ),
    }


class Asked(msgspec.Struct):
    """A turn that has been asked, and what became of it. Times in seconds; `expected_s` as told when it came."""

    line: int
    user: int
    model: int
    persona: int
    work: float
    at: float
    began_at: float = math.nan
    ended_at: float = math.nan
    expected_s: float | None = None

    @property
    def waited_s(self) -> float:
        """From the question to the slot."""
        return self.began_at - self.at


class Scheduler(Protocol):
    """Told of what happens; commands the machine."""

    def ask(self, asked: Asked) -> None: ...
    def done(self, asked: Asked) -> None: ...
    def loaded(self, number: int) -> None: ...
    def ended(self, number: int) -> None: ...
    def look(self) -> None:
        """It is the time that `next_look` gave."""

    def next_look(self) -> float: ...


class _Engine:
    """What generates on one model: each stream has got `progress` tokens further since the beginning."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.progress = 0.0
        self.streams: list[tuple[float, int, Asked]] = []

    def rate(self, sharing: int) -> float:
        return self.model.speed * math.pow(len(self.streams), -CROWDING) / sharing


class Machine:
    """Runs a day. `now` in seconds from its beginning. `owners`: whose each line of the script is, where somebody
    asks in several at once."""

    def __init__(self, world: World, script: Script, owners: Sequence[int] = ()) -> None:
        self.world = world
        self.now = 0.0
        self.loads = 0
        self.loading_s = 0.0
        self.asked: list[Asked] = []
        self.taken = [0] * len(world.budgets)
        self._engines = [_Engine(one) for one in world.models]
        self._script = script
        self._owners = owners or range(len(script))
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._loading = 0

    # What a scheduler commands

    def load(self, number: int) -> None:
        """Load a model; there must be room for it."""
        model = self.world.models[number]
        self._take(model.memory)
        self.loads += 1
        self._loading += 1
        self._at(self.now + model.load_s, lambda: self._loaded(number))

    def end(self, number: int) -> None:
        """End an engine on which nothing runs; its memory is free a moment later."""
        assert not self._engines[number].streams, "a busy engine was ended"
        self._at(self.now + _END_S, lambda: self._ended(number))

    def run(self, asked: Asked) -> None:
        """Let a turn generate."""
        assert math.isnan(asked.began_at), "a turn was run twice"
        asked.began_at = self.now
        engine = self._engines[asked.model]
        self._count += 1
        heapq.heappush(engine.streams, (engine.progress + asked.work, self._count, asked))

    # The day

    def play(self, scheduler: Scheduler) -> None:
        """The whole day, and what is still to be answered after it."""
        self._scheduler = scheduler
        self._next = [0] * len(self._script)
        for line in range(len(self._script)):
            self._think(line)
        while True:
            event = self._events[0][0] if self._events else math.inf
            end, engine = self._next_end()
            then = min(event, end, scheduler.next_look())
            if then == math.inf:
                return
            assert then < 30 * DAY_S, "a day without end"
            self._advance(max(then, self.now))
            if end <= then and engine is not None:
                self._answered(heapq.heappop(engine.streams)[2])
            elif event <= then:
                heapq.heappop(self._events)[2]()
            else:
                scheduler.look()

    def _at(self, when: float, what: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, what))

    def _think(self, line: int) -> None:
        number = self._next[line]
        if number < len(self._script[line]):
            self._next[line] = number + 1
            turn = self._script[line][number]
            self._at(max(self.now + turn.think_s, turn.not_before), lambda: self._ask(line, turn))

    def _ask(self, line: int, turn: Turn) -> None:
        work = turn.answer_tokens + turn.prompt_tokens / _READING
        model = self.world.model_of(turn.persona)
        asked = Asked(line, self._owners[line], model, turn.persona, work, self.now)
        self.asked.append(asked)
        self._scheduler.ask(asked)

    def _answered(self, asked: Asked) -> None:
        asked.ended_at = self.now
        self._scheduler.done(asked)
        self._think(asked.line)

    def _loaded(self, number: int) -> None:
        self._loading -= 1
        self._scheduler.loaded(number)

    def _ended(self, number: int) -> None:
        for device, mib in enumerate(self.world.models[number].memory):
            self.taken[device] -= mib
        self._scheduler.ended(number)

    def _take(self, memory: tuple[int, ...]) -> None:
        for device, mib in enumerate(memory):
            self.taken[device] += mib
            assert self.taken[device] <= self.world.budgets[device], "the budget was exceeded"

    def _sharing(self) -> list[int]:
        sharing = [0] * len(self.world.budgets)
        for engine in self._engines:
            if engine.streams:
                sharing[engine.model.device] += 1
        return sharing

    def _next_end(self) -> tuple[float, _Engine | None]:
        sharing = self._sharing()
        best: tuple[float, _Engine | None] = (math.inf, None)
        for engine in self._engines:
            if engine.streams:
                left = engine.streams[0][0] - engine.progress
                at = self.now + max(left / engine.rate(sharing[engine.model.device]), _SLICE_S)
                if at < best[0]:
                    best = (at, engine)
        return best

    def _advance(self, then: float) -> None:
        seconds, sharing = then - self.now, self._sharing()
        for engine in self._engines:
            if engine.streams:
                engine.progress += seconds * engine.rate(sharing[engine.model.device])
        if self._loading:
            self.loading_s += seconds
        self.now = then
