"""Searching conversations for words, a piece at a time: little of them is in memory at once, and folding them is no
work for the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, select, tuple_

from menagerie.core.folding import searchable
from menagerie.store.connections import Database
from menagerie.store.listing import Summary
from menagerie.store.tables import messages, sessions, turns

MOST_READ: Final = 8_000_000
"""Folded characters that one search reads before it stops, once for each word that it looks for in them, at the end of
the conversations that it is looking through. Folding can make eighteen characters of one."""
MOST_WORDS: Final = 16
"""Words that are looked for; of more, the first."""
_ROWS: Final = 100
_PIECE: Final = 65_536
"""Characters that are folded without letting anybody else work."""
_OVERLAP: Final = 1024
"""Characters of a piece that the next one has too, so that no word is cut."""

Said = tuple[str, str]
"""The trunk of a conversation, and something said in it."""


class Search:
    """One search for all of some words, in the titles of conversations and in what was said. Without words, everything
    matches."""

    def __init__(self, database: Database, words: str) -> None:
        self.words = frozenset([*dict.fromkeys(searchable(words).split())][:MOST_WORDS])
        self._database = database
        self._read = 0

    @property
    def is_spent(self) -> bool:
        """Whether it has read as much as one may."""
        return self._read >= MOST_READ

    async def matching(self, summaries: Sequence[Summary]) -> Sequence[Summary]:
        """Those that have all the words, in the same order."""
        if not self.words or not summaries:
            return summaries
        missing = {one.id: set(self.words) for one in summaries}
        self._read += await asyncio.to_thread(_strike, missing, [(one.id, one.title) for one in summaries])
        for pages in (self._prompts, self._answers):
            place: tuple[int, int] = (0, -1)
            while open_ := [trunk for trunk, words in missing.items() if words]:
                said, place = await pages(open_, place)
                self._read += await asyncio.to_thread(_strike, missing, said)
                if len(said) < _ROWS:
                    break
        return [one for one in summaries if not missing[one.id]]

    async def _prompts(self, trunks: list[str], place: tuple[int, int]) -> tuple[list[Said], tuple[int, int]]:
        def work(connection: Connection) -> tuple[list[Said], tuple[int, int]]:
            rows = connection.execute(_PROMPTS, {"trunks": trunks, "key": place[0]}).all()
            return [(trunk, prompt) for trunk, prompt, _ in rows], (rows[-1][2] if rows else 0, -1)

        return await self._database.read(work)

    async def _answers(self, trunks: list[str], place: tuple[int, int]) -> tuple[list[Said], tuple[int, int]]:
        def work(connection: Connection) -> tuple[list[Said], tuple[int, int]]:
            at = {"trunks": trunks, "session": place[0], "position": place[1]}
            rows = connection.execute(_ANSWERS, at).all()
            end = (rows[-1][2], rows[-1][3]) if rows else place
            return [(trunk, content) for trunk, content, *_ in rows], end

        return await self._database.read(work)


def _strike(missing: dict[str, set[str]], said: Sequence[Said]) -> int:
    """Take from each conversation's missing words those that occur in what was said in it. Gives how many characters
    were read for that, counted for each word."""
    read = 0
    for trunk, text in said:
        for piece in _pieces(text):
            words = missing[trunk]
            if not words:
                break
            folded = searchable(piece)
            read += len(folded) * len(words)
            words.difference_update([word for word in words if word in folded])
    return read


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, max(len(text), 1), _PIECE):
        yield text[start : start + _PIECE + _OVERLAP]


_WITH_SESSION: Final = (
    sessions.c.trunk.in_(bindparam("trunks", expanding=True)),
    turns.c.session == sessions.c.id,
)
_PROMPTS: Final = (
    select(sessions.c.trunk, turns.c.prompt, turns.c.key)
    .where(*_WITH_SESSION, turns.c.key > bindparam("key"))
    .order_by(turns.c.key)
    .limit(_ROWS)
)
_ANSWERS: Final = (
    select(sessions.c.trunk, messages.c.content, messages.c.session, messages.c.position)
    .where(
        *_WITH_SESSION,
        messages.c.session == sessions.c.key,
        messages.c.turn == turns.c.key,
        messages.c.role == "assistant",
        tuple_(messages.c.session, messages.c.position) > tuple_(bindparam("session"), bindparam("position")),
    )
    .order_by(messages.c.session, messages.c.position)
    .limit(_ROWS)
)
"""Answers where they were given: branches have copies of them."""
