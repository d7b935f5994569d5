"""Which model made a vector, and whether it knows French."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Final

import msgspec

from menagerie.embeddings.model import TextModel
from menagerie.engines.target import Remote
from menagerie.models.gguf import read_header

_SAMPLE: Final = 1 << 20
"""Bytes at the beginning, in the middle and at the end of a file: weights that differ differ there."""
_LARGE_VOCABULARY: Final = 100_000
"""Pieces of words. English models have some 30,000; those that know many languages have more than this."""
_SAYS_SO: Final = re.compile(
    r"multilingual|(?<![a-z])m3(?![a-z0-9])|labse|camembert|french|(?<![a-z])fr(?![a-z])|arctic-embed-[a-z]-v2"
    r"|nomic-embed-text-v2|jina-embeddings-v[3-9]|embeddinggemma|qwen3|cohere|text-embedding-3|solon|titan"
).search


class Maker(msgspec.Struct, frozen=True):
    """A model of embeddings: `id` stands beside the vectors that it makes."""

    id: str
    knows_french: bool

    def knows(self, *languages: str) -> bool:
        """Whether it tells texts in these languages apart by what they say."""
        return self.knows_french or all(language == "en" for language in languages)


class Makers:
    """Tells who makes vectors now. Files are looked into once, in a thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Maker] = {}

    async def of(self, model: TextModel) -> Maker:
        """The maker that a model is. A file that was copied, or is found again after a restart, is the same one."""
        target = model.target
        if isinstance(target, Remote):
            return Maker(f"{target.name}/{model.facts.name}", bool(_SAYS_SO(model.facts.name.lower())))
        key = (target.model, target.version)
        if key not in self._known:
            self._known[key] = await asyncio.to_thread(_look_into, Path(target.model), model.facts.name)
        return self._known[key]


def _look_into(path: Path, name: str) -> Maker:
    try:
        size = path.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with path.open("rb") as file:
            for place in (0, size // 2, max(0, size - _SAMPLE)):
                file.seek(place)
                digest.update(file.read(_SAMPLE))
        vocabulary = read_header(path).vocabulary
    except OSError:  # just gone; the engine will say so
        return Maker(name, False)
    knows = vocabulary >= _LARGE_VOCABULARY or bool(_SAYS_SO(name.lower()))
    return Maker(f"{name}#{digest.hexdigest()[:16]}", knows)
