"""A feed, read by a program in a process of its own (`workers/feed`)."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.languages import parse_language
from menagerie.grounding.analysis import language_of_text
from menagerie.grounding.feeds.feed import Entry, Feed
from menagerie.grounding.programs import end, start
from menagerie.net.page import Page

log = structlog.get_logger("menagerie.grounding")

SECONDS: Final = 15.0
ENTRIES: Final = 100
"""Entries of a feed that are kept: the newest."""

_KEPT: Final = 64
_PROGRAMS: Final = 2
"""Programs at a time."""
_PROGRAM: Final = "feed.py"


class _Entry(msgspec.Struct):
    title: str
    link: str
    summary: str
    published: float | None


class _Answer(msgspec.Struct):
    title: str
    language: str
    entries: list[_Entry]


class FeedReader:
    """Reads feeds, and knows the last ones by what was in them, so that the same bytes are parsed once."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Feed] = OrderedDict()
        self._programs = asyncio.Semaphore(_PROGRAMS)

    async def read(self, page: Page) -> Feed:
        """The feed at `page`. Raises as `read_feed` does."""
        sign = hashlib.sha256(f"{page.address}\n{page.charset}\n".encode() + page.body).digest()
        async with self._programs:
            known = self._known.get(sign)
            if known is None:
                known = self._known[sign] = await read_feed(page)
        self._known.move_to_end(sign)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return msgspec.structs.replace(known, read=page.fetched)


async def read_feed(page: Page, seconds: float = SECONDS) -> Feed:
    """The feed at `page`, RSS or Atom.

    Raises `source.unreadable` where it is none, where it declares entities, or where it is not read within `seconds`
    and the memory that the program may use.
    """
    order = msgspec.json.encode({"address": page.address, "charset": page.charset, "most": ENTRIES}) + b"\n"
    answer = await _answer(order + page.body, seconds)
    entries = tuple(
        Entry(
            one.title,
            one.link,
            one.summary,
            None if one.published is None else datetime.fromtimestamp(one.published, UTC),
        )
        for one in answer.entries
    )
    said = " ".join(f"{one.title} {one.summary}" for one in entries[:20])
    return Feed(
        title=answer.title,
        address=page.address,
        language=parse_language(answer.language) or language_of_text(said) or "",
        entries=entries,
        read=page.fetched,
    )


async def _answer(given: bytes, seconds: float) -> _Answer:
    process = await start(_PROGRAM)
    try:
        async with asyncio.timeout(seconds):
            answer, _ = await process.communicate(given)
        return msgspec.json.decode(answer, type=_Answer)
    except (TimeoutError, msgspec.DecodeError, ConnectionError) as failure:
        log.info("feed.unreadable", status=process.returncode, failure=type(failure).__name__)
        raise MenagerieError(ErrorCode.SOURCE_UNREADABLE) from failure
    finally:
        await end(process)
