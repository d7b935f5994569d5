"""The tiny model keeps what its arguments promise, on the real engine."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from menagerie.core.messages import Message
from menagerie.engines.chat import ChatRequest
from menagerie.engines.engine import LocalEngine
from menagerie.engines.plan import Load
from tests.conftest import LIMITS
from tests.tiny_model import write_tiny_model


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first, second, other = (
        write_tiny_model(tmp_path / f"{number}.gguf", seed=seed, pad_bytes=99)
        for number, seed in enumerate((5, 5, 6))
    )
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()


@pytest.mark.engine
@pytest.mark.parametrize(("end_bias", "finish"), [(-100.0, "length"), (100.0, "stop")])
async def test_the_bias_of_the_end_decides_how_answers_end(
    tiny_load: Load, tmp_path: Path, end_bias: float, finish: str
) -> None:
    path = write_tiny_model(tmp_path / "tiny.gguf", end_bias=end_bias, pad_bytes=1000)
    engine = await LocalEngine.start(msgspec.structs.replace(tiny_load, model=str(path)), LIMITS)
    try:
        request = ChatRequest(messages=(Message("user", "Hello"),), max_tokens=40, seed=1)
        chunks = [chunk async for chunk in engine.chat(request)]
    finally:
        await engine.close()
    said = "".join(chunk.text for chunk in chunks)
    assert chunks[-1].finish == finish
    assert said.isascii()
    assert bool(said) == (finish == "length")
