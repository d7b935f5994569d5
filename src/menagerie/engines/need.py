"""What a load takes of each device: arithmetic over the model's header, after what llama.cpp allocates.

The figures are upper bounds: what is measured once an engine runs takes their place (`measurements`).
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from menagerie.models.gguf import GgufHeader

FlashAttention = Literal["auto", "on", "off"]
Kind = Literal["text", "embedding", "rerank"]
"""What an engine computes."""

MIB: Final = 1024 * 1024
_BATCH: Final = 512
"""Tokens that go through the model at once (`n_ubatch`)."""
_PROCESS_BYTES: Final = 48 * MIB
"""The interpreter, the library and its server, measured; some 35 MiB of it before the first turn."""
_SLOT_BYTES: Final = MIB
"""Threads of the listener and what they have in hand."""
_TOKEN_BYTES: Final = 512
"""A token of the vocabulary in the tokenizer's tables, measured with 49,152 of them."""
SPARE: Final = 1
"""Slots that an engine of text has on top."""
_GPU_BYTES: Final = 512 * MIB
"""What a GPU's driver and its library of matrix products take for each process that uses it."""
_REPACKED_SHARE: Final = 10


class ModelShape(msgspec.Struct, frozen=True):
    """What a load depends on, from the file's header. Sizes in bytes; `trained_window` in tokens."""

    weights_bytes: int
    kv_bytes_per_token: int
    trained_window: int
    layers: int = 0
    largest_layer_bytes: int = 0
    embedding_bytes: int = 0
    """The table of token embeddings, which stays in the machine's memory."""
    output_bytes: int = 0
    """The output matrix; 0 where the table of embeddings serves for it, of which a GPU then gets a copy."""
    width: int = 0
    feed_forward: int = 0
    heads: int = 0
    vocabulary: int = 0
    repacked: bool = False
    """The processor's back end lays the weights out anew: mapped from their file they would be in memory twice."""
    projector_bytes: int = 0

    @classmethod
    def of(cls, header: GgufHeader) -> ModelShape:
        """The shape of the model with this header."""
        return cls(
            weights_bytes=header.weights_bytes,
            kv_bytes_per_token=header.kv_bytes_per_token,
            trained_window=header.context_length,
            layers=header.block_count,
            largest_layer_bytes=header.largest_layer_bytes,
            embedding_bytes=header.embedding_bytes,
            output_bytes=header.output_bytes,
            width=header.embedding_length,
            feed_forward=header.feed_forward_length,
            heads=header.head_count,
            vocabulary=header.vocabulary,
            repacked=header.repacked_bytes * _REPACKED_SHARE > header.weights_bytes,
        )


class Placement(msgspec.Struct, frozen=True):
    """How many layers each GPU has, in the order of the machine's GPUs. The output matrix counts as one more than
    the model's layers."""

    layers: tuple[int, ...]

    @property
    def gpu_layers(self) -> int:
        """Layers on all GPUs together."""
        return sum(self.layers)

    @property
    def main_gpu(self) -> int:
        """The first GPU that has any, counted from 0."""
        return next((gpu for gpu, layers in enumerate(self.layers) if layers), 0)

    @property
    def tensor_split(self) -> tuple[float, ...]:
        """The share of each GPU, where several have layers."""
        several = sum(1 for layers in self.layers if layers) > 1
        return tuple(float(layers) for layers in self.layers) if several else ()


class Run(msgspec.Struct, frozen=True):
    """What is computed at once: the pool of tokens, the slots that share it, the longest of their conversations."""

    context: int
    window: int
    slots: int
    cache_mib: int
    flash_attention: FlashAttention = "auto"
    kind: Kind = "text"


def needs(shape: ModelShape, placement: Placement, run: Run) -> tuple[int, ...]:
    """MiB that a load takes of the machine's memory, the prompt cache included, and of each GPU."""
    layers = max(shape.layers, 1)
    on_gpus = placement.gpu_layers
    whole = on_gpus > shape.layers
    cache_bytes = run.context * shape.kv_bytes_per_token
    run = msgspec.structs.replace(run, slots=run.slots + SPARE) if run.kind == "text" else run
    compute = compute_bytes(shape, run)
    memory = _PROCESS_BYTES + run.slots * _SLOT_BYTES + shape.vocabulary * _TOKEN_BYTES + compute
    if not on_gpus:
        memory += shape.weights_bytes + cache_bytes + shape.projector_bytes
    else:
        # Whether the output matrix goes first or last differs between releases: it is counted on both sides.
        here = 0 if whole else min(layers - on_gpus + 1, layers)
        elsewhere = shape.weights_bytes - layers * shape.largest_layer_bytes - shape.output_bytes
        memory += max(shape.embedding_bytes, elsewhere) + here * shape.largest_layer_bytes
        memory += cache_bytes * here // layers + (0 if whole else shape.output_bytes)

    def gpu(index: int, count: int) -> int:
        if not count:
            return 0
        held = min(count, layers)
        taken = _GPU_BYTES + compute + held * shape.largest_layer_bytes + cache_bytes * held // layers
        taken += shape.output_bytes or shape.embedding_bytes
        if not whole:
            taken += shape.largest_layer_bytes  # one layer at a time is lent to the GPU for long prompts
        return taken + (shape.projector_bytes if index == placement.main_gpu else 0)

    on_each = [gpu(index, count) for index, count in enumerate(placement.layers)]
    return (_mib(memory) + run.cache_mib, *map(_mib, on_each))


def compute_bytes(shape: ModelShape, run: Run) -> int:
    """The buffers of one pass: what a batch of tokens is on its way through a layer, the mask that says which token
    sees which, the attention itself where it is not computed in the fused way, and the outputs."""
    batch = run.window if run.kind != "text" else min(_BATCH, run.context)
    on_the_way = 4 * batch * (6 * shape.width + 3 * shape.feed_forward)
    mask = 2 * 2 * batch * run.context
    attention = 4 * batch * run.context * (shape.heads + 1) if run.flash_attention == "off" else 0
    outputs = 2 * 4 * run.slots * shape.vocabulary
    return on_the_way + mask + attention + outputs


def _mib(size: int) -> int:
    return -(-size // MIB)
