"""What a load may take of a machine."""

from __future__ import annotations

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from menagerie.engines.plan import (
    MIB,
    Device,
    Load,
    Machine,
    ModelShape,
    Wish,
    memory_budget_mib,
    plan,
)

GIB = 1024


def machine_with(cores: int, total_mib: int, wanted_mib: int | None = None) -> Machine:
    return Machine(cores, (Device("ram", total_mib, memory_budget_mib(total_mib, wanted_mib)),))


def with_gpus(machine: Machine, *budgets: int) -> Machine:
    gpus = tuple(Device(f"gpu{number}", budget, budget) for number, budget in enumerate(budgets))
    return msgspec.structs.replace(machine, devices=machine.devices + gpus)


def shape_of_layers(layers: int, layer_mib: int, embedding_mib: int = 100) -> ModelShape:
    """A model with its own output matrix, 4 KiB of cache a token and layer."""
    return ModelShape(
        weights_bytes=(layers * layer_mib + 2 * embedding_mib) * MIB,
        kv_bytes_per_token=layers * 4096,
        trained_window=32768,
        layers=layers,
        largest_layer_bytes=layer_mib * MIB,
        embedding_bytes=embedding_mib * MIB,
        output_bytes=embedding_mib * MIB,
        width=2048,
        feed_forward=8192,
        heads=32,
        vocabulary=128_000,
    )


