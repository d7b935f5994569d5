"""A second client: the `llm` command, against the real service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service import Service

pytestmark = pytest.mark.engine

MODELS = """\
- model_id: beaver
  model_name: beaver
  api_base: {url}/v1
  supports_schema: true
"""


def llm(service: Service, folder: Path, *words: str) -> str:
    (folder / "extra-openai-models.yaml").write_text(MODELS.format(url=service.url), encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("llm")),
        "-m",
        "beaver",
        "--key",
        "none",
        "--no-log",
        *words,
    ]
    environment = {**os.environ, "LLM_USER_PATH": str(folder)}
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_gets_the_same_answer_streamed_and_whole(service: Service, tmp_path: Path) -> None:
    words = ("Hello?", "-o", "temperature", "0", "-o", "max_tokens", "8")
    assert llm(service, tmp_path, *words) == llm(service, tmp_path, *words, "--no-stream") != ""


def test_its_schemas_are_met(service: Service, tmp_path: Path) -> None:
    answer = json.loads(llm(service, tmp_path, "Ann is 33.", "--schema", "name, age int", "--no-stream"))
    assert set(answer) >= {"name", "age"}
    assert isinstance(answer["age"], int)
