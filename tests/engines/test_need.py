"""The estimate of a load, against the library's own estimator and against what a process really takes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import psutil
import pytest
from gguf import GGUFReader
from hypothesis import given
from hypothesis import strategies as st
from xllamacpp.memory import dump_metadata_json, graph_size

from menagerie.core.messages import Message
from menagerie.engines.chat import ChatRequest
from menagerie.engines.engine import LocalEngine
from menagerie.engines.need import MIB, ModelShape, Placement, Run, compute_bytes, needs
from menagerie.engines.plan import Device, Machine, Wish, plan
from menagerie.models.gguf import read_header
from tests.conftest import LIMITS
from tests.tiny_model import write_tiny_model

ON_RAM = Placement(())
MACHINE = Machine(1, (Device("ram", 16_000, 12_000),))


@pytest.fixture(scope="module")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some hundred MiB of weights, so that they and the buffers count for more than the process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"WIDTH": 1024, "FEED_FORWARD": 2816, "HEADS": 16, "LAYERS": 4}.items():
            patch.setattr(f"tests.tiny_model.{name}", value)
        return write_tiny_model(tmp_path_factory.mktemp("wide") / "wide.gguf", context_length=8192)


@pytest.fixture
def models(tiny_model: Path, wide_model: Path, tmp_path: Path) -> dict[str, Path]:
    padded = write_tiny_model(tmp_path / "padded.gguf", pad_bytes=50 * MIB)
    return {"tiny": tiny_model, "padded": padded, "wide": wide_model}


def library_graph_bytes(model: Path, context: int) -> int:
    metadata = dump_metadata_json(GGUFReader(model, "r"), str(model))["metadata"]
    _, _, full = graph_size(metadata, context, 512, 1, "f16")
    return int(full)


@pytest.mark.parametrize("name", ["tiny", "wide"])
@pytest.mark.parametrize("context", [512, 4096, 32768])
def test_the_buffers_of_a_pass_are_those_of_the_librarys_estimator_or_a_little_more(
    models: dict[str, Path], name: str, context: int
) -> None:
    shape = ModelShape.of(read_header(models[name]))
    ours = compute_bytes(shape, Run(context, context, 1, 0, "off"))
    theirs = library_graph_bytes(models[name], context)
    assert theirs <= ours < 1.6 * theirs + 20 * MIB


@pytest.mark.parametrize("name", ["tiny", "wide"])
def test_the_cache_of_a_token_is_that_of_the_librarys_estimator(models: dict[str, Path], name: str) -> None:
    metadata = dump_metadata_json(GGUFReader(models[name], "r"), str(models[name]))["metadata"]
    kv, _, _ = graph_size(metadata, 1024, 512, 1, "f16")
    assert read_header(models[name]).kv_bytes_per_token == sum(kv) / 1024


@pytest.mark.engine
@pytest.mark.parametrize(
    ("name", "wish"),
    [
        ("tiny", Wish(window=2048)),
        ("tiny", Wish(window=256, slots=1)),
        ("padded", Wish(window=2048, slots=2)),
        ("wide", Wish(window=2048)),
        ("wide", Wish(window=8192, slots=16)),
        ("wide", Wish(window=2048, slots=1, flash_attention="off")),
    ],
)
async def test_a_process_takes_no_more_than_was_expected_and_not_much_less(
    models: dict[str, Path], name: str, wish: Wish
) -> None:
    model = models[name]
    shape = ModelShape.of(read_header(model))
    load = plan(str(model), name, shape, msgspec.structs.replace(wish, cache_mib=0), MACHINE).forms[0]
    engine = await LocalEngine.start(load, LIMITS)
    try:
        ask = ChatRequest(messages=(Message("user", "the heron in " * 16),), max_tokens=4)
        await asyncio.gather(*(_answer(engine, ask) for _ in range(load.slots)))
        measured = psutil.Process(engine.pid).memory_info().rss / MIB
    finally:
        await engine.close(at_once=True)
    assert measured <= load.memory_mib <= 1.35 * measured + 100


async def _answer(engine: LocalEngine, ask: ChatRequest) -> None:
    async for _ in engine.chat(ask):
        pass


RUNS = st.builds(
    Run,
    context=st.integers(1, 2**20),
    window=st.integers(1, 2**20),
    slots=st.integers(1, 256),
    cache_mib=st.integers(0, 4096),
    flash_attention=st.sampled_from(["auto", "on", "off"]),
    kind=st.sampled_from(["text", "embedding"]),
)
SHAPES = st.builds(
    ModelShape,
    weights_bytes=st.integers(1, 2**36),
    kv_bytes_per_token=st.integers(0, MIB),
    trained_window=st.integers(0, 2**20),
    layers=st.integers(1, 100),
    largest_layer_bytes=st.integers(0, 2**30),
    embedding_bytes=st.integers(0, 2**30),
    output_bytes=st.integers(0, 2**30),
    projector_bytes=st.integers(0, 2**30),
)


@given(SHAPES, RUNS)
def test_more_slots_a_larger_pool_and_a_larger_cache_never_need_less(shape: ModelShape, run: Run) -> None:
    larger = msgspec.structs.replace(
        run, slots=run.slots + 1, context=run.context + 256, cache_mib=run.cache_mib + 1
    )
    assert needs(shape, ON_RAM, larger) > needs(shape, ON_RAM, run)


@given(SHAPES, RUNS, st.integers(1, 100))
def test_a_layer_more_on_the_gpu_never_needs_more_of_the_memory_of_the_machine(
    shape: ModelShape, run: Run, layers: int
) -> None:
    fewer, more = (needs(shape, Placement((count,)), run) for count in (layers, layers + 1))
    assert more[0] <= fewer[0]
    assert more[1] >= fewer[1] or layers >= shape.layers


@given(SHAPES, RUNS)
def test_a_projector_is_counted_once(shape: ModelShape, run: Run) -> None:
    without = msgspec.structs.replace(shape, projector_bytes=0)
    for placement in (ON_RAM, Placement((0, 5))):
        more = sum(needs(shape, placement, run)) - sum(needs(without, placement, run))
        assert abs(more - shape.projector_bytes / MIB) <= 1
