"""A model of texts out of safetensors, as the GGUF that the engine reads.

What is converted is what sentence embedders are made of: BERT with an uncased WordPiece vocabulary, as Hugging Face's
`transformers` and `sentence-transformers` store it. The names and the layout of the result are llama.cpp's
(`convert_hf_to_gguf.py`, `BertModel`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from menagerie.core.errors import ErrorCode
from menagerie.models.failures import ModelError

if TYPE_CHECKING:
    import gguf

CONFIG: Final = "config.json"
VOCABULARY: Final = "vocab.txt"
TOKENIZER: Final = "tokenizer_config.json"
POOLING: Final = "1_Pooling/config.json"
README: Final = "README.md"
COMPANIONS: Final = (CONFIG, VOCABULARY, TOKENIZER, POOLING, README)
"""The files beside the weights that tell how they are to be read."""

_REQUIRED: Final = (CONFIG, VOCABULARY)
_ARCHITECTURE: Final = "bert"
_SPECIAL: Final = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
_WORD: Final = "▁"
"""How llama.cpp's vocabulary marks a piece that begins a word; WordPiece marks those that do not, by `##`."""
_NOT_USED: Final = re.compile(r"(bert\.)?(embeddings\.position_ids|pooler\..*|cls\..*)")
_KEPT_EXACT: Final = frozenset({"position_embd.weight", "token_types.weight"})
_MOST_LAYERS: Final = 4096
_LICENCE: Final = re.compile(r"^license:\s*([\w.+-]+)\s*$", re.MULTILINE)
_TITLE: Final = re.compile(r"^#\s+(?:[\w.-]+/)?([\w.+-]{1,80})\s*$", re.MULTILINE)


class _Config(msgspec.Struct):
    """`config.json`, as far as it decides."""

    model_type: str
    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    num_hidden_layers: int
    max_position_embeddings: int
    layer_norm_eps: float
    type_vocab_size: int = 2
    hidden_act: str = "gelu"
    position_embedding_type: str = "absolute"


class _Tokenizer(msgspec.Struct):
    do_lower_case: bool = True


class _Pooling(msgspec.Struct):
    pooling_mode_cls_token: bool = False
    pooling_mode_mean_tokens: bool = False


def convert(weights: Path, companions: Mapping[str, bytes], target: Path, name: str) -> None:
    """Write the model in the file `weights` (safetensors) to `target` as GGUF, matrices in f16. `companions` are the
    files of `COMPANIONS` that there are; `name` is what the model is called where they do not tell.

    The same input gives the same bytes. Blocking: for a thread. Raises `model.download_failed` where it is no model of
    the kind above (`conversion_unsupported`) or is damaged (`conversion_damaged`); `OSError`.
    """
    import safetensors

    made = False
    try:
        _Conversion(companions, name).write(weights, target)
        made = True
    except (
        safetensors.SafetensorError,
        msgspec.DecodeError,
        UnicodeDecodeError,
        KeyError,
        ValueError,
        TypeError,
    ) as failure:
        raise ModelError(ErrorCode.MODEL_DOWNLOAD_FAILED, "conversion_damaged", model=name) from failure
    finally:
        if not made:
            target.unlink(missing_ok=True)


