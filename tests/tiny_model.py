"""A language model of a quarter of a megabyte, made on the spot: real enough for the real engine.

Its weights are random, its answers are nonsense in printable ASCII, and it does all that a model must do for
the engine: chat templates, batches, constrained decoding, a prompt cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gguf
import numpy
import numpy.typing

LAYERS: Final = 2
WIDTH: Final = 64
HEADS: Final = 4
FEED_FORWARD: Final = 128

CHATML: Final = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

SPECIAL: Final = ("<|begin|>", "<|im_start|>", "<|im_end|>")
MERGES: Final = ("Ġ t", "h e", "Ġt he", "i n", "e r", "o n", "Ġ a", "Ġ in")

Matrix = numpy.typing.NDArray[numpy.float32]


def byte_characters() -> list[str]:
    """The 256 characters by which a byte-level BPE vocabulary writes bytes: printable ones stand for
    themselves, the others for code points from 256 on (the mapping of GPT-2)."""
    printable = {
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    }
    unprintable = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(256 + unprintable.index(byte)) for byte in range(256)]


def vocabulary() -> list[str]:
    """Bytes, merged pieces, special tokens, in the order of their ids."""
    return [*byte_characters(), *(merge.replace(" ", "") for merge in MERGES), *SPECIAL]


def write_tiny_model(
    path: Path,
    *,
    context_length: int = 2048,
    seed: int = 0,
    pad_bytes: int = 0,
    chat_template: str = CHATML,
    end_bias: float = 0.0,
) -> Path:
    """Write the model as GGUF to `path` and give the path back. The same arguments give the same bytes.

    `pad_bytes` of noise at the end of the file make it longer without changing the model. `end_bias` is added
    to the logit of the token that ends an answer: -100 never ends, 100 ends at once.
    """
    random = numpy.random.default_rng(seed)
    tokens = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    _write_hyperparameters(writer, context_length, len(tokens), seed)
    _write_tokenizer(writer, tokens, chat_template)
    _write_weights(writer, tokens, random, end_bias)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with path.open("ab") as file:
        file.write(random.bytes(pad_bytes))
    return path


def _write_hyperparameters(writer: gguf.GGUFWriter, context_length: int, tokens: int, seed: int) -> None:
    writer.add_name(f"Tiny {seed}")
    writer.add_license("mit")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(context_length)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(tokens)


def _write_tokenizer(writer: gguf.GGUFWriter, tokens: list[str], chat_template: str) -> None:
    begin, _, end = (tokens.index(token) for token in SPECIAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL for token in tokens]
    )
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(begin)
    writer.add_eos_token_id(end)
    writer.add_pad_token_id(end)
    writer.add_add_bos_token(False)
    writer.add_chat_template(chat_template)


def _write_weights(
    writer: gguf.GGUFWriter, tokens: list[str], random: numpy.random.Generator, end_bias: float
) -> None:
    """Random weights, but for dimension 0 of the residual stream: it is 1 everywhere and no layer writes to
    it, so that the first column of the output matrix works as a bias of the logits, which keeps answers
    printable."""

    def matrix(rows: int, columns: int, spread: float) -> Matrix:
        return random.normal(0.0, spread, (rows, columns)).astype(numpy.float32)

    def silent(weights: Matrix) -> Matrix:
        weights[0, :] = 0.0
        return weights

    ones = numpy.ones(WIDTH, dtype=numpy.float32)
    embedding = matrix(len(tokens), WIDTH, 1.0)
    embedding[:, 0] = 1.0
    output = matrix(len(tokens), WIDTH, 0.3)
    output[:, 0] = [_bias(token, end_bias) for token in tokens]
    writer.add_tensor("token_embd.weight", embedding.astype(numpy.float16))
    writer.add_tensor("output_norm.weight", ones)
    writer.add_tensor("output.weight", output.astype(numpy.float16))
    for layer in range(LAYERS):
        block = {
            "attn_q": matrix(WIDTH, WIDTH, 0.125),
            "attn_k": matrix(WIDTH, WIDTH, 0.125),
            "attn_v": matrix(WIDTH, WIDTH, 0.125),
            "attn_output": silent(matrix(WIDTH, WIDTH, 0.125)),
            "ffn_gate": matrix(FEED_FORWARD, WIDTH, 0.125),
            "ffn_up": matrix(FEED_FORWARD, WIDTH, 0.125),
            "ffn_down": silent(matrix(WIDTH, FEED_FORWARD, 0.09)),
        }
        writer.add_tensor(f"blk.{layer}.attn_norm.weight", ones)
        writer.add_tensor(f"blk.{layer}.ffn_norm.weight", ones)
        for name, weights in block.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", weights.astype(numpy.float16))


def _bias(token: str, end_bias: float) -> float:
    if token == "<|im_end|>":
        return end_bias
    readable = token.replace("Ġ", "")
    return 0.0 if token not in SPECIAL and readable.isascii() else -100.0
