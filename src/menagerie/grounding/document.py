"""What a source gives: documents, and the passages of them that an answer may rest on."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Part(msgspec.Struct, frozen=True):
    """A piece of a document under one heading, or on one page (from 1; 0 where there are none)."""

    text: str
    heading: tuple[str, ...] = ()
    """The headings above it, outermost first."""
    page: int = 0


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a page, a file or a feed, in order. `language` is `en`, `fr`, or empty where it is not clear."""

    title: str = ""
    address: str = ""
    parts: tuple[Part, ...] = ()
    language: str = ""
    pages: int = 0
    """How many it has, of a document that has pages."""
    pages_without_text: int = 0
    """Pages that are pictures only: scanned."""
    characters: int = 0
    """How long it was before it was cut; 0 where it was not."""
    read: datetime | None = None
    """When it was fetched or last changed, aware."""

    @property
    def text(self) -> str:
        """All of it."""
        return "\n\n".join(part.text for part in self.parts)


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A passage of a document, short enough to be quoted and to be embedded, and where it stands."""

    kind: str
    """What kind of source it comes from: `page`, `feed`, `site`, `wiki`, `facts`, `document`, `context` …"""
    text: str
    title: str = ""
    address: str = ""
    heading: str = ""
    """The headings above it, outermost first, joined by ` › `."""
    page: int = 0
    language: str = ""
    read: datetime | None = None
    score: float = 0.0
    """How well it answers a question, where it was ranked by one: from 0, not at all, to 1."""
