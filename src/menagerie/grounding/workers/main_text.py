"""The program that finds the text of a page: native parsers and slow heuristics meet the bytes of strangers here,
where they can be ended, and not in the service.

It reads one line of JSON (`kind`, `charset`, `most` characters) and the page from stdin, writes one object of JSON
(`title`, `text`, `characters`: how long the text was before it was cut) to stdout, and ends.
"""

from __future__ import annotations

import codecs
import ctypes
import json
import logging
import re
import signal
import sys
from typing import Any, Final

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_PR_SET_PDEATHSIG: Final = 1
_CPU_SECONDS: Final = 10
_MEMORY: Final = 1 << 30
_LONGEST_TITLE: Final = 300
_TOO_SHORT: Final = 200
"""Characters below which a main text is rather a miss: then the text of the whole page counts."""
_LARGE_TREE: Final = 20_000
"""Elements beyond which only the fast heuristics are used; the others take minutes for some pages of that size."""
_HUGE_TREE: Final = 100_000
"""Elements beyond which none are."""
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


def main() -> None:
    """Answer the one order."""
    _limit()
    logging.disable(logging.CRITICAL)
    order = json.loads(sys.stdin.buffer.readline())
    body = sys.stdin.buffer.read()
    is_html = order["kind"] == "html"
    page = decoded(body, order["charset"], is_html=is_html)
    title, text = of_html(page) if is_html else ("", page)
    text = _clean(text)
    answer = {"title": _line(title), "text": text[: order["most"]], "characters": len(text)}
    sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))


def decoded(body: bytes, charset: str, *, is_html: bool) -> str:
    """The text of the bytes: by byte order mark, by what the server says, by what the page says, as UTF-8, by their
    look; the first that fits without an error."""
    mark = next((name for start, name in _MARKS if body.startswith(start)), "")
    if mark:
        return body.decode(mark, "replace")
    meta = _META.search(body[:4096]) if is_html else None
    said = [name for name in (charset, meta[1].decode() if meta else "") if name]
    for name in [*said, "utf-8"]:
        text = _strictly(body, name)
        if text is not None:
            return text
    return body.decode(_guessed(body[:_GUESSED_FROM]), "replace")


def of_html(page: str) -> tuple[str, str]:
    """Title and main text; the text of the whole page where there is no main one."""
    import trafilatura

    tree: Any = trafilatura.load_html(page)
    if tree is None:
        return "", ""
    title = tree.findtext(".//title") or tree.findtext(".//h1") or ""
    whole = trafilatura.html2txt(tree) or trafilatura.html2txt(tree, clean=False)
    elements = sum(1 for _ in tree.iter())
    if elements > _HUGE_TREE:
        return title, whole
    fast = elements > _LARGE_TREE
    found: Any = trafilatura.bare_extraction(tree, fast=fast, include_comments=False, with_metadata=False)
    main_text = (found.text or "") if found else ""
    return title, main_text if len(main_text) >= min(_TOO_SHORT, len(whole)) else whole


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


def _clean(text: str) -> str:
    """Without what no person reads: control characters, halves of pairs, more than one empty line."""
    text = "".join(one for one in text.replace("\r\n", "\n") if one in "\n\t" or one.isprintable())
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _line(title: str) -> str:
    line = _clean(" ".join(title.split()))
    return line if len(line) <= _LONGEST_TITLE else line[:_LONGEST_TITLE] + "…"


def _limit() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
