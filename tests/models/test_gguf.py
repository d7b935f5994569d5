"""The header of a GGUF file: what it says, and that nothing it says is believed unchecked."""

from __future__ import annotations

import struct
import tempfile
import time
import tracemalloc
from pathlib import Path

import gguf
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.models.gguf import FILE_TYPES, read_header, shard_names
from menagerie.models.gguf_reader import BLOCKS
from tests.models.stand_ins import assert_told
from tests.tiny_model import CHATML, write_tiny_model

MAGIC = b"GGUF" + struct.pack("<I", 3)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def field(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def header(*fields: bytes, tensors: bytes = b"", tensor_count: int = 0) -> bytes:
    return MAGIC + struct.pack("<QQ", tensor_count, len(fields)) + b"".join(fields) + tensors


def tensor(name: str, *shape: int, kind: int = 0, offset: int = 0) -> bytes:
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + dimensions + struct.pack("<IQ", kind, offset)


LLAMA = field("general.architecture", 8, text("llama"))
LIES = {
    "magic": b"PK\3\4" + b"\0" * 64,
    "version": b"GGUF" + struct.pack("<I", 0x03000000) + b"\0" * 64,
    "limit": MAGIC + struct.pack("<QQ", 2**40, 1),
    "truncated": MAGIC + struct.pack("<QQ", 1, 8000),
    "duplicate": header(LLAMA, LLAMA),
    "empty": header(LLAMA),
    "tensor": header(LLAMA, tensors=tensor("t", 2**62, 2**62), tensor_count=1) + b"\0" * 256,
}


@pytest.mark.parametrize("reason", LIES)
def test_a_file_that_is_no_sound_model_is_refused_with_the_reason(tmp_path: Path, reason: str) -> None:
    path = tmp_path / "lie.gguf"
    path.write_bytes(LIES[reason])
    with pytest.raises(MenagerieError) as caught:
        read_header(path)
    assert_told(caught, ErrorCode.MODEL_BROKEN, reason)


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (header(field("a", 8, struct.pack("<Q", 2**60))), "limit"),
        (header(field("a", 8, struct.pack("<Q", 2**21))), "truncated"),
        (header(field("a", 9, struct.pack("<IQ", 4, 2**62))), "limit"),
        (header(field("a", 9, struct.pack("<IQ", 8, 2**21))), "truncated"),
        (header(field("a", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 9, 1))), "implausible"),
        (header(field("a", 99, b"")), "implausible"),
        (header(field("a", 0, b"1"), tensors=tensor("t", 4), tensor_count=1), "implausible"),
        (header(LLAMA, field("general.alignment", 4, struct.pack("<I", 3))), "implausible"),
        (header(LLAMA, tensors=tensor("t", 4, offset=7), tensor_count=1), "tensor"),
        (header(LLAMA, tensors=tensor("t", 4) + tensor("t", 4, offset=32), tensor_count=2), "duplicate"),
        (header(LLAMA, tensors=tensor("t", 4, offset=2**40), tensor_count=1), "truncated"),
        (header(LLAMA, tensors=tensor("t", 1, 1, 1, 1, 1), tensor_count=1), "tensor"),
        (header(LLAMA, tensors=tensor("t", 33, kind=8), tensor_count=1), "tensor"),
    ],
)
def test_no_size_in_a_header_is_believed_and_no_memory_given_for_it(
    tmp_path: Path, lie: bytes, reason: str
) -> None:
    path = tmp_path / "lie.gguf"
    path.write_bytes(lie + b"\0" * 128)
    tracemalloc.start()
    try:
        with pytest.raises(MenagerieError) as caught:
            read_header(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert_told(caught, ErrorCode.MODEL_BROKEN, reason)
    assert peak < 2 * 2**20


def test_negative_and_enormous_figures_are_refused(tmp_path: Path) -> None:
    for kind, value in (
        (5, struct.pack("<i", -1)),
        (10, struct.pack("<Q", 2**63)),
        (6, struct.pack("<f", 1.5)),
    ):
        path = tmp_path / "lie.gguf"
        fields = (LLAMA, field("llama.block_count", kind, value))
        path.write_bytes(header(*fields, tensors=tensor("t", 4), tensor_count=1) + b"\0" * 256)
        with pytest.raises(MenagerieError) as caught:
            read_header(path)
        assert_told(caught, ErrorCode.MODEL_BROKEN, "implausible")


def failure_of(path: Path) -> MenagerieError | None:
    try:
        read_header(path)
    except MenagerieError as failure:
        return failure
    return None


@pytest.fixture(scope="module")
def tiny_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_tiny_model(tmp_path_factory.mktemp("gguf") / "tiny.gguf").read_bytes()


@settings(max_examples=150, deadline=2000)
@given(data=st.data())
def test_mutated_headers_never_do_worse_than_a_model_error(tiny_bytes: bytes, data: st.DataObject) -> None:
    mutated = bytearray(tiny_bytes)
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.one_of(st.integers(0, 700), st.integers(0, 12_000)))
        mutated[position] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 8, 9]))
    length = data.draw(st.one_of(st.just(len(mutated)), st.integers(0, 14_000)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutated.gguf"
        path.write_bytes(mutated[:length])
        begun = time.monotonic()
        failure = failure_of(path)
    assert time.monotonic() - begun < 2
    assert failure is None or (failure.code is ErrorCode.MODEL_BROKEN and failure.message("fr"))


def test_every_truncation_of_a_model_is_noticed(tmp_path: Path, tiny_bytes: bytes) -> None:
    path = tmp_path / "cut.gguf"
    for length in (0, 3, 4, 20, 100, 5000, len(tiny_bytes) // 2, len(tiny_bytes) - 33):
        path.write_bytes(tiny_bytes[:length])
        with pytest.raises(MenagerieError) as caught:
            read_header(path)
        assert caught.value.code is ErrorCode.MODEL_BROKEN


def test_a_header_tells_what_the_model_is(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.gguf", context_length=512)
    found = read_header(path)
    reference = gguf.GGUFReader(path)
    assert (found.architecture, found.name, found.licence) == ("llama", "Tiny 0", "mit")
    assert (found.context_length, found.block_count, found.embedding_length) == (512, 2, 64)
    assert (found.head_count, found.head_count_kv, found.key_length, found.value_length) == (4, 4, 16, 16)
    assert found.vocabulary == 256 + 8 + 3
    assert found.quantization == "F16"
    assert found.chat_template == CHATML
    assert found.kv_bytes_per_token == 2 * 4 * (16 + 16) * 2
    assert found.size == path.stat().st_size
    assert found.weights_bytes == sum(int(item.n_bytes) for item in reference.tensors)
    assert found.parameters == sum(int(item.n_elements) for item in reference.tensors)


def test_a_header_tells_how_the_weights_are_divided(tmp_path: Path) -> None:
    found = read_header(write_tiny_model(tmp_path / "tiny.gguf"))
    norm = found.embedding_length * 4
    layers = found.block_count * found.largest_layer_bytes
    assert found.embedding_bytes + found.output_bytes + layers + norm == found.weights_bytes
    assert found.output_bytes == found.vocabulary * found.embedding_length * 2
    assert (found.feed_forward_length, found.repacked_bytes) == (128, 0)


def test_what_the_processors_back_end_lays_out_anew_is_told_but_not_the_table_of_embeddings(
    tmp_path: Path,
) -> None:
    path = tmp_path / "quantized.gguf"
    weights = gguf.quants.quantize(numpy.ones((4, 32), numpy.float32), gguf.GGMLQuantizationType.Q4_0)
    writer = gguf.GGUFWriter(path, "llama")
    for name in ("token_embd.weight", "blk.0.ffn_up.weight", "blk.1.ffn_up.weight"):
        writer.add_tensor(name, weights, raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = read_header(path)
    assert found.repacked_bytes == 2 * found.embedding_bytes == 2 * found.largest_layer_bytes == 2 * 4 * 18


def test_layers_with_different_heads_are_summed(tmp_path: Path) -> None:
    path = tmp_path / "layers.gguf"
    writer = gguf.GGUFWriter(path, "hybrid")
    writer.add_block_count(3)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv([4, 0, 2])
    writer.add_key_length(32)
    writer.add_value_length(8)
    writer.add_tensor("t", numpy.zeros((4, 32), dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = read_header(path)
    assert found.kv_bytes_per_token == (4 + 0 + 2) * (32 + 8) * 2
    assert (found.head_count_kv, found.quantization) == (4, "F32")


def test_the_names_of_types_are_those_of_the_format() -> None:
    sizes = {kind.value: (kind.name, *size) for kind, size in gguf.GGML_QUANT_SIZES.items()}
    assert {number: sizes[number] for number in BLOCKS} == BLOCKS
    declared = {kind.value: kind.name.split("_", 1)[1] for kind in gguf.LlamaFileType if kind.value < 1000}
    assert declared == FILE_TYPES


def test_shards_are_one_model(tmp_path: Path) -> None:
    parts = [write_tiny_model(tmp_path / name, seed=3) for name in shard_names("big-00001-of-00002.gguf")]
    assert [part.name for part in parts] == ["big-00001-of-00002.gguf", "big-00002-of-00002.gguf"]
    whole = read_header(parts[0])
    assert whole.size == sum(part.stat().st_size for part in parts)
    parts[1].unlink()
    with pytest.raises(MenagerieError) as caught:
        read_header(parts[0])
    assert_told(caught, ErrorCode.MODEL_BROKEN, "shard_missing")
