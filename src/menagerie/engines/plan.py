"""How a model is loaded on this machine: pure arithmetic over the file's header, the machine and the settings."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

FlashAttention = Literal["auto", "on", "off"]
Kind = Literal["text", "embedding"]
"""What an engine computes."""

MIB: Final = 1024 * 1024
_SLOTS: Final = 8
_TOKENS_A_SLOT: Final = 2048
"""What the shared pool holds for each slot beyond the first whole window: a usual conversation."""
_CONTEXT_STEP: Final = 256
"""llama.cpp rounds the pool up to this many tokens."""
_OVERHEAD_MIB: Final = 160
"""Compute buffers and the process itself, measured with small models; larger ones add a share of their weights."""


class Device(msgspec.Struct, frozen=True):
    """Memory that engines share: the machine's own (`ram`), or that of a GPU (`gpu0`, `gpu1` …). Sizes in MiB."""

    name: str
    total_mib: int
    budget_mib: int
    """What all engines together may use of it."""
    description: str = ""


class Machine(msgspec.Struct, frozen=True):
    """What there is to compute with; `cores` are physical ones. The first device is the machine's own memory."""

    cores: int
    devices: tuple[Device, ...]


class ModelShape(msgspec.Struct, frozen=True):
    """What a load depends on, from the file's header. Sizes in bytes; `trained_window` in tokens."""

    weights_bytes: int
    kv_bytes_per_token: int
    trained_window: int


class Wish(msgspec.Struct, frozen=True):
    """What a persona or the settings ask for. None leaves the choice to the plan, -1 layers to the engine, which
    takes as many as fit on the GPU, if there is one."""

    window: int
    slots: int | None = None
    threads: int | None = None
    gpu_layers: int = -1
    flash_attention: FlashAttention = "auto"
    cache_mib: int | None = None


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
    fixed_length: bool = False
    """Generate on past the model's end of text: for measuring."""

    @property
    def http_threads(self) -> int:
        """Threads of the engine's listener: one a stream, and some for counting tokens and health."""
        return self.slots * 2 + 4

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


def memory_budget_mib(total_mib: int, wanted_mib: int | None) -> int:
    """MiB that engines may use together: what the settings say, else three quarters of the machine's memory."""
    return wanted_mib or total_mib * 3 // 4


def plan(model: str, alias: str, shape: ModelShape, wish: Wish, machine: Machine) -> Local:
    """The load that serves the most conversations at once without using more than its share of memory.

    Every conversation may reach the whole window, but seldom does: the pool holds one whole window and a usual
    conversation for each further slot, as far as a quarter of the memory budget goes.
    """
    window = min(wish.window, shape.trained_window) if shape.trained_window else wish.window
    slots = wish.slots or _SLOTS
    memory = machine.devices[0]
    affordable = memory.budget_mib * MIB // 4 // max(shape.kv_bytes_per_token, 1)
    wanted = window + (slots - 1) * min(window, _TOKENS_A_SLOT)
    context = max(_rounded_up(window), min(_rounded_up(wanted), affordable // _CONTEXT_STEP * _CONTEXT_STEP))
    cache = wish.cache_mib if wish.cache_mib is not None else min(1024, memory.total_mib // 16)
    expected = (
        shape.weights_bytes * 11 // (10 * MIB)
        + context * shape.kv_bytes_per_token // MIB
        + cache
        + _OVERHEAD_MIB
    )
    full = Load(
        model=model,
        alias=alias,
        context=context,
        window=window,
        slots=slots,
        threads=wish.threads or machine.cores,
        gpu_layers=wish.gpu_layers,
        flash_attention=wish.flash_attention,
        cache_mib=cache,
        memory=(expected,),
    )
    return Local(model, alias, window, (full,))


def _rounded_up(tokens: int) -> int:
    return -(-tokens // _CONTEXT_STEP) * _CONTEXT_STEP
