"""How a model is loaded on this machine: pure choices over the file's header, the machine and the settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from menagerie.engines.need import MIB, SPARE, FlashAttention, Kind, ModelShape, Placement, Run, needs

__all__ = [
    "MIB",
    "Device",
    "FlashAttention",
    "Kind",
    "Load",
    "Local",
    "Machine",
    "ModelShape",
    "Wish",
    "memory_budget_mib",
    "plan",
]

_SLOTS: Final = 8
_TOKENS_A_SLOT: Final = 2048
"""What the shared pool holds for each slot beyond the first whole window: a usual conversation."""
_CONTEXT_STEP: Final = 256
"""llama.cpp rounds the pool up to this many tokens."""
_SLOTS_OF_LEAST: Final = 4
"""The least form has one slot for so many of the full one."""
_CACHE_SHARE: Final = 16
_LARGEST_CACHE_MIB: Final = 1024


class Device(msgspec.Struct, frozen=True):
    """Memory that engines share: the machine's own (`ram`), or that of a GPU (`gpu0`, `gpu1` …). Sizes in MiB."""

    name: str
    total_mib: int
    budget_mib: int
    """What all engines together may use of it."""
    description: str = ""


class Machine(msgspec.Struct, frozen=True):
    """What there is to compute with; `cores` are physical ones. The first device is the machine's own memory, the
    others are the GPUs with a memory of their own, in the order in which the engine counts them."""

    cores: int
    devices: tuple[Device, ...]
    shared_gpu: bool = False
    """A GPU computes in the machine's own memory: layers on it take nothing beyond that."""


class Wish(msgspec.Struct, frozen=True):
    """What a persona or the settings ask for. None, and -1 layers on the GPU, leave the choice to the plan."""

    window: int
    slots: int | None = None
    threads: int | None = None
    gpu_layers: int = -1
    flash_attention: FlashAttention = "auto"
    cache_mib: int | None = None
    kind: Kind = "text"
    draft: int = 0


class Load(msgspec.Struct, frozen=True):
    """The parameters of one load.

    `context` is the pool of tokens that all slots share; `window` is the most that one conversation may use.
    """

    model: str
    alias: str
    context: int
    window: int
    slots: int
    threads: int
    gpu_layers: int
    flash_attention: FlashAttention
    cache_mib: int
    memory: tuple[int, ...]
    """MiB that the engine is expected to take of each of the machine's devices, its prompt cache included."""
    kind: Kind = "text"
    draft: int = 0
    """Tokens to draft ahead by looking them up in the prompt; 0: none."""
    main_gpu: int = 0
    """The GPU that has the layers, where one has them all; counted from 0."""
    tensor_split: tuple[float, ...] = ()
    """How many layers go to each GPU, where several share them."""
    fit: bool = True
    """Whether the engine may change these parameters to what it thinks fits; not after a plan."""
    mapped: bool = True
    """Whether weights are mapped from their file; those that the engine lays out anew would be in memory twice."""
    spare: int = 0
    """Slots on top, for people while batches fill the others; they share the same pool."""
    projector: str = ""
    """The file of the part that reads pictures; empty: the model takes none."""
    fixed_length: bool = False
    """Generate on past the model's end of text: for measuring."""

    @property
    def http_threads(self) -> int:
        """Threads of the engine's listener: one a stream, and some for counting tokens and health."""
        return (self.slots + self.spare) * 2 + 4

    @property
    def memory_mib(self) -> int:
        """What the engine is expected to take, all in all."""
        return sum(self.memory)


class Local(msgspec.Struct, frozen=True):
    """A model on this machine, and the forms in which it can be loaded: the full one first, each next one smaller.

    `window` is the same in all of them. Two personas whose locals are equal share one engine.
    """

    model: str
    alias: str
    window: int
    forms: tuple[Load, ...]
    version: str = ""
    """Of the file: one that takes its place is another model, though everything else is the same."""


def memory_budget_mib(total_mib: int, wanted_mib: int | None) -> int:
    """MiB that engines may use together: what the settings say, else three quarters of the machine's memory."""
    return wanted_mib or total_mib * 3 // 4


