"""What a GGUF file says of its model: the header read with limits, and the figures that follow from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from menagerie.core.errors import ErrorCode
from menagerie.models.failures import ModelError
from menagerie.models.gguf_reader import RawHeader, Tensor, Value, read_raw

FILE_TYPES: Final[dict[int, str]] = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
    19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL",
    26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0",
    37: "TQ2_0", 38: "MXFP4_MOE", 39: "NVFP4", 40: "Q1_0",
}  # fmt: skip
"""`general.file_type`: llama.cpp's `llama_ftype`."""

MAX_SHARDS: Final = 512
_SHARD: Final = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_F16_BYTES: Final = 2
_LIMITS: Final = {
    "context_length": 2**31,
    "block_count": 4096,
    "embedding_length": 2**20,
    "attention.head_count": 2**16,
    "attention.head_count_kv": 2**16,
    "attention.key_length": 2**16,
    "attention.value_length": 2**16,
    "feed_forward_length": 2**24,
    "expert_feed_forward_length": 2**24,
    "expert_used_count": 2**16,
}

POOLING: Final = {1: "mean", 2: "cls", 3: "last", 4: "rank"}
"""`<architecture>.pooling_type`: llama.cpp's `llama_pooling_type`, those that make one of many."""

ENCODERS: Final = frozenset(
    {
        "bert",
        "nomic-bert",
        "nomic-bert-moe",
        "jina-bert-v2",
        "jina-bert-v3",
        "modern-bert",
        "neo-bert",
        "eurobert",
    }
)
"""Architectures that read a text as a whole, and write none. They keep no KV cache."""

