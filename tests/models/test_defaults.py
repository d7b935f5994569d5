"""What the settings choose for texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.models.defaults import Choice, embedding_choice, reranker_choice
from menagerie.models.wish import DEFAULT_EMBEDDING_MODEL, ModelWish
from menagerie.settings import RemoteEngine, Settings


def settings(**values: object) -> Settings:
    engines = {"far": RemoteEngine(url=("http://far.example",))}
    return Settings(**{"engines": engines, **values})  # type: ignore[arg-type]


def test_nothing_said_is_the_default_model_and_no_reranker() -> None:
    assert embedding_choice(settings()) == Choice(DEFAULT_EMBEDDING_MODEL)
    assert not reranker_choice(settings())


@pytest.mark.parametrize(
    ("value", "choice"),
    [
        ("none", Choice()),
        (" None ", Choice()),
        ("Far", Choice(engine="far")),
        ("hub:o/r:*f16.gguf", Choice(ModelWish(kind="hub", repo="o/r", filename="*f16.gguf"))),
        ("package:a==1:*.safetensors", Choice(ModelWish(kind="package", package="a==1", filename="*.safetensors"))),
        ("/models/e5.gguf", Choice(ModelWish(kind="file", file="/models/e5.gguf"))),
        (r"C:\models\e5.GGUF", Choice(ModelWish(kind="file", file=r"C:\models\e5.GGUF"))),
    ],
)  # fmt: skip
def test_a_source_a_path_an_engine_or_none(value: str, choice: Choice) -> None:
    assert embedding_choice(settings(whisper_embedding_model=value)) == choice
    assert reranker_choice(settings(reranker=value)) == choice
    assert bool(choice) == ("none" not in value.lower())


@pytest.mark.parametrize("value", ["near", "hub:norepo", "url:https://x.example/a.gguf", "model.bin", "a:b"])
def test_what_names_no_model_is_refused(value: str) -> None:
    with pytest.raises(MenagerieError) as caught:
        embedding_choice(settings(whisper_embedding_model=value))
    assert caught.value.code is ErrorCode.MODEL_SOURCE_INVALID


def test_a_wrong_value_stops_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from menagerie.settings_check import WrongSettingsError, read_settings

    monkeypatch.setenv("MENAGERIE_DATA", str(tmp_path))
    monkeypatch.setenv("WHISPER_EMBEDDING_MODEL", "text-embedding-3-small")
    monkeypatch.setenv("MENAGERIE_RERANKER", "hub:x")
    with pytest.raises(WrongSettingsError) as wrong:
        read_settings()
    assert [problem.variable for problem in wrong.value.problems] == [
        "MENAGERIE_RERANKER",
        "WHISPER_EMBEDDING_MODEL",
    ]
    assert "text-embedding-3-small" in wrong.value.lines("en")[2]
