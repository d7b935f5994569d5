"""The words that some models of texts were trained to find before a text, so that they know what it is for."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

Purpose = Literal["document", "query"]
"""A text that is to be found, or one that finds."""


class Prefixes(msgspec.Struct, frozen=True):
    """What stands before a text of each purpose; empty where the model wants nothing."""

    document: str = ""
    query: str = ""

    def before(self, purpose: Purpose | None) -> str:
        """The prefix for a purpose; none for a text that is taken as it is."""
        match purpose:
            case "document":
                return self.document
            case "query":
                return self.query
            case None:
                return ""


_NONE: Final = Prefixes()
_NOMIC: Final = Prefixes("search_document: ", "search_query: ")
_E5: Final = Prefixes("passage: ", "query: ")
_IS_E5: Final = re.compile(r"(?<![a-z0-9])e5(?![a-z0-9])(?!.*instruct)").search


def prefixes_of(architecture: str, name: str) -> Prefixes:
    """What the model `name` wants, by its architecture (empty where nobody tells) and the families' model cards."""
    name = name.lower()
    if architecture.startswith("nomic-bert") or "nomic-embed" in name:
        return _NOMIC
    return _E5 if _IS_E5(name) else _NONE