REPACKED: Final = frozenset({"Q2_K", "Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "IQ4_NL", "MXFP4"})
"""Types that llama.cpp's processor back end lays out anew when it loads them, on one kind of processor or another."""


class GgufHeader(msgspec.Struct, frozen=True):
    """What a GGUF file says of its model. Numbers are 0 and texts empty where it does not tell."""

    architecture: str
    name: str = ""
    size: int = 0
    """Bytes of the file, all shards together."""
    context_length: int = 0
    """Tokens that the model was made for."""
    block_count: int = 0
    embedding_length: int = 0
    head_count: int = 0
    head_count_kv: int = 0
    """Heads of K and V in the layer that has most."""
    key_length: int = 0
    value_length: int = 0
    vocabulary: int = 0
    quantization: str = ""
    parameters: int = 0
    chat_template: str = ""
    licence: str = ""
    kv_bytes_per_token: int = 0
    """Bytes of the KV cache that a token needs over all layers, K and V in f16. An upper bound for models
    whose layers keep only a window, or no cache at all without saying so."""
    weights_bytes: int = 0
    """Bytes of all tensors."""
    feed_forward_length: int = 0
    """The width of what a token goes through at once, of all its experts where there are several."""
    embedding_bytes: int = 0
    """Bytes of the table of token embeddings."""
    output_bytes: int = 0
    """Bytes of the output matrix; 0 where the table of embeddings serves for it."""
    largest_layer_bytes: int = 0
    pooling: str = ""
    """How the vectors of the tokens become that of the text: `mean`, `cls`, `last`; `rank` for a score instead."""
    ranks: bool = False
    """Whether there is a head that gives a score to a pair of texts."""
    repacked_bytes: int = 0
    """Bytes of the tensors of the types `REPACKED`, the table of embeddings aside: it is only looked up."""


def read_header(path: Path) -> GgufHeader:
    """The header of a model; of the first shard and the sums over all where it has several.

    Reads the header section only, never the weights. Raises `model.broken` with the reason: another kind of
    file, an unsupported version, a count or length beyond the file or beyond sense, a repeated key, a tensor
    that is not all there.
    """
    first, *others = [read_raw(shard) for shard in present_shards(path)]
    tensors = [tensor for raw in (first, *others) for tensor in raw.tensors]
    if not tensors:
        raise ModelError(ErrorCode.MODEL_BROKEN, "empty", model=path.name)
    return _Fields(first, path.name).header(tensors, [first, *others])


def shard_names(name: str) -> list[str]:
    """All files of the model that the file `name` belongs to: itself, or `…-00001-of-0000N.gguf` to the last."""
    match = _SHARD.fullmatch(name)
    if match is None or not 1 < int(match["count"]) <= MAX_SHARDS:
        return [name]
    count = int(match["count"])
    return [f"{match['stem']}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]


def shard_paths(path: Path) -> list[Path]:
    """As `shard_names`, for a file on the disk."""
    return [path.with_name(name) for name in shard_names(path.name)]


def present_shards(path: Path) -> list[Path]:
    """As `shard_paths`; raises `model.broken` where one is missing."""
    shards = shard_paths(path)
    for shard in shards:
        if len(shards) > 1 and not shard.is_file():
            raise ModelError(ErrorCode.MODEL_BROKEN, "shard_missing", model=path.name, file=shard.name)
    return shards


class _Fields:
    """The fields of one header, each checked for its type and for sense as it is asked for."""

    def __init__(self, raw: RawHeader, name: str) -> None:
        self._raw = raw
        self._name = name
        self._architecture = self._text("general.architecture")
        if not self._architecture:
            raise self._implausible("general.architecture")

    def header(self, tensors: Sequence[Tensor], files: Sequence[RawHeader]) -> GgufHeader:
        blocks = self._integer("block_count")
        embedding = self._integer("embedding_length")
        heads = self._per_layer("attention.head_count", blocks)
        heads_kv = self._per_layer("attention.head_count_kv", blocks) or heads
        head_length = embedding // max(heads) if max(heads, default=0) else 0
        key = self._integer("attention.key_length") or head_length
        value = self._integer("attention.value_length") or head_length
        experts = self._integer("expert_used_count") * self._integer("expert_feed_forward_length")
        by_part = _bytes_by_part(tensors)
        encodes = self._architecture in ENCODERS
        pooling = POOLING.get(self._integer("pooling_type"), "")
        return GgufHeader(
            architecture=self._architecture,
            name=self._text("general.name"),
            size=sum(file.file_size for file in files),
            context_length=self._integer("context_length"),
            block_count=blocks,
            embedding_length=embedding,
            head_count=max(heads, default=0),
            head_count_kv=max(heads_kv, default=0),
            key_length=key,
            value_length=value,
            vocabulary=self._raw.lengths.get("tokenizer.ggml.tokens", 0) or self._integer("vocab_size"),
            quantization=self._quantization(tensors),
            parameters=sum(tensor.elements for tensor in tensors),
            chat_template=self._text("tokenizer.chat_template"),
            licence=self._text("general.license"),
            kv_bytes_per_token=0 if encodes else sum(heads_kv) * (key + value) * _F16_BYTES,
            weights_bytes=_weights_bytes(tensors, files),
            feed_forward_length=max(self._integer("feed_forward_length"), experts) or 4 * embedding,
            embedding_bytes=by_part["token_embd"],
            output_bytes=by_part["output"],
            largest_layer_bytes=max((size for part, size in by_part.items() if part.isdecimal()), default=0),
            pooling=pooling or ("mean" if encodes else ""),
            ranks=pooling == "rank" or "cls" in by_part,
            repacked_bytes=sum(tensor.size or 0 for tensor in tensors if _is_repacked(tensor)),
        )

    def _quantization(self, tensors: Sequence[Tensor]) -> str:
        declared = self._raw.values.get("general.file_type")
        if isinstance(declared, int) and declared in FILE_TYPES:
            return FILE_TYPES[declared]
        weights: Counter[str] = Counter()
        for tensor in tensors:
            weights[tensor.type_name] += tensor.elements
        return weights.most_common(1)[0][0]

    def _text(self, key: str) -> str:
        value = self._raw.values.get(key, "")
        if not isinstance(value, str):
            raise self._implausible(key)
        return value.strip() if key != "tokenizer.chat_template" else value

    def _integer(self, key: str) -> int:
        full = f"{self._architecture}.{key}"
        return self._sane(self._raw.values.get(full, 0), full, _LIMITS.get(key, 2**31))

    def _per_layer(self, key: str, blocks: int) -> list[int]:
        """A number of each layer; files write one for all of them, or an array."""
        full = f"{self._architecture}.{key}"
        value = self._raw.values.get(full)
        if value is None:
            return []
        if isinstance(value, tuple):
            return [self._sane(item, full, _LIMITS[key]) for item in value]
        return [self._sane(value, full, _LIMITS[key])] * blocks

    def _sane(self, value: Value, key: str, limit: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
            raise self._implausible(key)
        return value

    def _implausible(self, key: str) -> ModelError:
        return ModelError(ErrorCode.MODEL_BROKEN, "implausible", model=self._name, field=key[:80])


def _bytes_by_part(tensors: Sequence[Tensor]) -> Counter[str]:
    """Bytes of each layer, by its number, and of what stands outside of them, by the first part of its name."""
    sizes: Counter[str] = Counter()
    for tensor in tensors:
        first, _, rest = tensor.name.partition(".")
        sizes[rest.partition(".")[0] if first == "blk" else first] += tensor.size or 0
    return sizes


def _is_repacked(tensor: Tensor) -> bool:
    return tensor.type_name in REPACKED and not tensor.name.startswith("token_embd")


def _weights_bytes(tensors: Sequence[Tensor], files: Sequence[RawHeader]) -> int:
    sizes = [tensor.size for tensor in tensors if tensor.size is not None]
    if len(sizes) == len(tensors):
        return sum(sizes)
    return sum(file.file_size - file.data_offset for file in files)
