"""What a feed says, and how it reads as a document."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from itertools import accumulate
from typing import Final

import msgspec

from menagerie.grounding.document import Document, Part

_BETWEEN: Final = "\n\n"
"""What is between the parts of a document's text."""


class Entry(msgspec.Struct, frozen=True):
    """An entry: `summary` is plain text, `link` an http(s) address, each empty where there is none."""

    title: str
    link: str = ""
    summary: str = ""
    published: datetime | None = None
    """Aware, in UTC; None where it says nothing that can be true."""


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed. `entries` are the newest first; those without a date come last, in the feed's order."""

    title: str = ""
    address: str = ""
    """Where it was read."""
    language: str = ""
    """`en`, `fr`, or empty where it is neither or not clear."""
    entries: tuple[Entry, ...] = ()
    read: datetime | None = None
    """When it was fetched, aware."""


def text_of(entry: Entry, zone: tzinfo = UTC, *, link: bool = True) -> str:
    """The date, the summary and the address of an entry, each where it has one, on lines of their own."""
    lines = (
        date_text(entry.published, zone) if entry.published else "",
        entry.summary,
        entry.link if link else "",
    )
    return "\n".join(line for line in lines if line)


def date_text(moment: datetime, zone: tzinfo = UTC) -> str:
    """Day, time and zone, as in `2027-03-31 09:05 EDT` (ISO 8601 with a blank): the same for both languages."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}".rstrip()


def document_of(feed: Feed, most: int, zone: tzinfo = UTC) -> Document:
    """The feed as a document of at most about `most` characters: a part for each entry, under its title; whole
    entries as long as they fit, and never none."""
    texts = [f"{entry.title}\n{text_of(entry, zone)}".strip() for entry in feed.entries]
    ends = list(accumulate(len(text) + len(_BETWEEN) for text in texts))
    fitting = max(1, sum(end - len(_BETWEEN) <= most for end in ends))
    parts = tuple(
        Part(text[:most], heading=(entry.title,) if entry.title else ())
        for entry, text in zip(feed.entries[:fitting], texts, strict=False)
    )
    cut = fitting < len(texts) or (texts and len(texts[0]) > most)
    return Document(
        title=feed.title,
        address=feed.address,
        parts=parts,
        language=feed.language,
        characters=ends[-1] - len(_BETWEEN) if cut else 0,
        read=feed.read,
    )
