"""What a document is, by its content; its name decides only between kinds of text."""

from __future__ import annotations

import re
from typing import Final, Literal

from menagerie.grounding.workers.formats.archive import Archive
from menagerie.grounding.workers.formats.encoding import marked
from menagerie.grounding.workers.formats.outline import UnreadableError

Kind = Literal["pdf", "word", "slides", "sheets", "opendocument", "mail", "html", "markdown", "csv", "plain"]

ENOUGH: Final = 4096
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_OLE: Final = "EncryptedPackage".encode("utf-16-le")
_PDF: Final = re.compile(rb"%PDF-\d")
_OTHERS: Final = (
    b"{\\rtf",
    b"%!PS",
    b"\x1f\x8b",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\x7fELF",
    b"GIF8",
    b"BM\xf6",
    b"\x89PNG",
    b"\xff\xd8\xff",
)
_OFFICE: Final[tuple[tuple[str, Kind], ...]] = (
    ("word/", "word"),
    ("ppt/", "slides"),
    ("xl/", "sheets"),
)
_ODF: Final = b"application/vnd.oasis.opendocument."
_ODF_KINDS: Final = (b"text", b"spreadsheet", b"presentation")
_NAMED: Final[dict[str, Kind]] = {
    "md": "markdown",
    "markdown": "markdown",
    "csv": "csv",
    "tsv": "csv",
    "tab": "csv",
    "eml": "mail",
    "htm": "html",
    "html": "html",
    "xhtml": "html",
}
_HTML: Final = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|main|article)[\s/>]",
    re.IGNORECASE | re.DOTALL,
)
_HEADER: Final = re.compile(rb"^([A-Za-z][A-Za-z0-9-]{1,60}):[ \t]?\S", re.MULTILINE)
_OF_MAIL: Final = frozenset(
    {b"from", b"to", b"subject", b"date", b"received", b"mime-version", b"message-id", b"return-path"}
)
_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_TOLERATED: Final = 0.02
"""Share of control characters that text may have."""


def kind_of(body: bytes, said: str, name: str) -> Kind:
    """What `body` is. `said` is what whoever fetched it has found already: `html`, `text`, `pdf` …, or empty. Raises
    `unsupported`, and `encrypted` for what tells already that it is."""
    start = body[:ENOUGH]
    if _PDF.search(start[:1024]):
        return "pdf"
    if start.startswith(b"PK\x03\x04"):
        return _of_archive(body)
    if start.startswith(_OLE):
        raise UnreadableError("encrypted" if _ENCRYPTED_OLE in body[: 1 << 22] else "unsupported")
    if start.startswith(_OTHERS) or (
        not marked(body) and len(_BINARY.findall(start)) > _TOLERATED * len(start)
    ):
        raise UnreadableError("unsupported")
    if said == "html":
        return "html"
    return _of_text(start, said, name)


def _of_text(start: bytes, said: str, name: str) -> Kind:
    plain = start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")
    named = _NAMED.get(name.rpartition(".")[2].lower() if "." in name else "")
    if said in {"json", "text"}:
        return named if named in {"markdown", "csv"} else "plain"
    if _HTML.match(plain) or (named == "html" and plain.lstrip().startswith(b"<")):
        return "html"
    if _is_mail(plain) and named in {None, "mail"}:
        return "mail"
    return named if named in {"markdown", "csv"} else "plain"


def _is_mail(start: bytes) -> bool:
    """Whether it begins with the headers of an e-mail."""
    head = start.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    first = head.partition(b"\n")[0]
    if not _HEADER.match(first) and not first.startswith(b"From "):
        return False
    return len({name.lower() for name in _HEADER.findall(head)} & _OF_MAIL) >= 2


def _of_archive(body: bytes) -> Kind:
    archive = Archive(body)
    mimetype = archive.read("mimetype")[:200].strip()
    if mimetype.startswith(_ODF):
        if b"encryption-data" in archive.read("META-INF/manifest.xml") or archive.is_locked:
            raise UnreadableError("encrypted")
        if mimetype.removeprefix(_ODF).startswith(_ODF_KINDS):
            return "opendocument"
        raise UnreadableError("unsupported")
    if "[Content_Types].xml" in archive.names:
        for folder, kind in _OFFICE:
            if any(one.startswith(folder) for one in archive.names):
                return kind
    raise UnreadableError("encrypted" if archive.is_locked else "unsupported")
