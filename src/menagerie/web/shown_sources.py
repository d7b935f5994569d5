"""What an answer rests on, as a page shows it."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final, get_args
from urllib.parse import urlsplit

import msgspec

from menagerie.conversation.prompt import spoken_time
from menagerie.core.provenance import SourceFacts
from menagerie.grounding.chunking import JOINER
from menagerie.grounding.given import GivenKind
from menagerie.locales import Language

_GIVEN: Final = frozenset(get_args(GivenKind))


class ShownSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source in the list below an answer. `link` is its address where a page may lead there; `is_given` says that
    the person pasted it."""

    number: int
    is_given: bool
    called: str
    """Its title and the headings above its passage, the title once."""
    page: int
    characters: int
    address: str
    link: str
    language: str
    read: str
    passage: str


def shown_source(source: SourceFacts) -> ShownSource:
    """How a page shows a source."""
    return ShownSource(
        number=source.number,
        is_given=source.kind in _GIVEN,
        called=", ".join(part for part in (source.title, _below(source)) if part),
        page=source.page,
        characters=source.characters,
        address=source.address,
        link=source.address if _is_web(source.address) else "",
        language=source.language,
        read=source.read,
        passage=source.passage,
    )


def moment_text(written: str, language: Language, zone: tzinfo) -> str:
    """A moment in ISO 8601 with its offset, as people of the language write it; as it is where it is none."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return written
    return spoken_time(moment.astimezone(zone), language)


def _below(source: SourceFacts) -> str:
    first, _, rest = source.heading.partition(JOINER)
    return rest if first.casefold() == source.title.casefold() else source.heading


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
