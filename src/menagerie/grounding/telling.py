"""Words of strangers in a sentence of ours: on one line, short, and without what Markdown would make more of."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from menagerie.grounding.chunking import JOINER

LONGEST_TITLE: Final = 160
LONGEST_NAME: Final = 80
_END: Final = 16
_MARKS: Final = re.compile(r"[\\`*_\[\](){}<>!|#~]")


def shown_title(title: str) -> str:
    """A title, every mark of Markdown and HTML in it escaped."""
    line = _on_one_line(title)
    if len(line) > LONGEST_TITLE:
        line = line[:LONGEST_TITLE] + "…"
    return _MARKS.sub(lambda mark: f"\\{mark[0]}", line)


def shown_file(name: str) -> str:
    """The name of a file as plain text: its beginning and its end, where the kind stands."""
    line = _on_one_line(name)
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - _END - 1]}…{line[-_END:]}"


def heading_below(title: str, heading: str) -> str:
    """The headings of a passage without the first, where that is the title that stands beside them."""
    if heading == title:
        return ""
    return heading.removeprefix(f"{title}{JOINER}") if title else heading


def shown_address(address: str) -> str:
    """An address that ends nothing that it stands in."""
    return quote(address, safe="%/:?#@&=+$,;~'*-._[]")


def _on_one_line(words: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in words).split())
