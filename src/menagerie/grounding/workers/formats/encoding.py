"""The text of bytes whose encoding is said wrongly, or not at all."""

from __future__ import annotations

import codecs
import re
from typing import Final

_GUESSED_FROM: Final = 65_536
_META: Final = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MEANT: Final = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gbk",
    "gbk": "gb18030",
}
"""What the Web means by some names (WHATWG Encoding Standard)."""


def marked(body: bytes) -> str:
    """The encoding that a byte order mark tells; empty without one."""
    return next((name for start, name in _MARKS if body.startswith(start)), "")


def decoded(body: bytes, charset: str, *, is_html: bool = False) -> str:
    """The text of the bytes: by byte order mark, by what the server says, by what the page says, as UTF-8, by their
    look; the first that fits without an error."""
    mark = marked(body)
    if mark:
        return body.decode(mark, "replace")
    meta = _META.search(body[:4096]) if is_html else None
    said = [name for name in (charset, meta[1].decode() if meta else "") if name]
    for name in [*said, "utf-8"]:
        text = _strictly(body, name)
        if text is not None:
            return text
    return body.decode(_guessed(body[:_GUESSED_FROM]), "replace")


def _guessed(sample: bytes) -> str:
    """The encoding that bytes look like; where several fit as well, that of our two languages."""
    from charset_normalizer import from_bytes

    matches = from_bytes(sample)
    best = matches.best()
    if best is None:
        return "cp1252"
    equals = [one for one in matches if one.chaos <= best.chaos and one.coherence >= best.coherence]
    return "cp1252" if any(one.encoding == "cp1252" for one in equals) else best.encoding


def _strictly(body: bytes, name: str) -> str | None:
    try:
        codec = codecs.lookup(name).name
        return body.decode(_MEANT.get(codec, codec))
    except (LookupError, ValueError):
        return None
