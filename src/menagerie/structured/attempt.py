"""One generation under a guard: what it wrote, and the best valid end of it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import islice
from typing import Final

import msgspec

from menagerie.core.errors import MenagerieError
from menagerie.engines.chat import Chunk, Usage
from menagerie.structured.scanner import Scanner
from menagerie.structured.schema import CompiledSchema
from menagerie.structured.verification import SchemaViolation, parse

MAX_CHARACTERS: Final = 4_000_000
"""Of one answer; whoever writes more is stopped."""
_CUTS: Final = 12
_MOSTLY: Final = 0.6
_OPENINGS: Final = 16


class Ending(msgspec.Struct, frozen=True):
    """A whole text; valid where `violation` is None. `closed`: its end was not the engine's. `repaired`: a valid text
    near to one that is not."""

    text: str
    violation: SchemaViolation | None = None
    closed: bool = False
    repaired: str | None = None

    @property
    def hardly_changed(self) -> bool:
        """Whether the repair kept most of what was written."""
        return self.repaired is not None and len(self.repaired) >= _MOSTLY * len(self.text)


class Attempt:
    """Feeds a guard with one generation. Once the guard refuses a piece, the rest is only kept: an engine without
    grammars may well write valid JSON in an order or with escapes of its own."""

    def __init__(self, chunks: AsyncGenerator[Chunk, None], compiled: CompiledSchema) -> None:
        self.lost: MenagerieError | None = None
        self.refused = False
        self.stopped = False
        self._chunks = chunks
        self._compiled = compiled
        self._guard = compiled.guard()
        self._written: list[str] = []
        self._characters = 0
        self._usage: Usage | None = None

    @property
    def text(self) -> str:
        """What the guard accepted."""
        return self._guard.text

    @property
    def inside(self) -> bool:
        """Whether an array or object is open: more will follow, so that what is there can be handed on."""
        return self._guard.depth > 0

    @property
    def ready(self) -> bool:
        """Whether what is there can be handed on. A name waits for its value: should none come, it is left out."""
        return self.inside and not self._guard.before_value

    @property
    def usage(self) -> Usage:
        """As the engine told; else a token for each chunk."""
        return self._usage or Usage(answer=len(self._written))

    async def pieces(self) -> AsyncGenerator[str, None]:
        """What the guard accepts, piece by piece, until the engine ends, dies, or goes round in a loop."""
        async with aclosing(self._chunks) as chunks:
            try:
                async for chunk in chunks:
                    self._usage = chunk.usage or self._usage
                    self.stopped = self.stopped or chunk.finish == "stop"
                    if not chunk.text:
                        continue
                    self._written.append(chunk.text)
                    self._characters += len(chunk.text)
                    accepted = self._feed(chunk.text)
                    if accepted:
                        yield accepted
                    if self._over:
                        break
            except MenagerieError as error:
                self.lost = error

    def _feed(self, piece: str) -> str:
        if self.refused or self._guard.ended:
            self.stopped = self.stopped or bool(piece.strip())
            return ""
        accepted, rest = self._guard.take(piece)
        self.refused = bool(rest) and not (self._guard.ended or self._guard.looping)
        return accepted

    @property
    def _over(self) -> bool:
        junk = self._guard.ended and self.stopped
        return junk or self._characters > MAX_CHARACTERS or (not self.refused and self._guard.looping)

    def end(self, passed: str = "") -> Ending:
        """The best whole text of this attempt that begins with `passed`: the engine's own, else closed by us. Its
        violation is that of the best candidate. May take seconds: not for the event loop."""
        violation = SchemaViolation("json", "/", "no JSON")
        best = self._guard.text
        for candidate, closed in self._candidates(passed):
            try:
                self._compiled.verify(candidate)
            except SchemaViolation as error:
                violation, best = error, candidate
                continue
            return Ending(candidate, None, closed)
        return Ending(best, violation, repaired=None if passed else self._compiled.repaired(best))

    def _candidates(self, passed: str) -> list[tuple[str, bool]]:
        if not self.refused:
            if self._guard.acceptable:
                return [(self._guard.text, False)]
            return self._closed()
        if not passed:
            return [(found, False) for found in json_texts("".join(self._written))]
        whole = tight("".join(self._written))
        own = [(whole, False)] if whole is not None and whole.startswith(passed) else []
        return own + self._closed()

    def _closed(self) -> list[tuple[str, bool]]:
        if not self._guard.text or (self.lost is not None and not self.inside):
            return []
        closing = self._guard.close()
        ends = [] if closing is None else [(self._guard.text + closing, True)]
        shorter = self._closed_at(self._guard.whole_text) if self._guard.before_value else None
        if shorter is not None and (closing is None or len(shorter) <= len(ends[0][0])):
            ends.insert(0, (shorter, True))
        return ends

    def _closed_at(self, begun: str) -> str | None:
        guard = self._compiled.guard()
        _, rest = guard.take(begun)
        closing = None if rest or not begun else guard.close()
        return None if closing is None else begun + closing

    def cut_back(self) -> Ending | None:
        """The longest valid answer that is this one up to one of its commas, closed; None where there is none."""
        accepted = self._guard.text
        for at in islice(_commas(accepted), _CUTS):
            candidate = self._closed_at(accepted[:at])
            if candidate is None:
                continue
            try:
                self._compiled.verify(candidate)
            except SchemaViolation:
                continue
            return Ending(candidate, None, closed=True)
        return None


def _commas(accepted: str) -> list[int]:
    scanner, places = Scanner(), []
    for at, character in enumerate(accepted):
        if character == "," and not scanner.in_string:
            places.append(at)
        for byte in character.encode(errors="surrogatepass"):
            scanner.take(byte)
    return places[::-1]


def tight(written: str) -> str | None:
    """`written` without the blanks between its tokens; None where it is no JSON."""
    try:
        parse(written)
    except SchemaViolation:
        return None
    scanner, kept = Scanner(), bytearray()
    for byte in written.encode():
        if not scanner.skips(byte):
            kept.append(byte)
        scanner.take(byte)
    return kept.decode()


def json_texts(written: str) -> list[str]:
    """The whole of `written` where it is JSON, else the objects and arrays in it that stand in prose or in a fence,
    longest first; each without blanks between its tokens."""
    whole = tight(written)
    if whole is not None:
        return [whole]
    decoder, found, at, tried = json.JSONDecoder(), [], 0, 0
    while tried < _OPENINGS:
        starts = [start for start in (written.find("{", at), written.find("[", at)) if start >= 0]
        if not starts:
            break
        start, tried = min(starts), tried + 1
        try:
            _, at = decoder.raw_decode(written, start)
        except (ValueError, RecursionError):
            at = start + 1
            continue
        found.append(tight(written[start:at]))
    return sorted((one for one in found if one is not None), key=len, reverse=True)
