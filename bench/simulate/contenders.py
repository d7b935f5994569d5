"""The ways to schedule models that are compared."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from bench.simulate.machine import Asked, Machine
from menagerie.engines.actions import End, Grant, Refuse, Start
from menagerie.engines.place import Form
from menagerie.engines.policy import Scheduler
from menagerie.engines.rules import Rules


class Ours:
    """The policy of the service itself, driven as the service drives it. Its queue is as long as there are users,
    so that nobody is turned away, as nobody is by the others."""

    def __init__(self, machine: Machine, rules: Rules | None = None) -> None:
        self._machine = machine
        self.policy = Scheduler(machine.world.budgets, rules or Rules(queue_length=1 << 20))
        self._waiting: dict[int, Asked] = {}
        self._numbers: dict[int, int] = {}
        for number, model in enumerate(machine.world.models):
            self.policy.know(number, (Form(model.memory, model.slots),), model.load_s)

    def ask(self, asked: Asked) -> None:
        """A turn comes."""
        now = self._machine.now
        number = self.policy.enter(asked.model, str(asked.user), 1, now)
        self._waiting[number] = asked
        self._numbers[id(asked)] = number
        self.look()
        asked.expected_s = self.policy.expected_s(number, now)

    def done(self, asked: Asked) -> None:
        """A turn has been answered."""
        self.policy.leave(self._numbers.pop(id(asked)), self._machine.now)
        self.look()

    def loaded(self, number: int) -> None:
        """A model answers."""
        self.policy.loaded(number, self._machine.now, self._machine.world.models[number].load_s)
        self.look()

    def ended(self, number: int) -> None:
        """A model's memory is free."""
        self.policy.ended(number)
        self.look()

    def look(self) -> None:
        """Do what is to be done now."""
        for action in self.policy.decide(self._machine.now):
            match action:
                case Grant(number):
                    self._machine.run(self._waiting.pop(number))
                case Start(key, _):
                    self._machine.load(int(str(key)))
                case End(key, _):
                    self._machine.end(int(str(key)))
                case Refuse(_, code):
                    raise AssertionError(code)

    def next_look(self) -> float:
        """When to look again."""
        return self.policy.next_look(self._machine.now)


class LeastRecentlyUsed:
    """As Ollama does it: requests in the order in which they come; each goes to its engine if that is there or being
    loaded, and waits for a slot there; else the engine that was used longest ago leaves as soon as it is idle, and
    meanwhile all who came later wait.

    With `overtaking`, those who came later go to engines that are there all the same, for as long as they like.
    """

    def __init__(self, machine: Machine, overtaking: bool = False) -> None:
        self._machine = machine
        self._overtaking = overtaking
        self._queue: deque[Asked] = deque()
        self._at_engine: dict[int, deque[Asked]] = {}
        """Who waits for a slot, by engine that is there or being loaded."""
        self._ready: set[int] = set()
        self._leaving: set[int] = set()
        self._running: dict[int, int] = {}
        self._used: dict[int, float] = {}

    def ask(self, asked: Asked) -> None:
        """A turn comes."""
        self._queue.append(asked)
        self._serve()

    def done(self, asked: Asked) -> None:
        """A turn has been answered."""
        self._running[asked.model] -= 1
        self._used[asked.model] = self._machine.now
        self._serve()

    def loaded(self, number: int) -> None:
        """A model answers."""
        self._ready.add(number)
        self._used[number] = self._machine.now
        self._serve()

    def ended(self, number: int) -> None:
        """A model's memory is free."""
        self._leaving.discard(number)
        self._serve()

    def look(self) -> None:
        """Nothing depends on time alone."""

    def next_look(self) -> float:
        """Never."""
        return float("inf")

    def _serve(self) -> None:
        blocked: list[Asked] = []
        while self._queue:
            asked = self._queue.popleft()
            if asked.model in self._at_engine:
                self._at_engine[asked.model].append(asked)
            elif not blocked and self._room_for(asked.model):
                self._machine.load(asked.model)
                self._at_engine[asked.model] = deque([asked])
            else:
                blocked.append(asked)
                if not self._overtaking:
                    break
        self._queue.extendleft(reversed(blocked))
        for number in self._ready:
            waiting, slots = self._at_engine[number], self._machine.world.models[number].slots
            while waiting and self._running.get(number, 0) < slots:
                self._running[number] = self._running.get(number, 0) + 1
                self._used[number] = self._machine.now
                self._machine.run(waiting.popleft())

    def _room_for(self, number: int) -> bool:
        """Whether there is room now; engines are ended for it if there is not."""
        world, need = self._machine.world, self._machine.world.models[number].memory
        coming = [0] * len(need)
        for leaving in self._leaving:
            coming = [have + more for have, more in zip(coming, world.models[leaving].memory, strict=True)]

        def short(there: list[int]) -> list[bool]:
            spare = zip(world.budgets, self._machine.taken, there, need, strict=True)
            return [budget - taken + soon < wanted for budget, taken, soon, wanted in spare]

        if not any(short([0] * len(need))):
            return True
        for idle in sorted(self._ready, key=lambda one: self._used[one]):
            lacking = short(coming)
            memory = world.models[idle].memory
            helps = any(lack and taken for lack, taken in zip(lacking, memory, strict=True))
            if helps and not self._running.get(idle) and not self._at_engine[idle]:
                self._ready.discard(idle)
                del self._at_engine[idle]
                self._leaving.add(idle)
                self._machine.end(idle)
                coming = [have + more for have, more in zip(coming, memory, strict=True)]
        return False


class OneAtATime:
    """As the reference does it: one lock, one model, one turn; another persona loads again, be it the same model."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._queue: deque[Asked] = deque()
        self._there: int | None = None
        self._persona: int | None = None
        self._busy = False

    def ask(self, asked: Asked) -> None:
        """A turn comes."""
        self._queue.append(asked)
        self._serve()

    def done(self, asked: Asked) -> None:
        """A turn has been answered."""
        self._busy = False
        self._serve()

    def loaded(self, number: int) -> None:
        """The model of the first in the queue answers."""
        self._there = number
        self._persona = self._queue[0].persona
        self._machine.run(self._queue.popleft())

    def ended(self, number: int) -> None:
        """The model is gone."""
        self._there = None
        self._machine.load(self._queue[0].model)

    def look(self) -> None:
        """Nothing depends on time alone."""

    def next_look(self) -> float:
        """Never."""
        return float("inf")

    def _serve(self) -> None:
        if self._busy or not self._queue:
            return
        self._busy = True
        head = self._queue[0]
        if self._persona == head.persona:
            self._machine.run(self._queue.popleft())
        elif self._there is not None:
            self._machine.end(self._there)
        else:
            self._machine.load(head.model)


CONTENDERS: dict[str, Callable[[Machine], Ours | LeastRecentlyUsed | OneAtATime]] = {
    "ours": Ours,
    "lru": LeastRecentlyUsed,
    "lru_overtaking": lambda machine: LeastRecentlyUsed(machine, overtaking=True),
    "reference": OneAtATime,
}
