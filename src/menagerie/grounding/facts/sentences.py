"""The sentences of a passage, one by one: a question is often about one of them, and the whole about many things."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

LONGEST: Final = 120
"""Characters that short sentences, items and rows are joined to."""
MOST: Final = 16
"""Of one passage; the rest goes with the last."""
_END: Final = re.compile(r"(?<=[.!?;:…])\s+|\n+")


def sentences_of(text: str) -> list[str]:
    """The sentences, items or rows of a passage, short ones joined; none where it is only one."""
    pieces: list[str] = []
    for sentence in filter(None, map(str.strip, _END.split(text))):
        if pieces and (len(pieces[-1]) + len(sentence) < LONGEST or len(pieces) == MOST):
            pieces[-1] = f"{pieces[-1]} {sentence}"
        else:
            pieces.append(sentence)
    return pieces if len(pieces) > 1 else []


def packed(vectors: Sequence[Sequence[float]]) -> bytes:
    """Vectors of any length as bytes with a sign, one after the other: their directions, to about a degree."""
    if not vectors:
        return b""
    wanted = np.asarray(vectors, np.float32)
    largest = np.abs(wanted).max(axis=1, keepdims=True)
    return bytes(np.rint(wanted * (127 / np.maximum(largest, 1e-9))).astype(np.int8).tobytes())


def nearest(packed_by_passage: Mapping[int, bytes], vector: Sequence[float]) -> dict[int, float]:
    """The cosine of each passage's nearest sentence; of those that do not fit the vector, none."""
    wanted = np.asarray(vector, np.float32)
    width = len(wanted)
    wanted = wanted / max(float(np.linalg.norm(wanted)), 1e-9)
    found: dict[int, float] = {}
    for key, raw in packed_by_passage.items():
        if not raw or len(raw) % width:
            continue
        rows = np.frombuffer(raw, np.int8).reshape(-1, width).astype(np.float32)
        lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-9)
        found[key] = float(((rows @ wanted) / lengths).max())
    return found
