"""Documents that were read lately, as many as have room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from menagerie.grounding.document import Document

_MOST: Final = 512
_FOR_EACH: Final = 300
"""Characters that count for a part besides its own."""


class RecentDocuments:
    """The last documents by what they were read from, at most `characters` of them together."""

    def __init__(self, characters: int) -> None:
        self._room = characters
        self._kept: OrderedDict[Hashable, tuple[Document, int]] = OrderedDict()
        self._used = 0

    def get(self, key: Hashable) -> Document | None:
        """The document, if it is still here."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: Hashable, document: Document) -> None:
        """Keep one, in the place of those that were not asked for the longest. What is too large alone is not kept."""
        size = sum(len(part.text) + _FOR_EACH for part in document.parts)
        if size > self._room // 2 or key in self._kept:
            return
        self._kept[key] = document, size
        self._used += size
        while self._used > self._room or len(self._kept) > _MOST:
            _, (_, freed) = self._kept.popitem(last=False)
            self._used -= freed
