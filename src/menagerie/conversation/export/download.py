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
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """A file. Its name is safe on every system: ASCII letters, digits, `.`, `-` and `_`."""

    name: str
    media_type: str
    content: bytes


def download(branch: Branch, form: Format) -> Download:
    """The file of a branch. Not for the event loop: a second may go by."""
    return Download(name=file_name(branch, form), media_type=MEDIA[form], content=_content(branch, form))


def file_name(branch: Branch, form: Format) -> str:
    """Such as `beaver-2026-11-26.md`: with whom, and when the conversation was begun."""
    plain = unicodedata.normalize("NFKD", branch.about.persona).encode("ascii", "ignore").decode()
    persona = _UNSAFE.sub("-", plain).strip("-") or "menagerie"
    return f"{persona}-{branch.about.started.astimezone(branch.zone):%Y-%m-%d}.{form}"


def _content(branch: Branch, form: Format) -> bytes:
    match form:
        case "md":
            return markdown(document_of(branch)).encode()
        case "json":
            return data(branch)
        case "docx":
            return word(document_of(branch), branch.at)
