"""The text that goes into a persona's first prompt (`agent_rag_source`): a file, or what is at an address.

It is kept in memory and follows what it comes from: a file is read again when it changes, an address is looked at again
every few minutes beside the turns, by the rules of its server. What fails leaves the last good text, or none, and a
line in the log; a turn never fails by it, and waits for an address at most once. What is too long for a prompt becomes
passages, to be looked up in.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog

from menagerie.core.errors import MenagerieError
from menagerie.grounding.analysis import language_of_text
from menagerie.grounding.chunking import passages_of
from menagerie.grounding.document import Document, Part, Passage
from menagerie.grounding.reader import Reader
from menagerie.locales import Language
from menagerie.personas.persona import Persona

log = structlog.get_logger("menagerie.personas")

LONGEST: Final = 2_000_000
"""Characters of a text that are kept."""
FRESH_S: Final = 600.0
"""Seconds after which an address is looked at again …"""
RETRY_S: Final = 60.0
"""… and after which one that failed is."""
WAIT_S: Final = 20.0
"""Seconds that a turn waits for an address, once."""
CHARACTERS_A_TOKEN: Final = 3.5
SHARE: Final = 0.5
"""Of the window that a text may take: the rest is for the conversation."""

_MOST: Final = 256
"""Texts that are kept; the one that was not wanted for longest goes first."""
_PLAIN: Final = frozenset({"", ".txt", ".text", ".md", ".markdown"})

FileReader = Callable[[Path], Awaitable[Document]]


class Stuffing(msgspec.Struct, frozen=True, kw_only=True):
    """What a persona is given to know. Where it is `too_long` to be given whole, `text` is empty and `passages` are
    what the answers are looked up in; else there are none."""

    text: str = ""
    title: str = ""
    address: str = ""
    """Where it was read; empty for a file."""
    language: str = ""
    read: datetime | None = None
    """When it was fetched, or the file last changed, aware."""
    too_long: bool = False
    passages: tuple[Passage, ...] = ()


NOTHING: Final = Stuffing()


class Stuffings:
    """The texts of all personas. One for a service, made in its loop; to be closed.

    `read_file` reads files that are no plain text; without it, every file is read as text.
    """

    def __init__(self, reader: Reader, read_file: FileReader | None = None) -> None:
        self._reader = reader
        self._read_file = read_file
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._clock = time.monotonic

    async def text(self, persona: Persona, language: Language, window: int) -> Stuffing:
        """What `persona` is given to know in `language`, for a window of so many tokens. Raises nothing."""
        where = persona.stuffing(language)
        if where is None:
            return NOTHING
        held = self._held.setdefault(str(where), _Held())
        self._held.move_to_end(str(where))
        self._forget()
        if isinstance(where, Path):
            await self._follow(where, held, persona.name)
        else:
            await self._look(where, held, persona.name)
        if held.document is None:
            return NOTHING
        return await _given(held, held.document, window)

    async def close(self) -> None:
        """Look at nothing any more."""
        looking = [held.looking for held in self._held.values() if held.looking is not None]
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)

    async def _follow(self, file: Path, held: _Held, persona: str) -> None:
        """Read a file where it is another than the one that was tried last."""
        sign = await asyncio.to_thread(_sign, file)
        if held.looking is None and (sign != held.sign or self._due(held, to_see_good=False)):
            held.sign = sign
            self._begin(held, persona, lambda: self._of_file(file), waits=True)
        await self._wait(held)

    async def _look(self, address: str, held: _Held, persona: str) -> None:
        """Look at an address where that is due, beside the turns but for the first time."""
        if held.looking is None and (held.tried is None or self._due(held)):
            share, first = f"persona {persona}", held.tried is None
            self._begin(held, persona, lambda: self._reader.read(address, share, most=LONGEST), waits=first)
        await self._wait(held)

    def _due(self, held: _Held, *, to_see_good: bool = True) -> bool:
        if held.tried is None or (held.good and not to_see_good):
            return False
        return self._clock() - held.tried >= (FRESH_S if held.good else RETRY_S)

    def _begin(
        self, held: _Held, persona: str, read: Callable[[], Awaitable[Document]], *, waits: bool
    ) -> None:
        held.tried, held.late = self._clock(), not waits
        held.looking = asyncio.create_task(self._replace(held, persona, read))

    async def _wait(self, held: _Held) -> None:
        """Wait for what is being read, unless somebody has done so in vain."""
        if held.looking is not None and not held.late:
            done, _ = await asyncio.wait({held.looking}, timeout=WAIT_S)
            held.late = not done

    async def _replace(self, held: _Held, persona: str, read: Callable[[], Awaitable[Document]]) -> None:
        """Put what is read in the place of what was known; a failure leaves it, and is told in the log."""
        held.good = False
        try:
            document = await read()
        except (MenagerieError, OSError) as failure:
            log.warning("persona.stuffing_unreadable", persona=persona, failure=str(failure))
        except Exception:  # a turn never fails by this
            log.exception("persona.stuffing_unreadable", persona=persona)
        else:
            held.good = True
            if document.characters:
                log.warning("persona.stuffing_cut", persona=persona, characters=document.characters)
            held.document, held.passages = document, None
        finally:
            held.looking = None

    async def _of_file(self, file: Path) -> Document:
        changed = datetime.fromtimestamp((await asyncio.to_thread(file.stat)).st_mtime, UTC)
        if self._read_file is None or file.suffix.lower() in _PLAIN:
            document = await asyncio.to_thread(_plain, file)
        else:
            document = await self._read_file(file)
        return msgspec.structs.replace(document, title=document.title or file.name, address="", read=changed)

    def _forget(self) -> None:
        for where in [where for where, held in self._held.items() if held.looking is None][:-1]:
            if len(self._held) <= _MOST:
                break
            del self._held[where]


class _Held:
    """What is known of one place, and of the looking at it."""

    def __init__(self) -> None:
        self.document: Document | None = None
        self.passages: tuple[Passage, ...] | None = None
        self.good = False
        """Whether the last look was."""
        self.sign: tuple[int, ...] | None = None
        """What told the file that was tried last from others."""
        self.tried: float | None = None
        """When it was, on the monotonic clock."""
        self.looking: asyncio.Task[None] | None = None
        self.late = False
        """Whether nobody waits for it any more."""


async def _given(held: _Held, document: Document, window: int) -> Stuffing:
    given = Stuffing(
        title=document.title, address=document.address, language=document.language, read=document.read
    )
    if sum(len(part.text) + 2 for part in document.parts) <= SHARE * CHARACTERS_A_TOKEN * window:
        return msgspec.structs.replace(given, text=document.text)
    if held.passages is None:
        kind = "page" if document.address else "document"
        held.passages = await asyncio.to_thread(lambda: tuple(passages_of(document, kind)))
    return msgspec.structs.replace(given, too_long=True, passages=held.passages)


def _sign(file: Path) -> tuple[int, ...]:
    """What tells a file from what it was before; empty where there is none."""
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _plain(file: Path) -> Document:
    with file.open(encoding="utf-8-sig", errors="replace") as opened:
        text = opened.read(LONGEST + 1)
        length = len(text) + sum(map(len, iter(lambda: opened.read(1 << 20), "")))
    text = text[:LONGEST]
    return Document(
        parts=(Part(text),),
        language=language_of_text(text) or "",
        characters=length if length > LONGEST else 0,
    )