ON_RAM = st.builds(
    machine_with,
    cores=st.integers(1, 256),
    total_mib=st.integers(512, 4_000_000),
    wanted_mib=st.none() | st.integers(64, 4_000_000),
)
ON_GPUS = st.builds(
    lambda machine, budgets: with_gpus(machine, *budgets),
    ON_RAM,
    st.lists(st.integers(0, 200 * GIB), min_size=1, max_size=4),
)
MACHINES = ON_RAM | ON_GPUS
SHAPES = st.builds(
    ModelShape,
    weights_bytes=st.integers(1, 1 << 40),
    kv_bytes_per_token=st.integers(0, 4 * MIB),
    trained_window=st.integers(0, 2_000_000),
) | st.builds(shape_of_layers, st.integers(1, 60), st.integers(1, 2000), st.integers(1, 2000))
WISHES = st.builds(
    Wish,
    window=st.integers(1, 2_000_000),
    slots=st.none() | st.integers(1, 256),
    threads=st.none() | st.integers(1, 256),
    cache_mib=st.none() | st.integers(0, 100_000),
    flash_attention=st.sampled_from(["auto", "on", "off"]),
    gpu_layers=st.just(-1) | st.integers(0, 100),
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
    quarter = sum(device.budget_mib for device in machine.devices) * MIB / 4
    assert load.context * shape.kv_bytes_per_token <= quarter or load.context < load.window + 256


@given(SHAPES, WISHES, MACHINES)
def test_the_pool_is_no_larger_than_all_slots_can_use(
    shape: ModelShape, wish: Wish, machine: Machine
) -> None:
    load = loaded(shape, wish, machine)
    assert load.context < load.window * load.slots + 256


@given(SHAPES, WISHES, ON_RAM)
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
    load = loaded(shape_of_layers(10, 1), wish, with_gpus(machine_with(2, 8000), 8000))
    assert (load.slots, load.threads, load.gpu_layers, load.flash_attention, load.cache_mib) == (
        3,
        5,
        7,
        "off",
        11,
    )


@given(SHAPES, WISHES, MACHINES)
def test_each_form_is_smaller_than_the_one_before_and_keeps_the_window_and_the_place(
    shape: ModelShape, wish: Wish, machine: Machine
) -> None:
    local = plan("/m.gguf", "m", shape, wish, machine)
    for larger, smaller in itertools.pairwise(local.forms):
        assert smaller.memory_mib < larger.memory_mib
        assert all(less <= more for less, more in zip(smaller.memory, larger.memory, strict=True))
        assert (smaller.gpu_layers, smaller.main_gpu, smaller.tensor_split) == (
            larger.gpu_layers,
            larger.main_gpu,
            larger.tensor_split,
        )
    assert {form.window for form in local.forms} == {local.window}


@given(SHAPES, WISHES, MACHINES)
def test_the_least_form_has_a_quarter_of_the_slots_one_at_least_and_no_cache(
    shape: ModelShape, wish: Wish, machine: Machine
) -> None:
    full, *smaller = plan("/m.gguf", "m", shape, wish, machine).forms
    assert not any(form.cache_mib for form in smaller)
    assert all(form.slots in (full.slots, max(1, full.slots // 4)) for form in smaller)
    if full.slots > 1:
        assert smaller[-1].slots == max(1, full.slots // 4)


@given(SHAPES, WISHES, MACHINES)
def test_memory_is_told_for_every_device_and_gpus_are_only_used_where_a_layer_is(
    shape: ModelShape, wish: Wish, machine: Machine
) -> None:
    load = loaded(shape, wish, machine)
    assert len(load.memory) == len(machine.devices)
    assert load.memory[0] > load.cache_mib
    used = {gpu for gpu, mib in enumerate(load.memory[1:]) if mib}
    shared = {gpu for gpu, share in enumerate(load.tensor_split) if share}
    assert used == (shared or ({load.main_gpu} if load.gpu_layers else set()))
    assert sum(load.tensor_split) in (0, load.gpu_layers)
    assert not load.fit


@given(SHAPES, WISHES, MACHINES)
def test_what_the_plan_puts_on_a_gpu_fits_there(shape: ModelShape, wish: Wish, machine: Machine) -> None:
    load = loaded(shape, msgspec.structs.replace(wish, gpu_layers=-1), machine)
    assert all(
        mib <= device.budget_mib for mib, device in zip(load.memory[1:], machine.devices[1:], strict=True)
    )


def placed(budgets: tuple[int, ...], *, gpu_layers: int = -1) -> Load:
    machine = with_gpus(machine_with(8, 64 * GIB), *budgets)
    return loaded(shape_of_layers(32, 200), Wish(window=4096, gpu_layers=gpu_layers), machine)


def test_a_model_goes_to_the_gpu_with_most_memory_if_it_fits_there() -> None:
    load = placed((10 * GIB, 24 * GIB))
    assert (load.gpu_layers, load.main_gpu, load.tensor_split) == (33, 1, ())
    assert load.memory[1] == 0
    assert load.memory[2] > 32 * 200
    assert load.memory[0] < 1024 + load.cache_mib


def test_a_model_too_large_for_one_gpu_is_shared_in_proportion() -> None:
    load = placed((3584, 7168))
    assert load.gpu_layers == 33
    assert load.tensor_split == (11.0, 22.0)


def test_layers_that_fit_on_no_gpu_stay_in_the_memory_of_the_machine() -> None:
    load = placed((4 * GIB,))
    assert 5 < load.gpu_layers < 20
    assert load.memory[0] > (32 - load.gpu_layers) * 200 + load.cache_mib
    assert placed((5 * GIB,)).gpu_layers > load.gpu_layers


def test_a_gpu_too_small_for_a_layer_is_left_alone() -> None:
    load = placed((600,))
    assert (load.gpu_layers, load.memory[1]) == (0, 0)


def test_a_wish_for_layers_is_respected_even_where_they_do_not_fit() -> None:
    assert placed((24 * GIB,), gpu_layers=0).memory[1] == 0
    assert placed((24 * GIB,), gpu_layers=7).gpu_layers == 7
    too_many = placed((GIB,), gpu_layers=20)
    assert too_many.gpu_layers == 20
    assert too_many.memory[1] > GIB


def test_a_gpu_in_the_memory_of_the_machine_takes_all_layers_and_is_counted_once() -> None:
    machine = msgspec.structs.replace(machine_with(8, 64 * GIB), shared_gpu=True)
    shape = shape_of_layers(32, 200)
    load = loaded(shape, Wish(window=4096), machine)
    assert load.gpu_layers == 33
    assert load.memory == loaded(shape, Wish(window=4096), machine_with(8, 64 * GIB)).memory
    assert loaded(shape, Wish(window=4096, gpu_layers=0), machine).gpu_layers == 0


def test_weights_that_the_engine_lays_out_anew_are_not_mapped() -> None:
    shape = shape_of_layers(2, 1)
    machine = machine_with(2, 8000)
    assert loaded(shape, Wish(window=512), machine).mapped
    assert not loaded(msgspec.structs.replace(shape, repacked=True), Wish(window=512), machine).mapped


def test_the_budget_is_three_quarters_of_the_machine_unless_it_is_set() -> None:
    assert memory_budget_mib(8000, None) == 6000
    assert memory_budget_mib(8000, 1000) == 1000
