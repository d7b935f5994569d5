"""What the policy promises, on random histories: see `histories` for what is watched."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from menagerie.engines.actions import NotLetIn
from menagerie.engines.place import Form
from menagerie.engines.rules import Rules
from tests.engines.histories import LONGEST_LOAD_S, LONGEST_TURN_S, Fate, World

SIZES = st.sampled_from([0, 120, 300, 480, 700, 1000])
RULES = Rules(queue_length=24)


@dataclass(frozen=True)
class Engine:
    """What there is to draw of an engine."""

    memory: tuple[int, int]
    slots: int
    pool: int | None
    forms: int
    load_s: float
    pinned: bool
    idle_after_s: float | None
    spare: int


ENGINES = st.lists(
    st.builds(
        Engine,
        memory=st.tuples(SIZES, SIZES),
        slots=st.integers(1, 5),
        pool=st.sampled_from([None, 60, 150]),
        spare=st.integers(0, 1),
        forms=st.integers(1, 3),
        load_s=st.sampled_from([0.1, 1.0, 6.0]),
        pinned=st.sampled_from([False, False, False, True]),
        idle_after_s=st.sampled_from([None, None, 0.0, 5.0, 60.0]),
    ),
    min_size=2,
    max_size=6,
)


def smaller_and_smaller(engine: Engine, devices: int) -> list[Form]:
    """The forms of an engine: the second has no cache, the third fewer slots and half the pool."""
    shares = [(1.0, engine.slots, 1.0), (0.7, engine.slots, 1.0), (0.4, max(1, engine.slots - 2), 0.5)]
    return [
        Form(
            tuple(int(mib * share) for mib in engine.memory[:devices]),
            slots,
            None if engine.pool is None else int(engine.pool * pool),
            engine.spare,
        )
        for share, slots, pool in shares[: engine.forms]
    ]


class QuietHistory(RuleBasedStateMachine):
    """Everything that users do, on engines that do as they should: nobody waits longer than the bound."""

    world: World
    keys: list[str]

    @initialize(
        engines=ENGINES,
        devices=st.integers(1, 2),
        seed=st.integers(0, 2**32),
        turn_s=st.sampled_from([None, None, 0.2, LONGEST_TURN_S]),
        load_s=st.sampled_from([None, None, 0.1, LONGEST_LOAD_S * 0.8]),
    )
    def begin(
        self, engines: list[Engine], devices: int, seed: int, turn_s: float | None, load_s: float | None
    ) -> None:
        """Some engines that may be asked for, of which few fit."""
        self.world = World((1000,) * devices, seed, RULES)
        self.world.turn_s, self.world.load_s = turn_s, load_s
        self.keys = [f"model {number}" for number in range(len(engines))]
        for key, engine in zip(self.keys, engines, strict=True):
            forms = smaller_and_smaller(engine, devices)
            pinned = engine.pinned and sum(forms[0].memory) <= 300
            self.world.know(
                key, *forms, load_s=engine.load_s, pinned=pinned, idle_after_s=engine.idle_after_s
            )

    @rule(
        key=st.integers(0, 5),
        user=st.integers(0, 4),
        tokens=st.integers(0, 80),
        batch=st.sampled_from([False, False, True]),
        times=st.sampled_from([1, 1, 1, 2, 12]),
    )
    def ask(self, key: int, user: int, tokens: int, batch: bool, times: int) -> None:
        """A user asks, once or often."""
        for _ in range(times):
            try:
                self.world.enter(self.keys[key % len(self.keys)], f"user {user}", tokens, batch=batch)
            except NotLetIn as answer:
                assert answer.why in {"full", "too_long", "too_large", "set_aside", "stopping"}  # noqa: PT017

    @rule(back=st.integers(0, 20))
    def go_away(self, back: int) -> None:
        """Somebody gives up, whether they wait, run or have been answered."""
        if self.world.key:
            self.world.give_up(max(1, len(self.world.key) - back))

    @rule(which=st.integers(0, 20), part=st.floats(0, 1))
    def need_less(self, which: int, part: float) -> None:
        """A turn turns out to need less of the pool."""
        running = [one for key in self.keys for one in self.world.policy.places[key].running]
        if running:
            request = running[which % len(running)]
            self.world.adjust(request, int(self.world.tokens[request] * part))

    @rule(times=st.sampled_from([1, 1, 3, 10]))
    def go_on(self, times: int) -> None:
        """Time goes on to what happens next."""
        for _ in range(times):
            self.world.step()

    @rule(seconds=st.one_of(st.floats(0, 2), st.floats(0, 100)))
    def pass_time(self, seconds: float) -> None:
        """Time goes on."""
        self.world.run(seconds)

    def teardown(self) -> None:
        """In the end everybody has been answered."""
        if hasattr(self, "world"):
            self.world.run_out()


class WildHistory(QuietHistory):
    """The same, on engines that fail, die, and take more than was expected of them."""

    @rule(
        key=st.integers(0, 5),
        fates=st.lists(st.sampled_from(["fails", "out of memory", "loads"]), max_size=4),
    )
    def bode(self, key: int, fates: list[Fate]) -> None:
        """The next loads of an engine fail."""
        self.world.fates[self.keys[key % len(self.keys)]] = list(fates)

    @rule(key=st.integers(0, 5))
    def die(self, key: int) -> None:
        """An engine dies."""
        name = self.keys[key % len(self.keys)]
        if self.world.state[name] == "ready":
            self.world.die(name)

    @rule(key=st.integers(0, 5), by=st.integers(1, 400))
    def grow(self, key: int, by: int) -> None:
        """An engine takes more memory than it should."""
        name = self.keys[key % len(self.keys)]
        if self.world.state[name] == "ready":
            self.world.grow(name, by)

    @precondition(lambda self: len(self.world.key) > 20)
    @rule(chance=st.integers(0, 9))
    def stop(self, chance: int) -> None:
        """The service is about to end."""
        if not chance:
            self.world.policy.stop("stopping")
            self.world.look(event=True)
            assert not self.world.waiting


HISTORIES = settings(
    max_examples=250, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestQuietHistories = QuietHistory.TestCase
TestQuietHistories.settings = HISTORIES
TestWildHistories = WildHistory.TestCase
TestWildHistories.settings = HISTORIES
