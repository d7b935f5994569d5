"""What a load may take of a machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from menagerie.engines.plan import MIB, Device, Load, Machine, ModelShape, Wish, memory_budget_mib, plan


def machine_with(cores: int, total_mib: int, wanted_mib: int | None = None) -> Machine:
    return Machine(cores, (Device("ram", total_mib, memory_budget_mib(total_mib, wanted_mib)),))


MACHINES = st.builds(
    machine_with,
    cores=st.integers(1, 256),
    total_mib=st.integers(512, 4_000_000),
    wanted_mib=st.none() | st.integers(64, 4_000_000),
)
SHAPES = st.builds(
    ModelShape,
    weights_bytes=st.integers(1, 1 << 40),
    kv_bytes_per_token=st.integers(0, 4 * MIB),
    trained_window=st.integers(0, 2_000_000),
)
WISHES = st.builds(
    Wish,
    window=st.integers(1, 2_000_000),
    slots=st.none() | st.integers(1, 256),
    threads=st.none() | st.integers(1, 256),
    cache_mib=st.none() | st.integers(0, 100_000),
)


def loaded(shape: ModelShape, wish: Wish, machine: Machine) -> Load:
    return plan("/m.gguf", "m", shape, wish, machine).forms[0]


@given(SHAPES, WISHES, MACHINES)
def test_the_window_is_the_wish_but_never_beyond_what_the_model_was_trained_for(
    shape: ModelShape, wish: Wish, machine: Machine
) -> None:
    load = loaded(shape, wish, machine)
    assert load.window == (min(wish.window, shape.trained_window) if shape.trained_window else wish.window)


@given(SHAPES, WISHES, MACHINES)
def test_one_conversation_always_fits_into_the_pool(shape: ModelShape, wish: Wish, machine: Machine) -> None:
    load = loaded(shape, wish, machine)
    assert load.context >= load.window
    assert load.context % 256 == 0


@given(SHAPES, WISHES, MACHINES)
def test_the_pool_takes_a_quarter_of_the_budget_at_most_unless_one_window_needs_more(
    shape: ModelShape, wish: Wish, machine: Machine
) -> None:
    load = loaded(shape, wish, machine)
    quarter = machine.devices[0].budget_mib * MIB / 4
    assert load.context * shape.kv_bytes_per_token <= quarter or load.context < load.window + 256


@given(SHAPES, WISHES, MACHINES)
def test_the_pool_is_no_larger_than_all_slots_can_use(
    shape: ModelShape, wish: Wish, machine: Machine
) -> None:
    load = loaded(shape, wish, machine)
    assert load.context < load.window * load.slots + 256


@given(SHAPES, WISHES, MACHINES)
def test_the_expected_memory_covers_weights_pool_and_cache(
    shape: ModelShape, wish: Wish, machine: Machine
) -> None:
    load = loaded(shape, wish, machine)
    parts = (shape.weights_bytes + load.context * shape.kv_bytes_per_token) / MIB + load.cache_mib
    assert load.memory_mib > parts


@given(SHAPES, WISHES, MACHINES)
def test_every_number_is_usable_and_the_same_every_time(
    shape: ModelShape, wish: Wish, machine: Machine
) -> None:
    load = loaded(shape, wish, machine)
    assert min(load.context, load.window, load.slots, load.threads, load.memory_mib, load.http_threads) > 0
    assert load.cache_mib >= 0
    assert load == loaded(shape, wish, machine)
    assert hash(load) == hash(loaded(shape, wish, machine))


def test_with_memory_to_spare_the_pool_holds_a_window_and_a_usual_conversation_for_each_further_slot() -> (
    None
):
    load = loaded(ModelShape(1, 1, 32768), Wish(window=8192, slots=4), machine_with(4, 64_000))
    assert load.context == 8192 + 3 * 2048


def test_what_is_asked_for_is_kept() -> None:
    wish = Wish(window=4096, slots=3, threads=5, gpu_layers=7, flash_attention="off", cache_mib=11)
    load = loaded(ModelShape(MIB, 100, 0), wish, machine_with(2, 8000))
    assert (load.slots, load.threads, load.gpu_layers, load.flash_attention, load.cache_mib) == (
        3,
        5,
        7,
        "off",
        11,
    )


def test_the_budget_is_three_quarters_of_the_machine_unless_it_is_set() -> None:
    assert memory_budget_mib(8000, None) == 6000
    assert memory_budget_mib(8000, 1000) == 1000
