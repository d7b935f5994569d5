"""The vectors of one collection in memory, searched by looking at all of them. Pure; takes milliseconds, so not for the
event loop."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Precision = Literal["single", "half"]

BLOCK: Final = 8192
"""Vectors of one piece of memory: what a change has to copy at most."""
_AT_ONCE: Final = 1024
"""Vectors in half precision that are widened at a time: as many as stay in a processor's cache."""


class Block(msgspec.Struct, frozen=True):
    """Vectors of passages, with the keys of those and of their documents. Nobody changes one that is there."""

    passages: Numbers
    documents: Numbers
    vectors: npt.NDArray[np.float32] | npt.NDArray[np.float16]

    @property
    def size(self) -> int:
        """Bytes."""
        return self.vectors.nbytes + self.passages.nbytes + self.documents.nbytes


class Scan(msgspec.Struct, frozen=True):
    """The cosine of the angle between one vector and that of each passage, with the passages' keys."""

    passages: Numbers
    cosines: Floats

    def best(self, most: int) -> list[tuple[int, float]]:
        """The nearest passages, the nearest first."""
        most = min(most, len(self.cosines))
        if not most:
            return []
        places = np.argpartition(-self.cosines, most - 1)[:most]
        places = places[np.argsort(-self.cosines[places], kind="stable")]
        return [(int(self.passages[place]), float(self.cosines[place])) for place in places]

    def of(self, passages: Collection[int]) -> dict[int, float]:
        """Those of some passages, of which it may lack some."""
        places = np.flatnonzero(np.isin(self.passages, np.fromiter(passages, np.int64, len(passages))))
        return {int(self.passages[place]): float(self.cosines[place]) for place in places}


class Matrix(msgspec.Struct, frozen=True):
    """The vectors of a collection, all of the same width and of length 1. A changed one is another one, which shares
    with it what is the same; so one that is searched stays as it is."""

    width: int = 0
    """Numbers of a vector; that of the first one, while there is none."""
    precision: Precision = "single"
    blocks: tuple[Block, ...] = ()
    refused: bool = False
    """Whether it is empty because it would be too large."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(block.size for block in self.blocks)

    def with_vectors(self, passages: Sequence[int], documents: Sequence[int], raw: Sequence[bytes]) -> Matrix:
        """With these too, half-precision floats as the store has them. What has another width is left out."""
        width = self.width or len(next(iter(raw), b"")) // 2
        rows = [row for row in zip(passages, documents, raw, strict=True) if len(row[2]) == 2 * width]
        if not rows:
            return self
        halves = np.frombuffer(b"".join(row[2] for row in rows), "<f2").reshape(-1, width)
        added = Block(
            np.array([row[0] for row in rows], np.int64),
            np.array([row[1] for row in rows], np.int64),
            halves.astype(np.float32) if self.precision == "single" else halves.astype(np.float16),
        )
        blocks = list(self.blocks)
        if blocks and len(blocks[-1].passages) + len(rows) <= BLOCK:
            added = _joined(blocks.pop(), added)
        return msgspec.structs.replace(self, width=width, blocks=(*blocks, added))

    def without(self, documents: Collection[int]) -> Matrix:
        """Without the passages of these documents."""
        if not documents:
            return self
        gone = np.fromiter(documents, np.int64, len(documents))
        blocks: list[Block] = []
        for block in self.blocks:
            kept = ~np.isin(block.documents, gone)
            if kept.all():
                blocks.append(block)
            elif kept.any():
                blocks.append(Block(block.passages[kept], block.documents[kept], block.vectors[kept]))
        return msgspec.structs.replace(self, blocks=_compact(blocks))

    def scan(self, vector: Sequence[float]) -> Scan:
        """Look at every vector; `vector` may have any length."""
        wanted = np.asarray(vector, np.float32)
        length = float(np.linalg.norm(wanted))
        if len(wanted) != self.width or not length or not self.blocks:
            return Scan(np.empty(0, np.int64), np.empty(0, np.float32))
        wanted /= length
        return Scan(
            np.concatenate([block.passages for block in self.blocks]),
            np.concatenate([_cosines(block.vectors, wanted) for block in self.blocks]),
        )


def stored(vector: Sequence[float]) -> bytes:
    """A vector as the store has it: of length 1, in half precision."""
    wanted = np.asarray(vector, np.float32)
    length = float(np.linalg.norm(wanted))
    return (wanted / (length or 1.0)).astype("<f2").tobytes()


def _cosines(vectors: npt.NDArray[np.float32] | npt.NDArray[np.float16], wanted: Floats) -> Floats:
    # Not `@`, whose threads wait for one another for a tenth of a second where others use the cores as well.
    if vectors.dtype == np.float32:
        return np.asarray(np.vecdot(vectors, wanted), np.float32)
    pieces = range(0, len(vectors), _AT_ONCE)
    return np.concatenate(
        [np.vecdot(vectors[at : at + _AT_ONCE].astype(np.float32), wanted) for at in pieces]
    )


def _joined(one: Block, other: Block) -> Block:
    return Block(
        np.concatenate([one.passages, other.passages]),
        np.concatenate([one.documents, other.documents]),
        np.concatenate([one.vectors, other.vectors]),
    )


def _compact(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Join neighbours that have become small."""
    joined: list[Block] = []
    for block in blocks:
        if joined and len(joined[-1].passages) + len(block.passages) <= BLOCK // 2:
            joined[-1] = _joined(joined[-1], block)
        else:
            joined.append(block)
    return tuple(joined)
