"""The program that reads a feed (RSS 0.9x, 1.0 and 2.0, Atom): the parser meets the bytes of strangers here, where it
can be ended, and not in the service. The parser gets bytes only, never an address that it could ask for something.

It reads one line of JSON (`address`, `charset`, `most` entries) and the feed from stdin, writes one object of JSON to
stdout, and ends: `title`, `language`, and `entries`, newest first, each with `title`, `link`, `summary` (plain text)
and `published` (seconds since 1970, UTC; null where it has no date that can be). What is no feed, and what declares
entities, ends it with status 1.
"""

from __future__ import annotations

import calendar
import codecs
import ctypes
import io
import json
import logging
import re
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_PR_SET_PDEATHSIG: Final = 1
_CPU_SECONDS: Final = 10
_MEMORY: Final = 1 << 30

_LONGEST_TITLE: Final = 300
_LONGEST_SUMMARY: Final = 2000
_LONGEST_MARKUP: Final = 60_000
"""Characters of a summary's markup that are looked at."""
_LONGEST_HEAD: Final = 65_536
"""Characters before and with the root."""
_LONGEST_LINK: Final = 2000
_OLDEST: Final = calendar.timegm((1990, 1, 1, 0, 0, 0))
_AHEAD: Final = 24 * 3600.0
"""Seconds by which the clocks of others may be ahead of ours; a date beyond is no date."""

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE: Final = (
    (b"<\0?\0", "utf-16-le"),
    (b"\0<\0?", "utf-16-be"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
)
"""How XML in a wide encoding begins without a mark (XML 1.0, appendix F)."""
_DECLARED: Final = re.compile(
    rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']", re.IGNORECASE
)
_ROOT: Final = re.compile(r"<(?:[\w.-]+:)?(rss|rdf|feed)(?=[\s>/])", re.IGNORECASE)
_ELEMENT: Final = re.compile(r"<[^\W\d]")
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_DOCTYPE: Final = re.compile(r"<!doctype[^>\[]*>", re.IGNORECASE)
_MARKUP: Final = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:[a-zA-Z]\w{1,30}|#\d{1,7});")
_BLOCKS: Final = re.compile(
    r"address|article|aside|blockquote|br|dd|div|dl|dt|figcaption|figure|footer|h[1-6r]|header|li|ol|p|pre|section|table"
    r"|td|th|tr|ul"
)
_UNREAD: Final = frozenset({"script", "style", "template", "noscript", "iframe", "object", "svg", "math"})


class NotAFeed(Exception):  # noqa: N818 - says what it is
    """What is there is no feed, or one that nobody needs to read."""


def main() -> None:
    """Answer the one order."""
    _limit()
    logging.disable(logging.CRITICAL)
    order = json.loads(sys.stdin.buffer.readline())
    body = sys.stdin.buffer.read()
    try:
        answer = read(body, order["charset"], order["address"], order["most"], time.time())
    except NotAFeed:
        sys.exit(1)
    sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))


def read(body: bytes, charset: str, address: str, most: int, now: float) -> dict[str, Any]:
    """The feed in `body`, which came from `address` at `now` (seconds since 1970). Raises `NotAFeed`."""
    import feedparser

    found = feedparser.parse(
        io.BytesIO(checked(decoded(body, charset)).encode("utf-8", "replace")),
        response_headers={
            "content-type": "application/xml; charset=utf-8",
            "content-location": address,
        },
        sanitize_html=False,  # what is kept of it is plain text
        resolve_relative_uris=False,  # of its markup; links are resolved all the same
    )
    if not found.get("version"):
        raise NotAFeed
    dated = [(_published(entry, now), entry) for entry in found.entries]
    dated.sort(key=lambda one: -(one[0] or 0))
    entries = (_entry(entry, published) for published, entry in dated)
    return {
        "title": _line(_plain(found.feed, "title")),
        "language": str(found.feed.get("language") or "")[:20],
        "entries": list(islice(_distinct(entries), most)),
    }


def decoded(body: bytes, charset: str) -> str:
    """The text of the bytes: by byte order mark, by what the server says, by what the declaration says, as UTF-8, as
    Windows-1252; the first that fits without an error."""
    for start, name in (*_MARKS, *_WIDE):
        if body.startswith(start):
            return body.decode(name, "replace").lstrip("\ufeff")
    declared = _DECLARED.match(body[:400])
    for name in (charset, declared[1].decode() if declared else "", "utf-8"):
        text = _strictly(body, name)
        if text is not None:
            return text
    return body.decode("cp1252", "replace")


