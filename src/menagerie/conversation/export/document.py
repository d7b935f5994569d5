"""One branch of a conversation, in words: what every export on paper has, whatever its format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Final, get_args

import msgspec

from menagerie import __version__
from menagerie.conversation.export.account import Fact, facts_of, moment_of
from menagerie.conversation.prompt import spoken_time
from menagerie.core.errors import remembered
from menagerie.core.languages import parse_language
from menagerie.core.numbers import number_text
from menagerie.core.provenance import Provenance, SourceFacts
from menagerie.grounding.given import GivenKind
from menagerie.grounding.telling import heading_below
from menagerie.locales import Language, text
from menagerie.store.conversations import Summary, ToldTurn

_GIVEN: Final = frozenset(get_args(GivenKind))
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What neither XML nor a reader of text can take; tabs and line ends are let through."""


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """What is exported: a conversation, the turns of one branch from its beginning, and how to speak of them. `at` is
    the moment of the export."""

    about: Summary
    turns: tuple[ToldTurn, ...]
    persona: str
    """The title of the persona, in `language`."""
    language: Language
    zone: tzinfo
    at: datetime


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an answer rests on. `details` are short texts: where in the source, in which language, when read;
    `address` is as it was given, and may be none of the web."""

    number: int
    called: str
    details: tuple[str, ...]
    address: str
    passage: str


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A question and its answer. `note` tells how the answer ended, where not as it should; `answer_language` is empty
    where it is not known."""

    heading: str
    asked: str
    question: str
    question_language: str
    answer: str
    answer_language: str
    note: str
    facts: tuple[Fact, ...]
    sources: tuple[Source, ...]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation on paper, with all its words in one language but for what was said."""

    language: Language
    title: str
    facts: tuple[Fact, ...]
    exchanges: tuple[Exchange, ...]

    def word(self, key: str) -> str:
        """A text of the catalogue's `export.…`, in the language of the document."""
        return text(f"export.{key}", self.language)


def document_of(branch: Branch) -> Document:
    """The document of a branch."""
    about, language, zone = branch.about, branch.language, branch.zone
    named = clean(about.title) or text("export.title", language, persona=branch.persona)
    facts = (
        ("number", about.id),
        ("persona", branch.persona),
        ("begun", spoken_time(about.started.astimezone(zone), language)),
        ("exported", spoken_time(branch.at.astimezone(zone), language)),
        ("service", f"menagerie {__version__}"),
    )
    return Document(
        language=language,
        title=" ".join(named.split()),
        facts=tuple(Fact(text(f"export.{name}", language), clean(value)) for name, value in facts),
        exchanges=tuple(_exchanges(branch.turns, language, zone)),
    )


def provenance_of(turn: ToldTurn) -> Provenance | None:
    """The account of an answer; None where none was kept that could be read."""
    if not turn.provenance:
        return None
    try:
        return msgspec.json.decode(turn.provenance, type=Provenance)
    except msgspec.MsgspecError:
        return None


def clean(words: str) -> str:
    """Text without control characters, its lines ended in one way."""
    return _CONTROLS.sub("", words.replace("\r\n", "\n").replace("\r", "\n"))


def _exchanges(turns: Sequence[ToldTurn], language: Language, zone: tzinfo) -> Iterator[Exchange]:
    for number, turn in enumerate(turns, 1):
        account = provenance_of(turn)
        answered = account if turn.answer else None
        yield Exchange(
            heading=text("export.question", language, number=number),
            asked=text(
                "export.asked", language, when=spoken_time(turn.accepted_at.astimezone(zone), language)
            ),
            question=clean(turn.prompt),
            question_language=turn.language,
            answer=clean(turn.answer),
            answer_language=parse_language(account.answer_language if account else "") or "",
            note=clean(_note(turn, language)),
            facts=tuple(Fact(one.name, clean(one.value)) for one in facts_of(answered, language, zone)),
            sources=tuple(_source(one, language, zone) for one in (answered.sources if answered else ())),
        )


def _note(turn: ToldTurn, language: Language) -> str:
    if turn.outcome == "accepted":
        return text("export.running", language)
    if turn.outcome == "done":
        return ""
    if turn.answer:
        return text("export.partial", language)
    return remembered(turn.code, language) or text("failure.remembered", language)


def _source(source: SourceFacts, language: Language, zone: tzinfo) -> Source:
    title = source.title or text("export.pasted" if source.kind in _GIVEN else "export.untitled", language)
    below = heading_below(source.title, source.heading)
    spoken = parse_language(source.language)
    size = number_text(source.characters, language) if source.kind in _GIVEN else ""
    details = (
        text("export.characters", language, count=size) if size else "",
        text("export.page", language, page=source.page) if source.page else "",
        text(f"export.in_{spoken}", language) if spoken and spoken != language else "",
        text("export.read", language, when=moment_of(source.read, language, zone)) if source.read else "",
    )
    return Source(
        number=source.number,
        called=" ".join(clean(", ".join(part for part in (title, below) if part)).split()),
        details=tuple(filter(None, map(clean, details))),
        address=" ".join(clean(source.address).split()),
        passage=clean(source.passage),
    )