class _Conversion:
    """One conversion, what goes with the weights being read."""

    def __init__(self, companions: Mapping[str, bytes], name: str) -> None:
        self._name = name
        for file in _REQUIRED:
            if file not in companions:
                raise self._unsupported(file)
        self._config = msgspec.json.decode(companions[CONFIG], type=_Config)
        lines = companions[VOCABULARY].decode().removesuffix("\n").split("\n")
        self._vocabulary = [line.removesuffix("\r") for line in lines]  # other ends of lines are pieces
        self._tokenizer = msgspec.json.decode(companions.get(TOKENIZER, b"{}"), type=_Tokenizer)
        self._pooling = msgspec.json.decode(companions.get(POOLING, b"{}"), type=_Pooling)
        self._readme = companions.get(README, b"").decode(errors="replace")
        self._check()

    def write(self, weights: Path, target: Path) -> None:
        import gguf
        import safetensors

        writer = gguf.GGUFWriter(target, _ARCHITECTURE)
        try:
            self._describe(writer)
            self._tokens(writer)
            with safetensors.safe_open(weights, framework="numpy") as source:
                for tensor, values in self._tensors(source):
                    writer.add_tensor(tensor, values)
                writer.write_header_to_file()
                writer.write_kv_data_to_file()
                writer.write_tensors_to_file()
        finally:
            writer.close()

    def _check(self) -> None:
        config = self._config
        decided = {
            "model_type": config.model_type == "bert",
            "hidden_act": config.hidden_act == "gelu",
            "position_embedding_type": config.position_embedding_type == "absolute",
            "do_lower_case": self._tokenizer.do_lower_case,
            "num_hidden_layers": 0 < config.num_hidden_layers <= _MOST_LAYERS,
            "num_attention_heads": config.num_attention_heads > 0,
            VOCABULARY: all(token in self._vocabulary for token in _SPECIAL.values()),
        }
        for what, sound in decided.items():
            if not sound:
                raise self._unsupported(what)

    def _describe(self, writer: gguf.GGUFWriter) -> None:
        import gguf

        config = self._config
        title, licence = _TITLE.search(self._readme), _LICENCE.search(self._readme)
        writer.add_name(title[1] if title else self._name)
        if licence:
            writer.add_license(licence[1])
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
        writer.add_context_length(config.max_position_embeddings)
        writer.add_embedding_length(config.hidden_size)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_head_count(config.num_attention_heads)
        writer.add_layer_norm_eps(config.layer_norm_eps)
        writer.add_causal_attention(False)
        by_first = self._pooling.pooling_mode_cls_token and not self._pooling.pooling_mode_mean_tokens
        writer.add_pooling_type(gguf.PoolingType.CLS if by_first else gguf.PoolingType.MEAN)

    def _tokens(self, writer: gguf.GGUFWriter) -> None:
        import gguf

        special = set(_SPECIAL.values())
        writer.add_tokenizer_model("bert")
        writer.add_token_list([piece if piece in special else _piece(piece) for piece in self._vocabulary])
        writer.add_token_types(
            [
                gguf.TokenType.CONTROL if piece in special else gguf.TokenType.NORMAL
                for piece in self._vocabulary
            ]
        )
        writer.add_token_type_count(self._config.type_vocab_size)
        ids = {role: self._vocabulary.index(token) for role, token in _SPECIAL.items()}
        writer.add_bos_token_id(ids["cls"])
        writer.add_sep_token_id(ids["sep"])
        writer.add_eos_token_id(ids["sep"])
        writer.add_unk_token_id(ids["unk"])
        writer.add_pad_token_id(ids["pad"])
        writer.add_mask_token_id(ids["mask"])

    def _tensors(self, source: Any) -> Iterator[tuple[str, Any]]:
        """The tensors under their names in a GGUF: matrices in f16, all that is added or looked up by place in f32."""
        import gguf
        import numpy

        names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, self._config.num_hidden_layers)
        found: set[str] = set()
        for theirs in source.keys():  # noqa: SIM118 - it is no mapping
            if _NOT_USED.fullmatch(theirs):
                continue
            ours = names.get_name(theirs.removeprefix("bert."), (".weight", ".bias"))
            if ours is None:
                raise self._unsupported(theirs[:80])
            values = source.get_tensor(theirs)
            self._check_shape(ours, values.shape)
            found.add(ours)
            exact = values.ndim == 1 or ours in _KEPT_EXACT
            yield ours, values.astype(numpy.float32 if exact else numpy.float16)
        missing = self._expected() - found
        if missing:
            raise KeyError(min(missing))

    def _expected(self) -> set[str]:
        matrices = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down")
        norms = ("attn_output_norm", "layer_output_norm")
        layers = {
            f"blk.{layer}.{part}.{kind}"
            for layer in range(self._config.num_hidden_layers)
            for part in (*matrices, *norms)
            for kind in ("weight", "bias")
        }
        tables = {"token_embd.weight", "position_embd.weight", "token_types.weight"}
        return layers | tables | {"token_embd_norm.weight", "token_embd_norm.bias"}

    def _check_shape(self, name: str, shape: tuple[int, ...]) -> None:
        """The engine believes the header: what does not fit it would be read beyond its end."""
        config = self._config
        tables = {
            "token_embd.weight": len(self._vocabulary),
            "position_embd.weight": config.max_position_embeddings,
            "token_types.weight": config.type_vocab_size,
        }
        part, _, kind = name.rpartition(".")
        part = part.rpartition(".")[2]
        rows = config.intermediate_size if part == "ffn_up" else config.hidden_size
        columns = config.intermediate_size if part == "ffn_down" else config.hidden_size
        if name in tables:
            wanted: tuple[int, ...] = (tables[name], config.hidden_size)
        elif kind == "bias" or part.endswith("_norm"):
            wanted = (rows,)
        else:
            wanted = (rows, columns)
        if tuple(shape) != wanted:
            raise ValueError(name)

    def _unsupported(self, what: str) -> ModelError:
        return ModelError(
            ErrorCode.MODEL_DOWNLOAD_FAILED, "conversion_unsupported", model=self._name, field=what
        )


def _piece(piece: str) -> str:
    return piece.removeprefix("##") if piece.startswith("##") else _WORD + piece