def checked(text: str) -> str:
    """`text` with a declaration of its encoding as UTF-8 and without a document type, as it may be given to a parser.

    Raises `NotAFeed` where its root is not that of a feed, and where its document type declares anything: entities
    that grow, or that are elsewhere.
    """
    head = _COMMENT.sub(lambda found: " " * len(found[0]), text[:_LONGEST_HEAD])
    start = _ELEMENT.search(head)
    if start is None or not _ROOT.match(text, start.start()):
        raise NotAFeed
    if "<!" in _DOCTYPE.sub("", head[: start.start()]):
        raise NotAFeed
    return '<?xml version="1.0" encoding="utf-8"?>\n' + text[start.start() :]


def _published(entry: Any, now: float) -> float | None:
    """When an entry was published, else when it was changed, in seconds since 1970."""
    return _moment(entry.get("published_parsed"), now) or _moment(entry.get("updated_parsed"), now)


def _entry(entry: Any, published: float | None) -> dict[str, Any]:
    links = (entry.get("link"), *(one.get("href") for one in entry.get("links", ())[:20]))
    title = _line(_plain(entry, "title"))
    summary = _plain(entry, "summary")
    for content in entry.get("content", ())[:5]:
        if summary:
            break
        summary = _text(str(content.get("value") or ""), str(content.get("type") or ""))
    return {
        "id": str(entry.get("id") or "")[:_LONGEST_LINK],
        "title": title,
        "link": next((found for one in links if (found := _link(one))), ""),
        "summary": _cut(summary, _LONGEST_SUMMARY) if summary != title else "",
        "published": published,
    }


def _distinct(entries: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Without those that come again, by their identity or by what they say, and those that say nothing. Pages of
    forecasts have one link and many entries, so that a link alone tells nothing."""
    known: set[tuple[str, ...]] = set()
    for entry in entries:
        identity = entry.pop("id")
        if not entry["title"] and not entry["summary"]:
            continue
        keys: set[tuple[str, ...]] = {
            ("said", entry["link"], entry["title"], "" if entry["title"] else entry["summary"])
        }
        if identity and identity != entry["link"]:
            keys.add(("id", identity))
        if not keys & known:
            yield entry
        known |= keys


def _plain(holder: Any, name: str) -> str:
    detail = holder.get(f"{name}_detail") or {}
    return _text(str(holder.get(name) or ""), str(detail.get("type") or ""))


def _text(value: str, kind: str) -> str:
    """Plain text of what a feed says, which is markup where it says so, and where it looks so: many escape twice."""
    value = value[:_LONGEST_MARKUP]
    for is_markup in ("html" in kind.lower(), False):
        if is_markup or _MARKUP.search(value):
            value = _stripped(value)
    return _clean(value)


def _stripped(markup: str) -> str:
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return "".join(reader.said)


class _Reader(HTMLParser):
    """What a person would read of some HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNREAD:
            self._unread += 1
        elif _BLOCKS.fullmatch(tag):
            self.said.append("\n")
        elif tag == "img":
            self.said.append(next((f" {value} " for name, value in attrs if name == "alt" and value), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _UNREAD:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNREAD:
            self._unread = max(0, self._unread - 1)
        elif _BLOCKS.fullmatch(tag):
            self.said.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self.said.append(data)


def _link(value: object) -> str:
    """An http(s) address without a user's name; empty for everything else."""
    link = str(value or "").strip()
    if not link or len(link) > _LONGEST_LINK or not link.isprintable() or " " in link:
        return ""
    try:
        parts = urlsplit(link)
        named = bool(parts.hostname) and parts.username is None
    except ValueError:
        return ""
    return link if parts.scheme in {"http", "https"} and named else ""


def _moment(value: Any, now: float) -> float | None:
    """Seconds since 1970 of a broken-down time in UTC, where it can be true."""
    try:
        moment = float(calendar.timegm(value))
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return moment if _OLDEST <= moment <= now + _AHEAD else None


def _clean(text: str) -> str:
    """In lines without what no person reads: control and invisible characters, runs of blanks."""
    visible = (one if one == "\n" or one.isprintable() else " " if one.isspace() else "" for one in text)
    lines = (" ".join(line.split()) for line in "".join(visible).split("\n"))
    return "\n".join(line for line in lines if line)


def _line(text: str) -> str:
    return _cut(" ".join(text.split()), _LONGEST_TITLE)


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    end = text.rfind(" ", longest // 2, longest)
    return text[: end if end > 0 else longest].rstrip() + "…"


def _strictly(body: bytes, name: str) -> str | None:
    try:
        codec = codecs.lookup(name).name
        return body.decode({"ascii": "cp1252", "iso8859-1": "cp1252"}.get(codec, codec))
    except (LookupError, ValueError):
        return None


def _limit() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
