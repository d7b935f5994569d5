"""The marks by which chat templates tell who speaks: engines read them wherever they stand, so nobody forges them."""

from __future__ import annotations

import re
from typing import Final

_JOINER: Final = "\u2060"
_MARKS: Final = re.compile(
    r"<[|｜][^<>\n]{1,60}[|｜]>|<[|｜][^<>\s]{1,60}>|<[^<>\s]{1,60}[|｜]>|</?s>|<(?:start|end)_of_turn>"
    r"|<(?:bos|eos|pad|unk)>|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]|<</?SYS>>"
)
"""Control tokens of the chat templates in use."""


def without_marks(text: str) -> str:
    """The text with a word joiner inside each mark, which makes it ordinary text, and longer."""
    return _MARKS.sub(lambda mark: mark[0][0] + _JOINER + mark[0][1:], text)
