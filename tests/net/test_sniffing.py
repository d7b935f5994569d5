"""What a body is, whatever its server says."""

from __future__ import annotations

import pytest

from menagerie.net.sniffing import ENOUGH, sniff

ATOM = '<feed xmlns="http://www.w3.org/2005/Atom"/>'
RSS_1 = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'


@pytest.mark.parametrize("declared", ["text/html", "text/plain", "application/xml", ""])
@pytest.mark.parametrize(
    ("start", "kind"),
    [
        ('<?xml version="1.0"?><rss version="2.0">', "feed"),
        ("\ufeff\n<rss version='2.0'>", "feed"),
        (f"<?xml version='1.0'?>\n<?xml-stylesheet href='a.xsl'?>\n<!-- made by x -->{ATOM}", "feed"),
        (f"<!-- <html> -->{ATOM}", "feed"),
        ("<atom:feed xmlns:atom='http://www.w3.org/2005/Atom'>", "feed"),
        (RSS_1, "feed"),
        ("<!DOCTYPE rss [<!ENTITY a 'b>'>]><rss>", "feed"),
        ("<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>", "xml"),
        ("<sitemapindex>", "xml"),
        ("<?xml version='1.0'?><rdf:RDF><other/>", "xml"),
        ("<?xml version='1.0'?><anything/>", "xml"),
        ("<!doctype html><rss>", "html"),
        ("<?xml version='1.0'?><!DOCTYPE html PUBLIC 'x'><html>", "html"),
        ("<!-- a comment --><p>text", "html"),
        ("<!-- a comment that does not end", "html"),
        ("<main>x", "html"),
        ("%PDF-1.7\n\x00", "pdf"),
        ("\r\n%PDF-1.4", "pdf"),
        ("PK\x03\x04\x14\x00", "zip"),
        ('{"a": 1}', "json"),
        ('[\n {"a": 1}]', "json"),
        ("[a link](https://example.org)", "text"),
        ("{{ template }}", "text"),
        ("Plain", "text"),
        ("", "text"),
        ("\x89PNG\r\n\x1a\n", None),
        ("Rar!\x1a", None),
        ("{\\rtf1", None),
    ],
)
def test_the_first_bytes_decide(start: str, kind: str | None, declared: str) -> None:
    written = start.encode("latin-1" if start.isascii() or "\x89" in start else "utf-8")
    assert sniff(written, declared) == kind


@pytest.mark.parametrize(
    ("start", "declared", "kind"),
    [
        ("<custom-element>", "text/html; charset=utf-8", "html"),
        ("<custom-element>", "text/plain", "xml"),
        ("[1, 2]", "application/json", "json"),
        ("[1, 2]", "text/plain", "text"),
        ("{}", "application/problem+json", "json"),
        ("{}", "text/plain", "text"),
    ],
)
def test_the_server_is_heard_where_both_could_be_right(start: str, declared: str, kind: str) -> None:
    assert sniff(start.encode(), declared) == kind


def test_a_feed_in_utf_16_is_a_feed() -> None:
    assert sniff(ATOM.encode("utf-16"), "") == "feed"


def test_a_prolog_as_long_as_what_is_looked_at_is_read_quickly() -> None:
    for piece in ("<!--", "<?", "<!doctype [", " ", "<!doctype[" + "]" * 40):
        assert sniff((piece * ENOUGH).encode(), "text/plain") in {"xml", "html", "text"}
