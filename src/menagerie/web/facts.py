"""Collections of facts as JSON: what is told of them, and what requests about them may say."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.document import Passage
from menagerie.grounding.facts.access import MOST_READERS, reader_of
from menagerie.grounding.facts.search import Found
from menagerie.grounding.facts.service import LONGEST_TITLE, Summary
from menagerie.locales import Language
from menagerie.store.facts.documents import DocumentRecord
from menagerie.web.errors import InvalidRequestError

MOST_FOUND: Final = 50
LONGEST_QUESTION: Final = 10_000
LONGEST_ADDRESS: Final = 2048

Title = Annotated[str, msgspec.Meta(max_length=LONGEST_TITLE)]
Readers = Annotated[list[str], msgspec.Meta(max_length=MOST_READERS)]


class NewCollection(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /facts`."""

    name: str
    title: Title = ""
    readers: Readers = []


class ChangedCollection(msgspec.Struct, forbid_unknown_fields=True):
    """`PATCH /facts/{name}`: what is not given stays."""

    title: Title | None = None
    readers: Readers | None = None


class NewAddress(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /facts/{name}/documents` without a file."""

    address: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ADDRESS)]


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /facts/{name}/search`."""

    question: Annotated[str, msgspec.Meta(max_length=LONGEST_QUESTION)]
    most: Annotated[int, msgspec.Meta(ge=1, le=MOST_FOUND)] = 8


def readers_of(words: list[str]) -> tuple[str, ...]:
    """The readers that a request names, each in its one spelling. Raises `request.invalid` for what names none."""
    readers = tuple(dict.fromkeys(map(reader_of, words)))
    if "" in readers:
        raise InvalidRequestError("readers_wrong", field="readers")
    return readers


def web_address(address: str) -> str:
    """An address of the web. Raises `request.invalid` for anything else; where it leads is judged when it is read."""
    if not address.lower().startswith(("http://", "https://")) or not address.isprintable() or " " in address:
        raise InvalidRequestError("field_wrong", field="address")
    return address


def collection_object(summary: Summary) -> dict[str, Any]:
    """A collection; who reads it is told to those who decide that."""
    kept = summary.collection
    told: dict[str, Any] = {
        "name": kept.name,
        "title": kept.title,
        "may_change": summary.may_change,
        "documents": summary.documents,
        "failed": summary.failed,
        "passages": summary.passages,
        "embedded": summary.embedded,
        "created_at": _moment(kept.created_at),
    }
    if summary.may_change:
        told["readers"] = list(kept.readers)
    return told


def document_object(record: DocumentRecord, language: Language) -> dict[str, Any]:
    """A document. Where a file of the machine lies is nobody's business."""
    return {
        "id": record.id,
        "kind": record.kind,
        "name": record.name,
        "title": record.title,
        "address": record.address,
        "language": record.language,
        "pages": record.pages,
        "size": record.size,
        "state": record.state,
        "error": _error(record, language),
        "passages": record.passages,
        "embedded": record.embedded,
        "added_at": _moment(record.added_at),
        "read_at": _moment(record.read_at),
    }


def found_object(found: Found) -> dict[str, Any]:
    """A passage, and where it stands."""
    passage: Passage = found.passage
    return {
        "text": passage.text,
        "score": round(passage.score, 4),
        "title": passage.title,
        "address": passage.address,
        "heading": passage.heading,
        "page": passage.page,
        "language": passage.language,
        "read_at": _moment(passage.read),
        "document": found.document,
    }


def failure_of(record: DocumentRecord) -> MenagerieError:
    """Why a document could not be read."""
    try:
        code = ErrorCode(record.code)
    except ValueError:
        code = ErrorCode.INTERNAL
    failure = MenagerieError(code)
    failure.values = dict(record.values)
    return failure


def _error(record: DocumentRecord, language: Language) -> dict[str, str] | None:
    if record.state != "failed":
        return None
    return {"code": record.code, "message": failure_of(record).message(language)}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
