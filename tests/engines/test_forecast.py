"""What people are told about their wait: each sum by hand, and what holds of all of them."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from menagerie.engines.forecast import FIRST_GUESS_S, Holds, expected_waits
from menagerie.engines.place import Form, Place
from menagerie.engines.prospect import until_ready
from menagerie.engines.rules import Rules
from tests.engines.histories import World

RULES = Rules()
NOW = 1000.0
"""Late enough that an engine that came at 0 has stayed."""
SECONDS = st.floats(0, 1000)


def test_a_turn_is_guessed_before_any_has_ended() -> None:
    assert Holds().expected_s(1) == Holds().expected_s(7) == FIRST_GUESS_S


def test_a_turn_is_expected_to_take_what_one_beside_as_many_others_took() -> None:
    holds = Holds()
    holds.note(4.0, beside=1)
    holds.note(6.0, beside=2)
    assert [holds.expected_s(crowd) for crowd in (1, 2)] == [4.0, 6.0]


def test_a_crowd_that_was_not_seen_is_reckoned_from_the_nearest() -> None:
    """n^0.7 times as long beside n - 1 others."""
    holds = Holds()
    holds.note(4.0, beside=1)
    holds.note(20.0, beside=8)
    assert holds.expected_s(2) == pytest.approx(4.0 * 2**0.7)
    assert holds.expected_s(16) == pytest.approx(20.0 * 2**0.7)
    assert holds.expected_s(0) == 4.0


def test_what_is_usual_follows_slowly() -> None:
    """By a quarter of the difference: one long turn is not the rule."""
    holds = Holds()
    for held_s in (4.0, 8.0, 5.0):
        holds.note(held_s, beside=1)
    assert holds.expected_s(1) == 5.0


def test_the_crowd_is_the_mean_of_those_that_ran_meanwhile() -> None:
    holds = Holds()
    holds.note(4.0, beside=0.2)
    holds.note(9.0, beside=2.6)
    assert [holds.expected_s(crowd) for crowd in (1, 3)] == [4.0, 9.0]


@given(
    notes=st.lists(st.tuples(SECONDS, st.floats(0, 16)), max_size=20),
    crowds=st.tuples(st.integers(0, 16), st.integers(0, 16)),
)
def test_no_turn_is_expected_outside_of_what_turns_took(
    notes: list[tuple[float, float]], crowds: tuple[int, int]
) -> None:
    """Never negative; of turns that were all seen alone, more of them never take less time."""
    holds, alone = Holds(), Holds()
    for held_s, beside in notes:
        holds.note(held_s, beside)
        alone.note(held_s, 1)
    assert all(0 <= holds.expected_s(crowd) < math.inf for crowd in crowds)
    assert alone.expected_s(min(crowds)) <= alone.expected_s(max(crowds))


@pytest.mark.parametrize(
    ("held", "free", "waits"),
    [
        ([], 2, [0.0, 0.0, 10.0]),
        ([4.0], 0, [6.0, 16.0, 26.0]),
        ([2.0, 8.0], 0, [2.0, 8.0, 12.0]),
        ([7.0], 1, [0.0, 3.0, 10.0]),
        ([30.0], 0, [10.0, 20.0, 30.0]),
    ],
    ids=["slots are free", "one turn each", "the next to end is next", "a free slot first", "long overdue"],
)
def test_waits_for_turns_of_ten_seconds(held: list[float], free: int, waits: list[float]) -> None:
    assert expected_waits(held, free, 10.0, 3) == waits


@given(
    held=st.lists(SECONDS, max_size=8),
    free=st.integers(0, 8),
    hold=st.floats(0.01, 1000),
    waiting=st.integers(0, 40),
)
def test_waits_grow_along_the_line_and_shrink_with_a_free_slot(
    held: list[float], free: int, hold: float, waiting: int
) -> None:
    free = free if held else max(free, 1)
    waits = expected_waits(held, free, hold, waiting)
    assert len(waits) == waiting
    assert all(wait >= 0 for wait in waits)
    assert all(before <= after for before, after in pairwise(waits))
    assert waits == expected_waits(held, free, hold, waiting + 3)[:waiting]
    more = expected_waits(held, free + 1, hold, waiting)
    assert all(there <= here for there, here in zip(more, waits, strict=True))


def an_engine(key: str, mib: int, load_s: float = 1.0) -> Place:
    """One of a single slot that nobody has used."""
    place = Place(key, RULES.batch_patience_s)
    place.forms, place.load_s, place.reserved = (Form((mib,), 1),), load_s, (0,)
    return place


def one_in_memory(key: str, mib: int, load_s: float = 1.0) -> Place:
    """One that came at 0, and is idle since."""
    place = an_engine(key, mib, load_s)
    place.state, place.reserved = "ready", (mib,)
    return place


def busy_since(place: Place, at: float, waiting: int = 0) -> Place:
    """A turn runs on it, and others wait."""
    for number in range(1 + waiting):
        place.add(1000 + number, "busy", 1, False, at)
    place.grant(at)
    return place


def wanted_since(place: Place, at: float) -> Place:
    """Somebody waits for it."""
    place.add(1, "ann", 1, False, at)
    return place


def ready_in(place: Place, *others: Place, free: int = 0, now: float = NOW) -> float:
    """Seconds until it is expected to be ready."""
    return until_ready(place, [*others, place], (free,), now, RULES)


def test_an_engine_that_is_there_is_there() -> None:
    assert ready_in(busy_since(one_in_memory("a", 600), NOW)) == 0


def test_a_load_that_goes_on_takes_what_is_left_of_it() -> None:
    """One that takes longer than usual is expected to take a tenth still."""
    place = an_engine("a", 600, load_s=5.0)
    place.state, place.began_at = "loading", NOW
    assert ready_in(place, now=NOW + 2) == 3.0
    assert ready_in(place, now=NOW + 60) == 0.5


def test_where_there_is_room_only_the_load_is_waited_for() -> None:
    assert ready_in(wanted_since(an_engine("a", 600, 5.0), NOW), free=600) == 5.0


def test_what_rests_after_a_failure_is_loaded_after_its_rest() -> None:
    place = wanted_since(an_engine("a", 600, 5.0), NOW)
    place.rests_until = NOW + 60
    assert ready_in(place, free=600) == 65.0


def test_an_idle_engine_that_has_stayed_is_not_waited_for() -> None:
    assert ready_in(wanted_since(an_engine("a", 600, 5.0), NOW), one_in_memory("b", 600)) == 5.0


def test_what_is_leaving_already_is_counted_as_free() -> None:
    """So nobody waits for the busy one beside it."""
    leaving, busy = one_in_memory("b", 600), busy_since(one_in_memory("c", 600), NOW, waiting=1)
    leaving.state = "leaving"
    assert ready_in(wanted_since(an_engine("a", 600, 5.0), NOW), leaving, busy) == 5.0


def test_a_busy_engine_is_overtaken_after_patience_and_leaves_after_its_turn() -> None:
    """Patience of 4 s for a load of 1 s, the turn of 8 s, the load."""
    busy = busy_since(one_in_memory("b", 600), NOW, waiting=1)
    assert ready_in(wanted_since(an_engine("a", 600), NOW), busy) == 4 + FIRST_GUESS_S + 1


def test_a_busy_engine_that_has_just_come_stays_first() -> None:
    """Twice the load of 10 s and the turn of 8 s, from when it came; then the turn, and the load."""
    busy = one_in_memory("b", 600, load_s=10.0)
    busy.ready_at = NOW
    busy_since(busy, NOW, waiting=1)
    expected = RULES.stay_swaps * (10 + FIRST_GUESS_S) + FIRST_GUESS_S + 1
    assert ready_in(wanted_since(an_engine("a", 600), NOW), busy) == expected


def test_who_has_waited_for_longer_comes_first_and_stays() -> None:
    """One load after the other where there is room for both, and a stay between them where there is not."""
    first, second = (
        wanted_since(an_engine("a", 600, 2.0), NOW - 1),
        wanted_since(an_engine("b", 600, 3.0), NOW),
    )
    assert ready_in(second, first, free=1200) == 3.0
    assert ready_in(first, second, free=600) == 2.0
    assert ready_in(second, first, free=600) > 2.0 + FIRST_GUESS_S + 3.0


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 1000), min_size=1, max_size=5),
    since=st.lists(st.floats(0, 900), min_size=5, max_size=5),
    kinds=st.lists(st.sampled_from(["wanted", "idle", "busy"]), min_size=5, max_size=5),
    passed=st.floats(0, 900),
)
def test_no_engine_is_expected_before_now_and_its_load(
    sizes: list[int], since: list[float], kinds: list[str], passed: float
) -> None:
    """Nor never, whoever is there."""
    now, others = 900 + passed, []
    for number, (size, at, kind) in enumerate(zip(sizes, since, kinds, strict=False)):
        if kind == "wanted":
            others.append(wanted_since(an_engine(f"engine {number}", size), at))
        else:
            place = one_in_memory(f"engine {number}", size)
            others.append(busy_since(place, at, number) if kind == "busy" else place)
    place = wanted_since(an_engine("a", 1000, 5.0), 900)
    taken = sum(sum(other.reserved) for other in others)
    assert 5.0 <= ready_in(place, *others, free=1000 - taken, now=now) < math.inf


@pytest.mark.parametrize("slots", [1, 3])
def test_expected_waits_come_true_where_all_turns_and_loads_are_alike(slots: int) -> None:
    """Loads of 3 s, turns of 2 s: ten who come at once to an engine that is not there."""
    world = World((1000,), 0)
    world.load_s, world.turn_s, world.end_s = 3.0, 2.0, 0.0
    world.know("a", Form((900,), slots), load_s=3.0, idle_after_s=30.0)
    for _ in range(12):
        world.enter("a", "ann")
    world.run(60)
    assert world.state["a"] == "absent"
    asked = [world.enter("a", f"user {number}") for number in range(10)]
    told = [world.policy.expected_s(request, world.now) for request in asked]
    assert told == sorted(told)
    began, waited = world.now, dict[int, float]()
    while world.waiting:
        world.step()
        for request in world.granted:
            waited.setdefault(request, world.now - began)
    assert told == pytest.approx([waited[request] for request in asked], abs=0.01)
    assert told[0] == pytest.approx(3.0)
