"""The models on the disk: pulled ones, and files that somebody put there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.models import catalogue as module
from menagerie.models.catalogue import Catalogue
from menagerie.models.pull import pull
from menagerie.models.wish import DEFAULT_MODEL, ModelWish
from menagerie.settings import Settings
from tests.models.stand_ins import assert_told, sha256
from tests.tiny_model import write_tiny_model


def dropped(catalogue: Catalogue, name: str, seed: int = 0) -> Path:
    path = catalogue.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_tiny_model(path, seed=seed)


def test_an_empty_or_missing_folder_has_no_models(catalogue: Catalogue) -> None:
    assert catalogue.installed() == []
    assert catalogue.find(DEFAULT_MODEL) is None


def test_files_dropped_by_hand_are_found(catalogue: Catalogue) -> None:
    dropped(catalogue, "zebra.gguf")
    dropped(catalogue, "own/Ant.gguf", seed=1)
    assert [model.name for model in catalogue.installed()] == ["Ant", "zebra"]
    found = catalogue.find(ModelWish(kind="file", file="own/Ant.gguf"))
    assert found is not None
    assert found.header.name == "Tiny 1"


def test_a_file_may_be_given_by_its_absolute_path_or_from_where_one_stands(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tiny_model(tmp_path / "elsewhere.gguf")
    monkeypatch.chdir(tmp_path)
    for name in (str(path), "elsewhere.gguf"):
        found = catalogue.find(ModelWish(kind="file", file=name))
        assert found is not None
        assert found.path == path


async def test_a_dropped_file_fulfils_a_wish_for_its_exact_name_if_its_hash_is_right(
    catalogue: Catalogue, settings: Settings
) -> None:
    path = dropped(catalogue, "exact.gguf")
    right = ModelWish(kind="package", package="a==1", filename="exact.gguf", sha256=sha256(path.read_bytes()))
    wrong = ModelWish(kind="package", package="a==1", filename="exact.gguf", sha256="0" * 64)
    assert catalogue.find(ModelWish(kind="hub", repo="a/b", filename="*.gguf")) is None
    model = await pull(right, catalogue, settings)
    assert model.path == path
    with pytest.raises(MenagerieError) as caught:
        await pull(wrong, catalogue, settings)
    assert_told(caught, ErrorCode.MODEL_DOWNLOAD_FAILED, "no_index")
    assert catalogue.find(wrong) is None


async def test_a_wished_file_that_is_not_there_cannot_be_pulled(
    catalogue: Catalogue, settings: Settings
) -> None:
    with pytest.raises(MenagerieError) as caught:
        await pull(ModelWish(kind="file", file="nowhere.gguf"), catalogue, settings)
    assert_told(caught, ErrorCode.MODEL_SOURCE_INVALID, "absent")


def test_damaged_files_are_told_apart_and_do_not_hide_the_others(catalogue: Catalogue) -> None:
    dropped(catalogue, "good.gguf")
    (catalogue.folder / "bad.gguf").write_bytes(b"nonsense")
    assert [model.name for model in catalogue.installed()] == ["good"]
    assert [failure.values["model"] for failure in catalogue.broken()] == ["bad.gguf"]


async def test_a_hash_is_computed_once_and_again_when_the_file_changed(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dropped(catalogue, "model.gguf")
    computed: list[list[Path]] = []
    real = module.hash_files

    def counted(paths: list[Path]) -> str:
        computed.append(paths)
        return real(paths)

    monkeypatch.setattr(module, "hash_files", counted)
    (model,) = catalogue.installed()
    assert model.sha256 == ""
    assert await catalogue.sha256(model.path) == sha256(path.read_bytes())
    (known,) = Catalogue(catalogue.folder).installed()
    assert known.sha256 == await Catalogue(catalogue.folder).sha256(known.path) == sha256(path.read_bytes())
    assert len(computed) == 1
    changed = path.stat().st_mtime_ns + 10**9
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    os.utime(path, ns=(changed, changed))
    assert catalogue.installed()[0].sha256 == ""
    assert await catalogue.sha256(model.path) == sha256(path.read_bytes())
    assert len(computed) == 2


async def test_a_hash_of_a_file_that_has_gone_is_a_clear_failure(catalogue: Catalogue) -> None:
    path = dropped(catalogue, "model.gguf")
    (model,) = catalogue.installed()
    path.unlink()
    with pytest.raises(MenagerieError) as caught:
        await catalogue.sha256(model.path)
    assert_told(caught, ErrorCode.MODEL_BROKEN, "unreadable")


def test_models_of_one_name_are_told_apart_by_their_folders(catalogue: Catalogue) -> None:
    dropped(catalogue, "a/same.gguf")
    kept = dropped(catalogue, "b/same.gguf")
    assert [model.name for model in catalogue.installed()] == ["a/same", "b/same"]
    assert catalogue.remove("a/same").name == "a/same"
    assert [model.path for model in catalogue.installed()] == [kept]
    assert not (catalogue.folder / "a").exists()


def test_removing_what_is_not_there_is_told(catalogue: Catalogue, tmp_path: Path) -> None:
    outside = write_tiny_model(tmp_path / "outside.gguf")
    for name in ("outside", "../outside", str(outside)):
        with pytest.raises(MenagerieError) as caught:
            catalogue.remove(name)
        assert caught.value.code is ErrorCode.MODEL_UNKNOWN
    assert outside.exists()


def test_a_damaged_manifest_is_as_good_as_none(catalogue: Catalogue) -> None:
    path = dropped(catalogue, "model.gguf")
    path.with_name("model.gguf.json").write_text("{")
    assert [model.source for model in catalogue.installed()] == ["file:model.gguf"]
