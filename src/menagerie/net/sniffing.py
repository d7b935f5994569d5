"""What a page is, by its first bytes: what its server says of it is heard only where both could be right. Pure.

After the WHATWG's MIME Sniffing Standard, cut down to what is read here, and with the feeds that it leaves out.
"""

from __future__ import annotations

import codecs
import re
from typing import Final, Literal

ENOUGH: Final = 4096
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
_OTHER: Final = ("%!ps", "{\\rtf", "gif8", "rar!")
_PDF: Final = b"%PDF-"
_ZIP: Final = b"PK\x03\x04"
_HTML: Final = re.compile(
    r"<(?:!doctype html|html|head|body|title|meta|link|script|style|iframe|h[1-6]|div|p|br|a|b|font|table|main|article"
    r"|section|header|nav)[\s/>]"
)
_PROLOG: Final = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->|<!doctype[^>\[]*(?:\[.*?\]\s*)?>", re.DOTALL)
_ROOT: Final = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)[\s/>]")
_FEEDS: Final = frozenset({"rss", "feed"})
_XML: Final = frozenset({"urlset", "sitemapindex", "opml", "svg"})
_JSON: Final = re.compile(r"\{\s*[\"}]|\[\s*[\[{\"\]\d-]")
_SURELY_JSON: Final = re.compile(r"\{\s*\"[^\"\n]*\"\s*:|\[\s*\{\s*\"[^\"\n]*\"\s*:")


def sniff(start: bytes, declared: str) -> PageKind | None:
    """What a body that begins with `start` is; None for what is not read. `declared` is its `Content-Type`."""
    start = start[:ENOUGH]
    if start.lstrip(b"\t\n\f\r ").startswith(_PDF):
        return "pdf"
    if start.startswith(_ZIP):
        return "zip"
    encoding = encoding_by_mark(start)
    text = start.decode(encoding or "latin-1", "replace")
    begins = text.lstrip("\ufeff\t\n\f\r ").lower()
    if _BINARY.search(text) or begins.startswith(_OTHER):
        return None
    said = declared.partition(";")[0].strip().lower()
    if begins.startswith("<"):
        return _marked_up(begins, said)
    says_json = said == "application/json" or said.endswith("+json")
    return "json" if (_JSON if says_json else _SURELY_JSON).match(begins) else "text"


def encoding_by_mark(start: bytes) -> str:
    """The encoding by the byte order mark at the beginning; empty where there is none."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), "")


def _marked_up(begins: str, said: str) -> PageKind:
    """What begins with `<`, by its root element: a server calls feeds HTML, and pages XML, more often than not."""
    if _HTML.match(begins):
        return "html"
    place = 0
    while skipped := _PROLOG.match(begins, place):
        place = skipped.end()
    found = _ROOT.match(begins, place)
    root = found[1] if found else ""
    if root in _FEEDS or (root == "rdf" and "purl.org/" in begins):
        return "feed"
    if root in _XML:
        return "xml"
    says_html = said in {"text/html", "application/xhtml+xml"}
    is_xml = begins.startswith(("<?xml", "<!doctype"))
    if (
        root == "html"
        or _HTML.match(begins, place)
        or (says_html and not is_xml)
        or begins.startswith("<!--")
    ):
        return "html"
    return "xml"
