"""That a converted model computes what it was trained to compute."""

from __future__ import annotations

import re
from pathlib import Path

import numpy
import pytest
from numpy.typing import NDArray

from menagerie.core.identity import User
from menagerie.engines.residency import Engines
from tests import tiny_bert
from tests.embeddings.conftest import texts_service

pytestmark = pytest.mark.engine

Matrix = NDArray[numpy.float64]
TEXT = "The cats of 4, or so!"


async def test_a_vector_is_that_of_the_weights_as_they_were_published(
    tmp_path: Path, engines: Engines, embedder: Path
) -> None:
    texts = texts_service(tmp_path, engines, whisper_embedding_model=str(embedder))
    embedded = await texts.embed([TEXT], None, User())
    pieces = pieces_of(TEXT)
    assert embedded.tokens == len(pieces)
    assert embedded.vectors[0] == pytest.approx(vector_of(pieces), abs=5e-3)


def pieces_of(text: str) -> list[str]:
    """WordPiece: the longest piece first (Wu et al., 2016)."""
    found = ["[CLS]"]
    for word in re.findall(r"\w+|[^\w\s]", text.lower()):
        at = 0
        while at < len(word):
            mark = "##" if at else ""
            end = next(end for end in range(len(word), at, -1) if mark + word[at:end] in tiny_bert.VOCABULARY)
            found.append(mark + word[at:end])
            at = end
    return [*found, "[SEP]"]


def vector_of(pieces: list[str]) -> list[float]:
    """BERT (Devlin et al., 2018), mean pooling, length 1."""
    weights = {name: values.astype(numpy.float64) for name, values in tiny_bert.tensors().items()}

    def dense(name: str, x: Matrix) -> Matrix:
        made: Matrix = x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
        return made

    def norm(name: str, x: Matrix) -> Matrix:
        centred = x - x.mean(-1, keepdims=True)
        made: Matrix = centred / numpy.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return made * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    ids = [tiny_bert.VOCABULARY.index(piece) for piece in pieces]
    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm("embeddings.LayerNorm", x + weights["embeddings.token_type_embeddings.weight"][0])
    for layer in range(tiny_bert.LAYERS):
        at = f"encoder.layer.{layer}"
        q, k, v = (dense(f"{at}.attention.self.{part}", x) for part in ("query", "key", "value"))
        seen = [_attention(*(part[:, _of(head)] for part in (q, k, v))) for head in range(tiny_bert.HEADS)]
        x = norm(
            f"{at}.attention.output.LayerNorm", x + dense(f"{at}.attention.output.dense", numpy.hstack(seen))
        )
        inner = dense(f"{at}.intermediate.dense", x)
        inner = 0.5 * inner * (1 + numpy.tanh(numpy.sqrt(2 / numpy.pi) * (inner + 0.044715 * inner**3)))
        x = norm(f"{at}.output.LayerNorm", x + dense(f"{at}.output.dense", inner))
    mean = x.mean(0)
    made: list[float] = (mean / numpy.linalg.norm(mean)).tolist()
    return made


def _of(head: int) -> slice:
    size = tiny_bert.WIDTH // tiny_bert.HEADS
    return slice(head * size, (head + 1) * size)


def _attention(q: Matrix, k: Matrix, v: Matrix) -> Matrix:
    scores = q @ k.T / numpy.sqrt(q.shape[1])
    likely = numpy.exp(scores - scores.max(-1, keepdims=True))
    made: Matrix = likely / likely.sum(-1, keepdims=True) @ v
    return made
