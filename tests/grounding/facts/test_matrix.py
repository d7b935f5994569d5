"""Vectors in memory: the nearest are found whatever was added and taken away, and sentences keep their direction."""

from __future__ import annotations

import math

import numpy as np
import pytest

from menagerie.grounding.facts.matrix import BLOCK, Matrix, Precision, stored
from menagerie.grounding.facts.sentences import MOST, nearest, packed, sentences_of

WIDTH = 64
RANDOM = np.random.default_rng(7)
VECTORS = RANDOM.standard_normal((BLOCK + 300, WIDTH)).astype(np.float32)
QUESTION = [float(number) for number in RANDOM.standard_normal(WIDTH)]


def filled(precision: Precision = "single") -> Matrix:
    matrix = Matrix(precision=precision)
    for first in range(0, len(VECTORS), 1000):
        keys = range(first, min(first + 1000, len(VECTORS)))
        matrix = matrix.with_vectors(
            [key + 1 for key in keys], [key // 10 for key in keys], [stored(VECTORS[key]) for key in keys]
        )
    return matrix


def expected(without: frozenset[int] = frozenset()) -> list[int]:
    cosines = VECTORS @ np.array(QUESTION) / np.linalg.norm(VECTORS, axis=1)
    return [int(place) + 1 for place in np.argsort(-cosines) if place // 10 not in without][:5]


@pytest.mark.parametrize("precision", ["single", "half"])
def test_the_nearest_are_found_first(precision: Precision) -> None:
    scan = filled(precision).scan(QUESTION)
    assert [key for key, _ in scan.best(5)] == expected()
    assert scan.best(5)[0][1] <= 1.001
    cosine = float(VECTORS[41] @ np.array(QUESTION) / np.linalg.norm(VECTORS[41]) / np.linalg.norm(QUESTION))
    assert scan.of([42, 10**9])[42] == pytest.approx(cosine, abs=2e-3)
    assert len(scan.of([42, 10**9])) == 1


def test_passages_of_documents_that_go_are_not_found_and_memory_is_given_back() -> None:
    matrix = filled()
    gone = frozenset({(expected()[0] - 1) // 10, (expected()[2] - 1) // 10})
    assert [key for key, _ in matrix.without(gone).scan(QUESTION).best(5)] == expected(gone)
    assert [key for key, _ in matrix.scan(QUESTION).best(5)] == expected()
    most = matrix.without(range(5, len(VECTORS)))
    assert most.size < matrix.size / 100
    assert len(most.blocks) == 1
    assert matrix.without(range(len(VECTORS))).scan(QUESTION).best(5) == []


def test_a_vector_of_another_width_is_nobody_s_neighbour() -> None:
    matrix = Matrix().with_vectors([1, 2], [1, 1], [stored([1.0, 0.0]), stored([1.0, 0.0, 0.0])])
    assert [key for key, _ in matrix.scan([1.0, 0.0]).best(5)] == [1]
    assert matrix.scan([1.0, 0.0, 0.0]).best(5) == []
    assert matrix.scan([0.0, 0.0]).best(5) == []
    assert Matrix().scan([1.0]).best(5) == []


def test_half_precision_takes_half_the_memory() -> None:
    single, half = filled("single"), filled("half")
    assert half.size - 16 * len(VECTORS) == (single.size - 16 * len(VECTORS)) / 2


def test_a_passage_falls_into_sentences_items_and_rows() -> None:
    text = "The fee is 5 dollars. " + "x" * 100 + "\n- one item;\n- " + "y" * 110
    assert [len(sentence) for sentence in sentences_of(text)] == [21, 112, 112]
    assert sentences_of("Only one.") == []
    assert len(sentences_of("A sentence of some length, that is not short at all. " * 2_000)) == MOST


def test_sentences_keep_their_directions() -> None:
    raw = packed([VECTORS[0] * 5, VECTORS[1]])
    assert len(raw) == 2 * WIDTH
    near = nearest({1: raw, 2: b"", 3: raw[:-1]}, VECTORS[1])
    assert near == {1: pytest.approx(1.0, abs=1e-3)}
    assert math.isfinite(nearest({1: packed([[0.0] * WIDTH])}, VECTORS[1])[1])
