"""Who stays in memory and who is next: the promises of the policy, one by one."""

from __future__ import annotations

import math
import time

import msgspec
import pytest

from menagerie.engines.actions import NotLetIn
from menagerie.engines.rules import Rules
from tests.engines.histories import LONGEST_LOAD_S, LONGEST_TURN_S, World, form, small_world, states


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
        world.enter("ab"[number % 2], f"user {number}")
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


def test_prompts_that_exceed_the_pool_are_refused_with_the_figures() -> None:
    """The smallest form counts: it may be the one that is loaded."""
    world = small_world()
    world.know("a", form(600, tokens=2000), form(400, tokens=1000))
    with pytest.raises(NotLetIn) as refusal:
        world.enter("a", tokens=1001)
    assert (refusal.value.why, refusal.value.needed, refusal.value.budget) == ("too_long", 1001, 1000)


def test_a_full_queue_says_so_at_once() -> None:
    """And when to try again. Whoever has as many places as are left leaves those to others: half of them for one alone,
    and two cannot lock out a third."""
    world = small_world(rules=Rules(queue_length=8))
    world.know("a", form(600))
    for user, places in (("ann", 4), ("ben", 2), ("cleo", 1), ("dan", 1)):
        for _ in range(places):
            world.enter("a", user)
        with pytest.raises(NotLetIn, match="full"):
            world.enter("a", user)
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


def test_a_batch_fills_all_slots_where_people_have_one_on_top() -> None:
    """Nobody is about: the batch has everything. Who comes then has the slot on top, at once."""
    world = small_world()
    world.know("a", msgspec.structs.replace(form(600, slots=4), spare=1))
    batch = [world.enter("a", "ann", batch=True) for _ in range(6)]
    world.run(1)
    assert world.granted == batch[:4]
    person = world.enter("a", "bob")
    world.run(0.01)
    assert world.granted == [*batch[:4], person]
    second = world.enter("a", "eve")
    world.run(0.01)
    assert second not in world.granted


def test_people_alone_have_no_slot_on_top() -> None:
    """It is there for one who comes while a batch runs; the setting says how many answers are written at once."""
    world = small_world()
    world.know("a", msgspec.structs.replace(form(600, slots=2), spare=1))
    for user in ("ann", "bob", "eve"):
        world.enter("a", user)
    world.run(0.01)
    assert len(world.policy.places["a"].running) <= 2


def test_while_people_are_about_a_batch_begins_nothing_beyond_half_of_the_slots() -> None:
    """It has them all again a minute after the last person was done."""
    world = small_world()
    world.know("a", msgspec.structs.replace(form(600, slots=4), spare=1))
    world.enter("a", "bob")
    world.run(0.5)
    place = world.policy.places["a"]

    def most_at_once(seconds: int) -> int:
        most = 0
        for _ in range(seconds):
            while len(place.queue) < 6:
                world.enter("a", "ann", batch=True)
            world.run(1)
            most = max(most, sum(running.batch for running in place.running.values()))
        return most

    assert most_at_once(20) == 2
    most_at_once(int(world.policy.rules.people_stay_s))
    assert most_at_once(20) == 4


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


def test_who_asks_first_for_an_engine_does_not_wait_for_two_long_lines_that_came_before() -> None:
    """An engine that has had its turn queues anew, though those who wait for it still have waited for longer."""
    world = small_world()
    world.turn_s = 5.0
    for key in "abc":
        world.know(key, form(1000, slots=1))
    for number in range(100):
        world.enter("ab"[number % 2], f"user {number % 9}")
    world.run(1)
    asked_at, only = world.now, world.enter("c", "carol")
    while only not in world.granted:
        world.step()
    assert world.now - asked_at < world.policy.rules.longest_wait_s(3, 5.0, 1.0)
    assert len({key for _, key, _ in world.starts[:3]}) == 3


def test_a_grant_that_ends_a_stay_is_followed_at_once() -> None:
    """When the last has begun who waited when an engine came, and its time is over, what is idle leaves."""
    world = small_world()
    world.turn_s = 20.0
    world.know("busy", form(500, slots=1))
    world.know("idle", form(500))
    world.know("large", form(1000))
    for _ in range(4):
        world.enter("busy")
    world.run(1.0)
    world.turn_s = 0.5
    world.enter("idle")
    world.run(2.0)
    world.turn_s = 20.0
    world.enter("large")
    world.run(100)
    assert [key for _, key, _ in world.starts] == ["busy", "idle", "large"]


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
        policy.enter(f"model {number % 30}", f"user {number}", 10, 0.0)
    policy.decide(0.0)
    best = math.inf
    for turn in range(50):
        began = time.perf_counter()
        policy.decide(0.001 * turn)
        policy.next_look(0.001 * turn)
        best = min(best, time.perf_counter() - began)
    assert best < 0.004
