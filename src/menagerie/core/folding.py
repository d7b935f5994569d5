"""Words as people search for them: without regard to case, accents, ligatures and the shape of apostrophes."""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize

_MARKS: Final = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
_SAME: Final = str.maketrans({"œ": "oe", "æ": "ae", "’": "'", "‘": "'", "\u02bc": "'"})


def searchable(words: str) -> str:
    """`words` for comparing."""
    if words.isascii():
        return words.lower()
    return _MARKS.sub("", normalize("NFKD", words.casefold().translate(_SAME)))
