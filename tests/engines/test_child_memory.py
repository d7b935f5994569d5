"""A child that finds no memory says so, and what one takes is measured."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines import child as child_module
from menagerie.engines.child import Child
from menagerie.engines.plan import Load
from tests import tiny_model
from tests.engines.processes import children, next_child
from tests.engines.test_child import answers, entries, scratch, serving
from tests.tiny_model import write_tiny_model

__all__ = ["scratch"]

pytestmark = pytest.mark.engine


@pytest.fixture(scope="session")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose window takes half a gigabyte when it is opened whole."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "wide.gguf", context_length=1_000_000)


@pytest.fixture
def wide_load(wide_model: Path, tiny_load: Load) -> Load:
    return msgspec.structs.replace(tiny_load, model=str(wide_model), context=1_000_000, window=1_000_000)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory that is mapped")
@pytest.mark.parametrize("limit_mib", [16, 48, 150, 400])
async def test_a_model_for_which_there_is_no_memory_is_not_called_broken(
    limit_mib: int, wide_load: Load, scratch: Path
) -> None:
    before = children()
    with pytest.raises(MenagerieError) as failure:
        await started_and_stopped(wide_load, limit_mib)
    assert failure.value.code is ErrorCode.MODEL_OUT_OF_MEMORY
    assert failure.value.values == {"model": "tiny"}
    assert children() == before
    assert entries(scratch) == []


async def started_and_stopped(load: Load, limit_mib: int) -> None:
    await (await Child.start(load, 60, memory_limit_mib=limit_mib)).stop()


async def test_a_model_that_keeps_within_its_limit_is_served(tiny_load: Load) -> None:
    child = await Child.start(tiny_load, 60, memory_limit_mib=1024)
    try:
        assert await answers(child)
    finally:
        await child.stop()


@pytest.mark.parametrize(
    "words",
    [
        "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 1024065536",
        "llama_model_load: error loading model: unable to allocate CUDA0 buffer",
        "alloc_tensor_range: failed to allocate CUDA0 buffer of size 17179869184",
        "ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory",
        "ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "mmap failed: Cannot allocate memory",
        "error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)",
    ],
)
async def test_what_libraries_say_without_memory_is_understood_however_they_end(
    words: str, tiny_load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(child_module, "_WORKER", worker_that_ends(tmp_path, words))
    with pytest.raises(MenagerieError) as failure:
        await Child.start(tiny_load, 60)
    assert failure.value.code is ErrorCode.MODEL_OUT_OF_MEMORY


async def test_a_header_that_lies_about_a_length_is_a_broken_model(
    tiny_load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = "gguf_init_from_file: encountered bad_alloc error while reading key 3"
    monkeypatch.setattr(child_module, "_WORKER", worker_that_ends(tmp_path, words))
    with pytest.raises(MenagerieError) as failure:
        await Child.start(tiny_load, 60)
    assert failure.value.code is ErrorCode.MODEL_BROKEN


def worker_that_ends(folder: Path, words: str) -> Path:
    """A worker that says something and aborts."""
    worker = folder / "worker.py"
    worker.write_text(f"import os, sys; print({words!r}, file=sys.stderr, flush=True); os.abort()")
    return worker


@pytest.mark.parametrize("tells", ["little is free", "the system has killed one"])
async def test_a_load_killed_for_want_of_memory_has_found_none(
    tells: str, tiny_load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counts = tmp_path / "vmstat"
    counts.write_text("pgfault 12\noom_kill 3\n")
    monkeypatch.setattr(child_module, "_OOM_KILLS", counts)
    load = msgspec.structs.replace(tiny_load, memory=(2**30,)) if tells == "little is free" else tiny_load
    before = children()
    starting = asyncio.create_task(Child.start(load, 60))
    pid = await next_child(before)
    if load is tiny_load:
        counts.write_text("pgfault 99\noom_kill 4\n")
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(MenagerieError) as failure:
        await starting
    assert failure.value.code is ErrorCode.MODEL_OUT_OF_MEMORY


@pytest.mark.parametrize("mapped", [True, False])
async def test_what_a_child_takes_is_measured_and_weights_in_their_file_count(
    mapped: bool, tiny_load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tiny_load) as child:
        slight = child.resident_mib()
    assert 10 < slight < 500
    assert child.resident_mib() == 0
    heavy = tmp_path / "heavy.gguf"
    monkeypatch.setattr(tiny_model, "FEED_FORWARD", 65_536)
    weights_mib = write_tiny_model(heavy).stat().st_size >> 20
    load = msgspec.structs.replace(tiny_load, model=str(heavy), mapped=mapped)
    async with serving(load) as child:
        own_mib = (
            psutil.Process(child.pid).memory_info().rss - psutil.Process(child.pid).memory_info().shared >> 20
        )
        assert child.resident_mib() > slight + weights_mib * 0.9
        assert (own_mib > weights_mib) is not mapped
