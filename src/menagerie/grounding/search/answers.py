"""Answers of search services, in JSON that may be anything at all: what is as it should be is taken, and no more."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError

LONGEST_TITLE: Final = 200
LONGEST_SUMMARY: Final = 500
OURS: Final = frozenset({ErrorCode.QUEUE_FULL, ErrorCode.SOURCE_OFF})
"""Failures that say nothing of who was asked: the caller is to hear of them, and nobody else is asked instead."""
MOST_RESULTS: Final = 50
"""Results of one answer that are looked at."""

_LARGE: Final = 200_000
"""Bytes of an answer that is decoded in a thread."""
_TAG: Final = re.compile(r"</?[a-zA-Z!?][^<>]{0,300}>")
_WOULD_BE_TAG: Final = re.compile(r"<(?=[a-zA-Z/!?])")
_NO_CHARACTER: Final = re.compile(r"&#(?:[0-9]{9}|[xX][0-9a-fA-F]{9})[0-9a-fA-F]*;?")
"""References by numbers that no character has; the longest of them Python refuses to read."""
_BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")

T = TypeVar("T")


async def decoded(body: bytes, kind: type[T]) -> T:
    """The answer, decoded beside the loop where it is large. Raises `search.failed` where it is not of this kind."""
    if len(body) > _LARGE:
        return await asyncio.to_thread(_decoded, body, kind)
    return _decoded(body, kind)


def each(results: Iterable[msgspec.Raw], kind: type[T], most: int = MOST_RESULTS) -> Iterator[T]:
    """Those results that are of this kind."""
    for number, raw in enumerate(results):
        if number >= most:
            return
        try:
            yield msgspec.json.decode(raw, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as failure:
        raise MenagerieError(ErrorCode.SEARCH_FAILED) from failure


def plain(text: str, longest: int) -> str:
    """On one line, without tags and what no person reads, at most so many characters and an ellipsis. Nothing in it
    can be taken for a tag, however often or in what pieces it was written."""
    text = html.unescape(_NO_CHARACTER.sub("", text[: 20 * longest]))
    line = _BLANK.sub(" ", text)
    line = "".join(one for one in line if one.isprintable())
    line = _WOULD_BE_TAG.sub("< ", _TAG.sub("", line))
    line = _BLANK.sub(" ", line).strip()
    return line if len(line) <= longest else line[:longest].rsplit(" ", 1)[0].rstrip() + "…"


def moment(written: str | None) -> datetime | None:
    """A time in ISO 8601, aware; None where it is none."""
    try:
        when = datetime.fromisoformat((written or "")[:40])
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
