"""In which language an answer is written: told with it, since a reader's voice and a spelling checker go by it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from menagerie.grounding.analysis import language_of_text

_ENOUGH: Final = 4_000
"""Characters that are looked at: a tenth of a millisecond."""
_FEWEST: Final = 4
"""Words of an answer that is long enough to tell."""
_CODE: Final = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)
_WORD: Final = re.compile(r"[^\W\d_]+")


def language_of_answer(pieces: Sequence[str]) -> str:
    """`en` or `fr`; empty where it is too short to tell, is code, or is neither."""
    read, size = [], 0
    for piece in pieces:
        read.append(piece)
        size += len(piece)
        if size >= _ENOUGH:
            break
    prose = _CODE.sub(" ", "".join(read)[:_ENOUGH])
    if len(_WORD.findall(prose)) < _FEWEST:
        return ""
    return language_of_text(prose) or ""
