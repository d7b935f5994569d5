"""Who stays in memory and who is next: what the policy promises, on random histories and one by one."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import pytest
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


ENGINES = st.lists(
    st.builds(
        Engine,
        memory=st.tuples(SIZES, SIZES),
        slots=st.integers(1, 5),
        pool=st.sampled_from([None, 60, 150]),
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


def small_world(*budgets: int, rules: Rules | None = None) -> World:
    """A world in which loads and turns take a second, and ends no time."""
    world = World(budgets or (1000,), 0, rules)
    world.turn_s = world.load_s = 1.0
    world.end_s = 0.0
    return world


def form(*memory: int, slots: int = 2, tokens: int | None = None) -> Form:
    """A form with two slots."""
    return Form(memory, slots, tokens)


def states(world: World) -> dict[str, str]:
    """What the engines are doing."""
    return dict(world.state)


def keep_busy(world: World, key: str, seconds: float, every: float = 0.5) -> list[int]:
    """Ask for an engine twice a second."""
    asked = []
    for _ in range(int(seconds / every)):
        asked.append(world.enter(key, "busy"))
        world.run(every)
    return asked


def test_two_engines_that_fit_are_both_there() -> None:
    """Nothing leaves while there is room."""
    world = small_world()
    world.know("a", form(500))
    world.know("b", form(500))
    world.enter("a")
    world.enter("b")
    world.run(10)
    assert states(world) == {"a": "ready", "b": "ready"}
    assert not world.ends


def test_requests_overtake_a_swap_only_until_patience_ends() -> None:
    """Those for the engine that is there are served meanwhile, then it takes no more until the other was there."""
    world = small_world()
    world.know("a", form(1000))
    world.know("b", form(1000))
    keep_busy(world, "a", 200)
    asked_at, bound = world.now, world.policy.rules.patience_s(1.0)
    waiting = world.enter("b", "bob")
    overtakers = keep_busy(world, "a", bound - 0.5)
    assert set(overtakers[:-2]) <= set(world.granted)
    later = keep_busy(world, "a", 5)
    assert waiting in world.granted
    assert not set(later[1:]) & set(world.granted[: world.granted.index(waiting)])
    begun = next(at for at, key, _ in world.starts if key == "b")
    assert asked_at + bound <= begun <= asked_at + bound + 1.0 + 1e-9


def test_an_engine_stays_for_longer_than_its_load_before_it_has_to_leave_again() -> None:
    """Two that do not fit together, both asked for all the time, alternate and do not thrash."""
    world = small_world()
    world.know("a", form(1000))
    world.know("b", form(1000))
    for number in range(400):
        world.enter("ab"[number % 2], f"user {number % 2}")
        world.run(0.25)
    gaps = [later[0] - earlier[0] for earlier, later in zip(world.starts, world.starts[1:], strict=False)]
    assert len(gaps) >= 4
    assert min(gaps) >= 3.0
    world.run_out()


def test_what_has_been_cold_for_long_leaves_at_once() -> None:
    """No patience is needed where nobody is overtaken."""
    world = small_world()
    world.know("a", form(1000))
    world.know("b", form(1000))
    world.enter("a")
    world.run(900)
    world.enter("b")
    assert world.ends == [(900, "a", "evicted")]


def test_what_was_used_a_moment_ago_is_held_for_a_moment() -> None:
    """An engine that is just loaded and in use does not leave between two turns."""
    world = small_world()
    world.load_s = 5.0
    world.know("a", form(1000))
    world.know("b", form(1000))
    world.enter("a")
    world.run(6.0)
    world.enter("b")
    assert states(world)["a"] == "ready"
    world.run(world.policy.rules.patience_s(5.0))
    assert states(world)["a"] != "ready"


def test_who_has_to_leave_comes_back_smaller_where_both_fit() -> None:
    """Shrinking: the whole one ends, the other loads, the small one returns by itself."""
    world = small_world()
    world.know("a", form(900), form(400, slots=1))
    world.know("b", form(600))
    world.enter("a")
    world.run(900)
    world.enter("b")
    world.run(10)
    assert states(world) == {"a": "ready", "b": "ready"}
    assert world.form["a"] == 1
    assert [reason for _, _, reason in world.ends] == ["shrunk"]


def test_what_is_used_more_stays() -> None:
    """Of two idle ones the one leaves that is asked for less."""
    world = small_world()
    for key in "abc":
        world.know(key, form(500))
    world.enter("a")
    keep_busy(world, "b", 20)
    world.run(30)
    world.enter("c")
    world.run(40)
    assert states(world) == {"a": "absent", "b": "ready", "c": "ready"}


def test_stale_engines_leave_before_another_has_to_start_smaller() -> None:
    """What nobody has used for ten minutes is not worth a smaller form."""
    world = small_world()
    world.know("a", form(500))
    world.know("b", form(800), form(400))
    world.enter("a")
    world.run(700)
    world.enter("b")
    world.run(5)
    assert world.form["b"] == 0
    assert states(world)["a"] == "absent"


def test_a_smaller_form_is_taken_where_the_other_is_busy() -> None:
    """Nobody waits for a form that is larger than needs be."""
    world = small_world()
    world.turn_s = 20.0
    world.know("a", form(500))
    world.know("b", form(800), form(400))
    world.enter("a")
    world.run(2)
    world.enter("b")
    assert states(world) == {"a": "ready", "b": "loading"}
    assert world.form["b"] == 1


def test_a_pinned_engine_is_loaded_and_never_leaves() -> None:
    """Neither for others nor because it is idle."""
    world = small_world()
    world.know("a", form(600), pinned=True, idle_after_s=5.0)
    world.know("b", form(400))
    world.know("c", form(500))
    world.look(event=True)
    assert states(world)["a"] == "loading"
    world.enter("b")
    world.run(100)
    assert states(world)["a"] == "ready"
    with pytest.raises(NotLetIn) as refusal:
        world.enter("c")
    assert (refusal.value.why, refusal.value.needed, refusal.value.budget) == ("too_large", 500, 400)


def test_an_idle_engine_ends_after_its_time() -> None:
    """Not a moment later, whatever floating point makes of it."""
    world = small_world()
    world.know("a", form(600), idle_after_s=0.1)
    for _ in range(50):
        world.enter("a")
        world.run(2.7)
        assert states(world)["a"] == "absent"
    assert {reason for _, _, reason in world.ends} == {"idle"}


def test_an_engine_is_set_aside_after_the_third_failure() -> None:
    """With its reason, for a time that grows; a load that succeeds lets people in again."""
    world = small_world()
    world.know("a", form(600))
    world.fates["a"] = ["fails"] * 4
    for failures in (1, 2, 3):
        request = world.enter("a")
        world.run(5)
        assert world.refused[request] == "engine.start_failed"
        assert world.policy.places["a"].failures == failures
    assert world.policy.state("a", world.now) == "set_aside"
    with pytest.raises(NotLetIn) as refusal:
        world.enter("a")
    assert refusal.value.why == "set_aside"
    assert refusal.value.retry_s is not None
    assert 50 < refusal.value.retry_s <= 60
    world.run(60)
    world.enter("a")
    world.run(2)
    with pytest.raises(NotLetIn) as refusal:
        world.enter("a")
    assert refusal.value.retry_s is not None
    assert 110 < refusal.value.retry_s <= 120
    world.run(120)
    served = world.enter("a")
    world.run(2)
    assert served in world.granted


def test_an_engine_that_lived_well_begins_a_new_count_of_failures() -> None:
    """Two failures long ago and one now are not three in a row, however it ended in between."""
    world = small_world()
    world.know("a", form(600), idle_after_s=60.0)
    world.fates["a"] = ["fails", "fails", "loads", "fails"]
    for _ in range(2):
        world.enter("a")
        world.run(5)
    world.enter("a")
    world.run(100)
    assert states(world)["a"] == "absent"
    world.enter("a")
    world.run(5)
    assert world.policy.state("a", world.now) == "resting" or world.policy.places["a"].failures == 1


def test_who_waits_for_an_engine_that_dies_is_served_by_the_next_one() -> None:
    """The first death costs nobody their place."""
    world = small_world()
    world.know("a", form(600, slots=1))
    world.enter("a")
    world.run(1.5)
    waiting = world.enter("a", "bob")
    world.die("a")
    world.run(5)
    assert waiting in world.granted


def test_who_waits_for_an_engine_that_dies_for_the_third_time_is_told() -> None:
    """They do not wait until it is tried again."""
    world = small_world()
    world.turn_s = 100.0
    world.know("a", form(600, slots=1))
    world.enter("a")
    for _ in range(3):
        world.run(5)
        waiting = world.enter("a", "eve")
        world.die("a")
    world.run(2)
    assert world.policy.state("a", world.now) == "set_aside"
    assert not world.waiting
    assert world.refused[waiting] == "engine.lost"


def test_out_of_memory_is_retried_once_with_more_room() -> None:
    """The estimate is corrected, what is idle leaves for it at once, and only then it is tried again."""
    world = small_world()
    world.know("a", form(500))
    world.know("b", form(500))
    world.enter("a")
    world.run(1.5)
    world.fates["b"] = ["out of memory"]
    request = world.enter("b")
    world.policy.know("b", [form(600)], 1.0)
    world.run(5)
    assert request in world.granted
    assert [key for _, key, _ in world.ends] == ["a"]
    assert [key for _, key, _ in world.starts] == ["a", "b", "b"]


def test_out_of_memory_twice_is_a_failure() -> None:
    """Who waits is told."""
    world = small_world()
    world.know("a", form(500))
    world.fates["a"] = ["out of memory", "out of memory"]
    request = world.enter("a")
    world.run(5)
    assert request in world.refused
    assert len(world.starts) == 2


def test_who_cannot_fit_any_more_is_told_though_they_were_let_in() -> None:
    """An estimate that has become larger than the budget does not leave anybody waiting."""
    world = small_world()
    world.know("a", form(900))
    world.fates["a"] = ["out of memory"]
    request = world.enter("a")
    world.policy.know("a", [form(1100)], 1.0)
    world.run(5)
    assert world.refused == {request: "too_large"}


def test_what_can_never_fit_is_refused_with_the_figures() -> None:
    """Of the device on which it is short; a form that fits elsewhere is enough."""
    world = small_world(1000, 500)
    world.know("a", form(900, 800), form(900, 600))
    world.know("b", form(100, 800), form(950, 100))
    with pytest.raises(NotLetIn) as refusal:
        world.enter("a")
    assert (refusal.value.why, refusal.value.needed, refusal.value.budget) == ("too_large", 600, 500)
    request = world.enter("b")
    world.run(3)
    assert request in world.granted


def test_an_engine_on_another_device_does_not_have_to_leave() -> None:
    """Room is made where it is short."""
    world = small_world(1000, 1000)
    world.know("cpu", form(900, 0))
    world.know("gpu", form(0, 900))
    world.know("new", form(0, 800))
    world.enter("cpu")
    world.enter("gpu")
    world.run(700)
    world.enter("new")
    world.run(5)
    assert states(world) == {"cpu": "ready", "gpu": "absent", "new": "ready"}


def test_an_engine_elsewhere_needs_no_memory_even_where_less_than_nothing_is_free() -> None:
    """An address is asked while an engine here has grown beyond its budget."""
    world = small_world()
    world.turn_s = 50.0
    world.know("here", form(900))
    world.know("there", form(0))
    world.enter("here")
    world.run(2)
    world.grow("here", 300)
    request = world.enter("there")
    world.run(2)
    assert request in world.granted


def test_what_has_grown_beyond_the_budget_makes_idle_ones_leave() -> None:
    """As many as need be, and no more, however often one asks."""
    world = small_world()
    for key in "abc":
        world.know(key, form(300))
        world.enter(key)
    world.run(5)
    world.grow("a", 200)
    world.run(5)
    assert len(world.ends) == 1


def test_prompts_that_exceed_the_pool_are_refused_with_the_figures() -> None:
    """The smallest form counts: it may be the one that is loaded."""
    world = small_world()
    world.know("a", form(600, tokens=2000), form(400, tokens=1000))
    with pytest.raises(NotLetIn) as refusal:
        world.enter("a", tokens=1001)
    assert (refusal.value.why, refusal.value.needed, refusal.value.budget) == ("too_long", 1001, 1000)


def test_a_full_queue_says_so_at_once() -> None:
    """And when to try again; one user cannot fill more than half of it."""
    world = small_world(rules=Rules(queue_length=8))
    world.know("a", form(600))
    for _ in range(4):
        world.enter("a", "ann")
    with pytest.raises(NotLetIn, match="full"):
        world.enter("a", "ann")
    for number in range(4):
        world.enter("a", f"user {number}")
    with pytest.raises(NotLetIn, match="full") as refusal:
        world.enter("a", "last")
    assert refusal.value.retry_s is not None
    assert refusal.value.retry_s >= 1


def test_fifty_requests_of_one_do_not_delay_anothers_first() -> None:
    """They get the next slot that is free."""
    world = small_world()
    world.know("a", form(600, slots=2))
    for _ in range(50):
        world.enter("a", "ann")
    world.run(3.5)
    before = len(world.granted)
    bob = world.enter("a", "bob")
    world.run(2)
    assert world.granted.index(bob) <= before + 1


def test_a_batch_leaves_a_slot_to_people_and_is_not_starved() -> None:
    """Somebody who comes while a batch runs does not wait; the batch ends all the same."""
    world = small_world()
    world.know("a", form(600, slots=3))
    batch = [world.enter("a", "ann", batch=True) for _ in range(20)]
    for number in range(60):
        world.run(1.01)
        person = world.enter("a", f"user {number}")
        assert person in world.granted or number > 28
    assert set(batch) <= set(world.granted)


def test_stop_refuses_all_who_wait_and_starts_nothing_any_more() -> None:
    """Who runs may go on; nobody is let in; what is pinned is not loaded again."""
    world = small_world()
    world.turn_s = 10.0
    world.know("a", form(600, slots=1))
    world.know("pinned", form(300), pinned=True)
    running = world.enter("a")
    waiting = world.enter("a", "bob")
    world.run(0.5)
    world.policy.stop("stopping")
    world.look(event=True)
    assert world.refused == {running: "stopping", waiting: "stopping"}
    with pytest.raises(NotLetIn, match="stopping"):
        world.enter("a")
    world.run(100)
    assert [key for _, key, _ in world.starts] == ["a"]


def test_hits_and_misses_are_counted() -> None:
    """A hit found its engine ready."""
    world = small_world()
    world.know("a", form(600))
    world.enter("a")
    world.run(5)
    world.enter("a")
    world.enter("a")
    assert (world.policy.hits, world.policy.misses, world.policy.loads) == (2, 1, 1)


def test_a_large_engine_is_not_starved_by_small_ones_that_come_and_go() -> None:
    """What it needs is kept for it once its patience is over, though it cannot have all of it yet."""
    world = small_world()
    world.turn_s = 4.0
    world.know("large", form(1000))
    for number in range(8):
        world.know(f"small {number}", form(250))
    for number in range(100):
        world.enter(f"small {number % 8}", f"user {number % 5}")
        world.run(0.7)
    large = world.enter("large", "bob")
    asked_at = world.now
    for number in range(2000):
        if large in world.granted:
            break
        if len(world.waiting) < 200:
            world.enter(f"small {number % 8}", f"user {number % 5}")
        world.run(0.7)
    assert world.now - asked_at < world.policy.rules.patience_s(1.0) + world.policy.rules.most_stay_s + 20


def test_the_bound_on_waiting_is_not_larger_than_need_be() -> None:
    """Five engines of which one fits, all wanted all the time, and turns as long as they may be."""
    world = small_world()
    world.turn_s, world.load_s, world.end_s = LONGEST_TURN_S - 0.5, LONGEST_LOAD_S * 0.8, LONGEST_LOAD_S * 0.2
    for number in range(5):
        world.know(f"model {number}", form(1000, slots=2), load_s=LONGEST_LOAD_S)
    for number in range(2000):
        key = f"model {number % 5}"
        if len(world.policy.places[key].queue) < 20:
            world.enter(key, f"user {number % 7}")
        world.run(0.5)
    bound = world.policy.rules.longest_wait_s(5, LONGEST_TURN_S, LONGEST_LOAD_S)
    assert 0.8 * bound < world.longest_still_s <= bound


def test_deciding_is_quick_where_many_wait() -> None:
    """With 30 engines and 256 who wait: far below what one token takes."""
    world = small_world(3000)
    for number in range(30):
        world.know(f"model {number}", form(1000, slots=2))
    policy = world.policy
    for number in range(256):
        policy.enter(f"model {number % 30}", f"user {number % 50}", 10, 0.0)
    policy.decide(0.0)
    best = math.inf
    for turn in range(50):
        began = time.perf_counter()
        policy.decide(0.001 * turn)
        policy.next_look(0.001 * turn)
        best = min(best, time.perf_counter() - began)
    assert best < 0.004
