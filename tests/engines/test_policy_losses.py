"""What is left of an engine that was lost, or of one that leaves: nothing that another has to pay for."""

from __future__ import annotations

from menagerie.engines.rules import Rules
from tests.engines.histories import form, small_world


def test_who_ran_on_a_lost_engine_holds_no_slot_of_the_next() -> None:
    """They are cut off at once, and two others run though the first two have not said yet that they left."""
    world = small_world()
    world.turn_s = 50.0
    world.know("a", form(600, slots=2, tokens=100))
    cut_off = [world.enter("a", user, 50) for user in ("ann", "bob")]
    world.run(2)
    world.die("a")
    later = [world.enter("a", user, 50) for user in ("eve", "kim")]
    world.run(5)
    assert set(world.policy.places["a"].running) == set(later)
    assert world.granted == [*cut_off, *later]


def test_what_those_who_were_cut_off_still_say_changes_nothing() -> None:
    """An adjustment and a farewell that come late are those of nobody."""
    world = small_world()
    world.turn_s = 50.0
    world.know("a", form(600, slots=1, tokens=100))
    cut_off = world.enter("a", "ann", 100)
    world.run(2)
    world.die("a")
    served, waits = world.enter("a", "bob", 60), world.enter("a", "eve", 60)
    world.run(5)
    world.adjust(cut_off, 1)
    world.give_up(cut_off)
    assert world.policy.position(cut_off) == 0
    assert world.policy.expected_s(cut_off, world.now) == 0
    assert (set(world.policy.places["a"].running), world.policy.position(waits)) == ({served}, 1)


def test_a_line_forgets_those_who_were_cut_off() -> None:
    """Else a user who never comes back would count in its rounds for ever."""
    world = small_world()
    world.turn_s = 50.0
    world.know("a", form(600))
    world.enter("a", "ann")
    world.run(2)
    world.die("a")
    assert not world.policy.places["a"].queue._here


def test_a_death_after_a_long_life_begins_a_new_count_of_failures() -> None:
    """Three deaths an hour apart are not three in a row; three at once are."""
    world = small_world()
    world.know("a", form(600))
    for _ in range(4):
        world.enter("a")
        world.run(3600)
        world.die("a")
        world.run(1)
        assert world.policy.places["a"].failures == 1
    assert world.policy.state("a", world.now) == "absent"


def test_a_pinned_engine_that_failed_is_tried_again_though_nobody_asks() -> None:
    """After its rests, and after it was set aside."""
    world = small_world()
    world.know("a", form(600), pinned=True)
    world.fates["a"] = ["fails"] * 3
    world.look(event=True)
    world.run(62)
    assert world.policy.state("a", world.now) == "set_aside"
    world.run(5)
    assert world.state["a"] == "ready"


def test_a_pinned_engine_leaves_for_another_pinned_one_only() -> None:
    """Two that are pinned and do not fit together take turns; no other comes between them."""
    world = small_world()
    for key in "ab":
        world.know(key, form(600), pinned=True)
    world.look(event=True)
    world.run(100)
    assert world.state == {"a": "ready", "b": "absent"}
    request = world.enter("b")
    world.run(5)
    assert request in world.granted
    assert world.state == {"a": "absent", "b": "ready"}


def test_rest_grows_with_every_failure_up_to_ten_times() -> None:
    """None at first, a second, then a minute, two, four, eight, and ten."""
    rests = [Rules().rest_s(failures) for failures in range(1, 9)]
    assert rests == [0, 1, 60, 120, 240, 480, 600, 600]


def test_an_engine_that_nobody_uses_for_a_lull_does_not_stay() -> None:
    """It came a moment ago, and would stay for 2 · (10 + 8) s; but its only turn has ended, and a second without
    another is a tenth of its load."""
    world = small_world()
    world.load_s = 10.0
    world.know("a", form(600), load_s=10.0)
    world.know("b", form(600), load_s=10.0)
    world.enter("a")
    world.run(10.5)
    world.enter("b")
    world.run(20)
    assert world.ends == [(12.0, "a", "evicted")]


def test_a_lull_begins_anew_with_every_request() -> None:
    """Who asks again less than a second after each turn has not left."""
    world = small_world()
    world.load_s = 10.0
    world.know("a", form(600), load_s=10.0)
    world.know("b", form(600), load_s=10.0)
    world.enter("a")
    world.run(10.5)
    world.enter("b")
    for _ in range(10):
        world.run(1.4)
        world.enter("a")
    assert not world.ends
    world.run_out()


def test_only_as_many_leave_as_make_room() -> None:
    """The small one is worth least, but the large one has to leave in any case, and makes room enough."""
    world = small_world()
    world.know("small", form(200))
    world.know("large", form(700))
    world.know("new", form(700))
    world.enter("small")
    world.run(5)
    for _ in range(10):
        world.enter("large")
    world.run(100)
    world.enter("new")
    world.run(5)
    assert world.state == {"small": "ready", "large": "absent", "new": "ready"}


def test_who_was_short_of_memory_does_not_wait_for_a_lull() -> None:
    """What is idle leaves for it at once, though it was used a moment ago."""
    world = small_world()
    world.load_s = 10.0
    for key in "ab":
        world.know(key, form(500), load_s=10.0)
    world.enter("a")
    world.run(10.5)
    world.fates["b"] = ["out of memory"]
    world.enter("b")
    world.policy.know("b", [form(600)], 10.0)
    world.run(9.5)
    world.enter("a")
    world.run(5)
    assert world.ends == [(21.0, "a", "evicted")]
