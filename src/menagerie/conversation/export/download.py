"""A branch of a conversation as a file to take along."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

import msgspec

from menagerie.conversation.export.data import data
from menagerie.conversation.export.document import Branch, document_of
from menagerie.conversation.export.markdown import markdown
from menagerie.conversation.export.word import word

Format = Literal["md", "json", "docx"]
MEDIA: Final[dict[Format, str]] = {
    "md": "text/markdown; charset=utf-8",
    "json": "application/json",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
LONGEST_PERSONA: Final = 60
LONGEST_TITLE: Final = 120
"""Bytes of a part of a file's name."""
_LIGATURES: Final = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l"})


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """A file. Its `name` is safe on every system: small ASCII letters, digits, `.` and `-`; `full_name` has letters of
    every script."""

    name: str
    full_name: str
    media_type: str
    content: bytes


def download(branch: Branch, form: Format) -> Download:
    """The file of a branch. Not for the event loop: a second may go by."""
    return Download(
        name=file_name(branch, form),
        full_name=file_name(branch, form, plain=False),
        media_type=MEDIA[form],
        content=_content(branch, form),
    )


def file_name(branch: Branch, form: Format, *, plain: bool = True) -> str:
    """Such as `castor-ecoles-d-ete-2026-11-26.md`: with whom, about what, and when the conversation was begun; with the
    accents where it need not be `plain`."""
    parts = (
        _slug(branch.persona, LONGEST_PERSONA, plain=plain)
        or _slug(branch.about.persona, LONGEST_PERSONA, plain=plain)
        or "menagerie",
        _slug(branch.about.title, LONGEST_TITLE, plain=plain),
        f"{branch.about.started.astimezone(branch.zone):%Y-%m-%d}",
    )
    return f"{'-'.join(filter(None, parts))}.{form}"


def _slug(words: str, most: int, *, plain: bool) -> str:
    """The letters and digits of `words`, with hyphens between them: so many bytes, and where it can be no half word."""
    composed = unicodedata.normalize("NFC", words[: 4 * most]).lower()
    kept = "".join(one if unicodedata.category(one)[0] in "LNM" else "-" for one in composed)
    if plain:
        parted = unicodedata.normalize("NFKD", kept.translate(_LIGATURES))
        kept = "".join(one for one in parted if one.isascii() and (one.isalnum() or one == "-"))
    slug = re.sub("-+", "-", kept).strip("-")
    if len(slug.encode()) <= most:
        return slug
    cut = slug.encode()[: most + 1].decode(errors="ignore")
    whole = cut.rpartition("-")[0]
    return whole if 2 * len(whole) > len(cut) else cut.encode()[:most].decode(errors="ignore").strip("-")


def _content(branch: Branch, form: Format) -> bytes:
    match form:
        case "md":
            return markdown(document_of(branch)).encode()
        case "json":
            return data(branch)
        case "docx":
            return word(document_of(branch), branch.at)
