"""What becomes of those who wait when an engine fails, dies, grows, or the service stops."""

from __future__ import annotations

import pytest

from menagerie.engines.actions import NotLetIn
from tests.engines.histories import form, small_world, states


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
    world.load_s = 20.0
    world.enter("a")
    world.run(20.5)
    world.load_s = 1.0
    world.fates["b"] = ["out of memory"]
    request = world.enter("b")
    world.policy.know("b", [form(600)], 1.0)
    world.run(1.0)
    assert world.ends == [(21.5, "a", "evicted")]
    world.run(5)
    assert request in world.granted
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


def test_a_pinned_engine_that_fails_is_tried_again_by_itself() -> None:
    """After its rest, though nobody asks and nothing happens."""
    world = small_world()
    world.know("a", form(600), pinned=True)
    world.fates["a"] = ["fails", "fails"]
    world.look(event=True)
    world.run(10)
    assert states(world) == {"a": "ready"}


def test_who_has_rested_does_not_take_the_room_that_others_left_for_somebody_else() -> None:
    """One that waits for longer, but could not be tried, waits for its own turn."""
    world = small_world()
    world.know("there", form(600))
    world.know("rests", form(600))
    world.know("next", form(600))
    world.fates["rests"] = ["fails", "fails"]
    for _ in range(2):
        world.enter("rests")
        world.run(1.0)
    world.policy.places["rests"].rests_until = world.now + 12.0
    world.enter("there")
    world.run(10.5)
    world.enter("rests")
    world.run(0.5)
    world.end_s = 3.0
    world.enter("next")
    assert states(world)["there"] == "leaving"
    world.run(3.5)
    assert states(world) == {"there": "absent", "rests": "absent", "next": "loading"}
    world.run_out()