def plan(model: str, alias: str, shape: ModelShape, wish: Wish, machine: Machine) -> Local:
    """The forms in which a model can be loaded: whole, without its prompt cache, and with few slots.

    Every conversation may reach the whole window, but seldom does: the pool holds one whole window and a usual
    conversation for each further slot, as far as a quarter of the memory budget goes. The layers go to the GPU that
    has most memory if all fit there, else to all GPUs, else as many as fit; the rest stays in the machine's memory.
    """
    window = min(wish.window, shape.trained_window) if shape.trained_window else wish.window
    slots = wish.slots or _SLOTS
    few = max(1, slots // _SLOTS_OF_LEAST)
    cache = wish.cache_mib if wish.kind == "text" else 0
    if cache is None:
        cache = min(_LARGEST_CACHE_MIB, machine.devices[0].total_mib // _CACHE_SHARE)
    full = Run(_pool(window, slots), window, slots, cache, wish.flash_attention, wish.kind)
    placement, full = _placed(shape, wish, machine, full)
    without_cache = msgspec.structs.replace(full, cache_mib=0)
    least = msgspec.structs.replace(without_cache, slots=few, context=min(full.context, _pool(window, few)))

    def form(run: Run) -> Load:
        return Load(
            model=model,
            alias=alias,
            context=run.context,
            window=window,
            slots=run.slots,
            threads=wish.threads or machine.cores,
            gpu_layers=_shared_layers(shape, wish) if machine.shared_gpu else placement.gpu_layers,
            flash_attention=wish.flash_attention,
            cache_mib=run.cache_mib,
            memory=needs(shape, placement, run),
            kind=wish.kind,
            spare=SPARE if wish.kind == "text" else 0,
            draft=wish.draft,
            main_gpu=placement.main_gpu,
            tensor_split=placement.tensor_split,
            fit=False,
            mapped=not shape.repacked,
        )

    return Local(model, alias, window, tuple(_shrinking(map(form, (full, without_cache, least)))))


def _pool(window: int, slots: int, affordable: int | None = None) -> int:
    """Tokens for one whole window and usual conversations beside it, as far as `affordable` ones go."""
    wanted = _rounded_up(window + (slots - 1) * min(window, _TOKENS_A_SLOT))
    if affordable is not None:
        wanted = min(wanted, affordable // _CONTEXT_STEP * _CONTEXT_STEP)
    return max(_rounded_up(window), wanted)


def _placed(shape: ModelShape, wish: Wish, machine: Machine, run: Run) -> tuple[Placement, Run]:
    """Where the layers go, and the run with the pool that is affordable there."""
    budgets = [device.budget_mib for device in machine.devices]

    def affordable(devices: Sequence[int]) -> Run:
        tokens = sum(budgets[one] for one in devices) * MIB // 4 // max(shape.kv_bytes_per_token, 1)
        return msgspec.structs.replace(run, context=_pool(run.window, run.slots, tokens))

    nowhere = Placement((0,) * len(budgets[1:]))
    placement = nowhere
    for placement in _placements(shape, wish, budgets[1:]):
        used = [gpu for gpu, layers in enumerate(placement.layers, 1) if layers]
        smallest = msgspec.structs.replace(run, context=_pool(run.window, 1))
        for wanted in (affordable(used), smallest):
            needed = needs(shape, placement, wanted)
            if all(need <= budget for need, budget in zip(needed[1:], budgets[1:], strict=True)):
                return placement, wanted
    if wish.gpu_layers < 0:
        placement = nowhere
    return placement, affordable([0])


def _placements(shape: ModelShape, wish: Wish, budgets: Sequence[int]) -> Iterator[Placement]:
    """The placements on GPUs with these budgets, the best first; an explicit wish has two at most."""
    if not budgets or not shape.layers or not wish.gpu_layers:
        return
    everything = shape.layers + 1
    most = min(wish.gpu_layers, everything) if wish.gpu_layers > 0 else everything
    largest = max(range(len(budgets)), key=lambda gpu: budgets[gpu])
    yield Placement(tuple(most if gpu == largest else 0 for gpu in range(len(budgets))))
    for layers in range(most, 0 if wish.gpu_layers < 0 else most - 1, -1):
        yield Placement(_split(layers, budgets))


def _split(layers: int, budgets: Sequence[int]) -> tuple[int, ...]:
    """So many layers, shared in proportion to the budgets (highest averages, after D'Hondt)."""
    counts = [0] * len(budgets)
    for _ in range(layers):
        counts[max(range(len(budgets)), key=lambda gpu: budgets[gpu] / (counts[gpu] + 1))] += 1
    return tuple(counts)


def _shared_layers(shape: ModelShape, wish: Wish) -> int:
    return wish.gpu_layers if wish.gpu_layers >= 0 else shape.layers + 1


def _shrinking(forms: Iterator[Load]) -> Iterator[Load]:
    """The forms that are smaller than the one before: on no device larger, on all together smaller."""
    last: Load | None = None
    for form in forms:
        if last is None or form.memory_mib < last.memory_mib:
            yield form
            last = form


def _rounded_up(tokens: int) -> int:
    return -(-tokens // _CONTEXT_STEP) * _CONTEXT_STEP
