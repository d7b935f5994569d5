"""In which language an answer is written: told with it, since a reader's voice and a spelling checker go by it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from menagerie.grounding.analysis import language_of_text

_ENOUGH: Final = 4_000
"""Characters that are looked at: half a millisecond."""
_FEWEST: Final = 4
"""Words of an answer that is long enough to tell."""
_CODE: Final = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)
_WORD: Final = re.compile(r"[^\W\d_]+")
_OTHER: Final = (
    "el los las una del con por para che di gli della nella sono não uma em und der das ist nicht mit het"
)
_OTHERS: Final = frozenset(_OTHER.split())
"""The commonest words of the languages that share some with English and French, where these have no such word."""
_FEW: Final = 20
"""One of them in so many words is a name or a quotation."""


def language_of_answer(pieces: Sequence[str]) -> str:
    """`en` or `fr`; empty where it is too short to tell, is code, or is neither."""
    read, size = [], 0
    for piece in pieces:
        read.append(piece)
        size += len(piece)
        if size >= _ENOUGH:
            break
    prose = _CODE.sub(" ", "".join(read)[:_ENOUGH])
    words = _WORD.findall(prose.lower())
    if len(words) < _FEWEST or sum(word in _OTHERS for word in words) * _FEW > len(words):
        return ""
    return language_of_text(prose) or ""
