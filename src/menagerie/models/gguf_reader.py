"""The bytes of a GGUF header, read without believing any length or count before it is checked.

Format: the GGUF specification, versions 2 and 3, little-endian
(github.com/ggml-org/ggml, docs/gguf.md).
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from menagerie.core.errors import ErrorCode
from menagerie.models.failures import ModelError

MAX_FIELDS: Final = 8192
MAX_TENSORS: Final = 65_536
MAX_NAME: Final = 65_535
MAX_STRING: Final = 4 * 2**20
MAX_ELEMENTS: Final = 16 * 2**20
MAX_STRINGS: Final = 4 * 2**20
KEPT_STRINGS: Final = frozenset(
    {"general.architecture", "general.name", "general.license", "tokenizer.chat_template"}
)
KEPT_ARRAYS: Final = (".attention.head_count", ".attention.head_count_kv")
KEPT_ELEMENTS: Final = 4096
MAX_DIMENSIONS: Final = 4
DEFAULT_ALIGNMENT: Final = 32

_STRING: Final = 8
_ARRAY: Final = 9
_SCALARS: Final = {
    number: struct.Struct(f"<{letter}")
    for number, letter in {
        0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
    }.items()
}  # fmt: skip
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")

BLOCKS: Final[dict[int, tuple[str, int, int]]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1),
    25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip
"""Tensor types: name, weights in a block, bytes of a block."""

Scalar = int | float | bool | str
Value = Scalar | tuple[Scalar, ...]


class Tensor(msgspec.Struct, frozen=True):
    """One tensor: elements, and its place in the data section in bytes. `size` is None for a type that we do
    not know (a newer engine may)."""

    name: str
    type_name: str
    elements: int
    offset: int
    size: int | None


class RawHeader(msgspec.Struct, frozen=True):
    """All of a header. `values` has scalars and short numeric arrays, `lengths` the length of every array."""

    values: dict[str, Value]
    lengths: dict[str, int]
    tensors: tuple[Tensor, ...]
    data_offset: int
    file_size: int


def read_raw(path: Path) -> RawHeader:
    """Read the header of one file. Raises `model.broken`, with a reason, for whatever is wrong with it."""
    try:
        with path.open("rb", buffering=2**18) as file:
            return _Reader(file, path.stat().st_size, path.name).read()
    except struct.error as failure:
        raise ModelError(ErrorCode.MODEL_BROKEN, "truncated", model=path.name, missing_bytes=1) from failure
    except OSError as failure:
        raise ModelError(
            ErrorCode.MODEL_BROKEN, "unreadable", model=path.name, detail=failure.strerror or ""
        ) from failure


class _Reader:
    """Invariant: `left` is the number of bytes between the position and the end, and nothing is read or
    allocated before it was compared with it."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self._file = file
        self._name = name
        self.size = size
        self.left = size

    def read(self) -> RawHeader:
        if self._take(4) != b"GGUF":
            raise self._broken("magic")
        version = self._u32()
        if version not in (2, 3):
            raise self._broken("version", version=version)
        tensor_count = self._count(MAX_TENSORS, smallest=24, what="tensors")
        field_count = self._count(MAX_FIELDS, smallest=13, what="fields")
        values, lengths = self._fields(field_count)
        alignment = values.get("general.alignment", DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or not 8 <= alignment <= 2**16 or alignment & (alignment - 1):
            raise self._broken("implausible", field="general.alignment")
        tensors = tuple(self._tensor() for _ in range(tensor_count))
        data_offset = math.ceil((self.size - self.left) / alignment) * alignment
        self._check_places(tensors, alignment, self.size - data_offset)
        return RawHeader(values, lengths, tensors, data_offset, self.size)

    def _fields(self, count: int) -> tuple[dict[str, Value], dict[str, int]]:
        values: dict[str, Value] = {}
        lengths: dict[str, int] = {}
        for _ in range(count):
            key = self._text(MAX_NAME)
            if key in values or key in lengths:
                raise self._broken("duplicate", field=key[:80])
            kind = self._u32()
            if kind == _ARRAY:
                lengths[key], kept = self._array(key)
                if kept:
                    values[key] = kept
            elif kind == _STRING:
                values[key] = self._string_value(key)
            else:
                values[key] = self._scalar(kind, key)
        return values, lengths

    def _string_value(self, key: str) -> str:
        length = self._count(MAX_STRING, smallest=1, what=key[:80])
        if key in KEPT_STRINGS:
            return self._take(length).decode("utf-8", errors="replace")
        self._skip(length)
        return ""

    def _scalar(self, kind: int, key: str) -> Scalar:
        shape = _SCALARS.get(kind)
        if shape is None:
            raise self._broken("implausible", field=key[:80])
        value: Scalar = shape.unpack(self._take(shape.size))[0]
        return value

    def _array(self, key: str) -> tuple[int, tuple[Scalar, ...]]:
        kind = self._u32()
        if kind == _STRING:
            count = self._count(MAX_STRINGS, smallest=8, what=key[:80])
            self._skip_strings(count, key)
            return count, ()
        shape = _SCALARS.get(kind)
        if shape is None:
            raise self._broken("implausible", field=key[:80])
        count = self._count(MAX_ELEMENTS, smallest=shape.size, what=key[:80])
        if count > KEPT_ELEMENTS or not key.endswith(KEPT_ARRAYS):
            self._skip(count * shape.size)
            return count, ()
        return count, tuple(item for (item,) in shape.iter_unpack(self._take(count * shape.size)))

    def _skip_strings(self, count: int, key: str) -> None:
        """Walk over `count` strings: a vocabulary has hundreds of thousands, so this loop is a tight one."""
        read, length_of, left = self._file.read, _U64.unpack, self.left
        for _ in range(count):
            if left < 8:
                raise self._broken("truncated", missing_bytes=8 - left)
            (length,) = length_of(read(8))
            left -= 8 + length
            if length > MAX_STRING:
                raise self._broken("limit", field=key[:80])
            if left < 0:
                raise self._broken("truncated", missing_bytes=-left)
            read(length)
        self.left = left

    def _tensor(self) -> Tensor:
        name = self._text(MAX_NAME)
        dimensions = self._u32()
        if not 1 <= dimensions <= MAX_DIMENSIONS:
            raise self._broken("tensor", tensor=name[:80])
        shape = [self._u64() for _ in range(dimensions)]
        elements = math.prod(shape)
        kind = self._u32()
        offset = self._u64()
        if not 0 < elements < 2**63:
            raise self._broken("tensor", tensor=name[:80])
        if kind not in BLOCKS:
            return Tensor(name, f"type {kind}", elements, offset, None)
        type_name, weights, size = BLOCKS[kind]
        if shape[0] % weights:
            raise self._broken("tensor", tensor=name[:80])
        return Tensor(name, type_name, elements, offset, elements // weights * size)

    def _check_places(self, tensors: tuple[Tensor, ...], alignment: int, room: int) -> None:
        if len({tensor.name for tensor in tensors}) < len(tensors):
            raise self._broken("duplicate", field="tensors")
        end = 0
        for tensor in sorted(tensors, key=lambda tensor: tensor.offset):
            if tensor.offset % alignment or tensor.offset < end:
                raise self._broken("tensor", tensor=tensor.name[:80])
            end = tensor.offset + (tensor.size or 1)
        if tensors and end > room:
            raise self._broken("truncated", missing_bytes=end - room)

    def _count(self, limit: int, *, smallest: int, what: str) -> int:
        """A count of things of at least `smallest` bytes each: within its limit and within the file."""
        count = self._u64()
        if count > limit:
            raise self._broken("limit", field=what)
        if count * smallest > self.left:
            raise self._broken("truncated", missing_bytes=count * smallest - self.left)
        return count

    def _text(self, limit: int) -> str:
        try:
            return self._take(self._count(limit, smallest=1, what="name")).decode()
        except UnicodeDecodeError as failure:
            raise self._broken("implausible", field="name") from failure

    def _u32(self) -> int:
        number: int = _U32.unpack(self._take(4))[0]
        return number

    def _u64(self) -> int:
        number: int = _U64.unpack(self._take(8))[0]
        return number

    def _take(self, count: int) -> bytes:
        if count > self.left:
            raise self._broken("truncated", missing_bytes=count - self.left)
        data = self._file.read(count)
        if len(data) < count:
            raise self._broken("truncated", missing_bytes=count - len(data))
        self.left -= count
        return data

    def _skip(self, count: int) -> None:
        if count <= 4096:
            self._take(count)
            return
        if count > self.left:
            raise self._broken("truncated", missing_bytes=count - self.left)
        self._file.seek(count, 1)
        self.left -= count

    def _broken(self, reason: str, **facts: str | float) -> ModelError:
        return ModelError(ErrorCode.MODEL_BROKEN, reason, model=self._name, **facts)
