"""What a page is, by its first bytes: what its server says of it is heard only where both could be right. Pure.

After the WHATWG's MIME Sniffing Standard, cut down to what is read here.
"""

from __future__ import annotations

import codecs
import re
from typing import Final, Literal

ENOUGH: Final = 1024
"""Bytes to judge by."""

PageKind = Literal["html", "text", "json", "feed", "xml", "pdf", "zip"]
"""`feed` is RSS or Atom, `xml` any other XML, `zip` an archive: an office document, perhaps."""

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_OTHER: Final = ("%pdf-", "%!ps", "{\\rtf", "gif8", "rar!", "pk\x03\x04")
_HTML: Final = re.compile(
    r"<(?:!doctype html|html|head|body|title|meta|link|script|style|iframe|h[1-6]|div|p|br|a|b|font|table|main|article"
    r"|section|header|nav)[\s/>]|<!--"
)
_XHTML: Final = re.compile(r"<html[\s>]")


def sniff(start: bytes, declared: str) -> PageKind | None:
    """What a body that begins with `start` is; None for what is not read. `declared` is its `Content-Type`."""
    encoding = encoding_by_mark(start)
    text = start[:ENOUGH].decode(encoding or "latin-1", "replace")
    begins = text.lstrip("\ufeff\t\n\f\r ").lower()
    if _BINARY.search(text) or begins.startswith(_OTHER):
        return None
    if _HTML.match(begins):
        return "html"
    if begins.startswith("<"):
        says_html = declared.strip().lower().startswith(("text/html", "application/xhtml+xml"))
        is_xml = begins.startswith(("<?xml", "<!doctype"))
        return "html" if _XHTML.search(begins) or (says_html and not is_xml) else None
    return "text"


def encoding_by_mark(start: bytes) -> str:
    """The encoding by the byte order mark at the beginning; empty where there is none."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), "")
