"""A watch over one answer: lets pass only what the grammar accepts, and can close the answer at any point."""

from __future__ import annotations

from typing import Final

from llguidance import LLMatcher

from menagerie.structured.closing import shortest_end
from menagerie.structured.scanner import Scanner

_LOOP_CHARACTERS: Final = 400
_LOOP_REPEATS: Final = 10


class Guard:
    """Consumes an answer piece by piece. `text` is what it accepted, without blanks between the tokens of JSON."""

    def __init__(self, matcher: LLMatcher, patterns: tuple[str, ...] = ()) -> None:
        self._matcher = matcher
        self._patterns = patterns
        self._scanner = Scanner()
        self._accepted = bytearray()
        self._endless = False

    @property
    def text(self) -> str:
        return self._accepted.decode()

    @property
    def whole_text(self) -> str:
        """`text` without a comma, name or colon at its end that has no value yet."""
        scanner, whole = Scanner(), 0
        for at, byte in enumerate(self._accepted):
            scanner.take(byte)
            if not scanner.before_value:
                whole = at + 1
        return self._accepted[:whole].decode(errors="ignore")

    @property
    def before_value(self) -> bool:
        """Whether a comma, a name or a colon stands last."""
        return self._scanner.before_value

    @property
    def depth(self) -> int:
        """Arrays and objects that are open; 0 before the first and after the last."""
        return self._scanner.depth

    @property
    def ended(self) -> bool:
        """Whether the outermost array or object is closed: nothing can follow."""
        return self._scanner.complete

    @property
    def acceptable(self) -> bool:
        """Whether the answer may end here."""
        return not self._scanner.in_string and bool(self._accepted) and bool(self._matcher.is_accepting())

    @property
    def looping(self) -> bool:
        """Whether the end of the text repeats itself, at least ten times over 400 bytes, or what was refused was
        one digit, blank or level too many, or a name that its object has already."""
        if self._endless:
            return True
        tail = bytes(self._accepted[-2 * _LOOP_CHARACTERS :])
        if len(tail) < _LOOP_CHARACTERS:
            return False
        period = len(tail) - 40 - tail.rfind(tail[-40:], 0, -1)
        span = max(_LOOP_CHARACTERS, period * _LOOP_REPEATS)
        if period > len(tail) - 40 or span > len(tail):
            return False
        return tail[-span:-period] == tail[-span + period :]

    def take(self, piece: str) -> tuple[str, str]:
        """Consume what is acceptable of `piece`: the text to pass on, and the rest that was refused."""
        start = len(self._accepted)
        if self._advance(piece):
            return self._accepted[start:].decode(), ""
        for at, character in enumerate(piece):
            if not self._advance(character):
                rest = piece[at:]
                self._endless = not self.ended and self._scanner.ends_at(_first_byte(character))
                return self._accepted[start:].decode(), rest.strip(" \t\r\n") if self.ended else rest
        return self._accepted[start:].decode(), ""

    def _advance(self, piece: str) -> bool:
        """Go past all of `piece`, or stay where we are."""
        kept = bytearray()
        for at, byte in enumerate(piece.encode(errors="surrogatepass")):
            if self._scanner.complete or not self._scanner.allows(byte):
                if at:
                    self._rewind()
                return False
            if not self._scanner.skips(byte):
                kept.append(byte)
            self._scanner.take(byte)
        tokens = list(kept)
        if tokens and not (
            self._matcher.validate_tokens(tokens) == len(tokens) and self._matcher.consume_tokens(tokens)
        ):
            self._rewind()
            return False
        self._accepted += kept
        return True

    def _rewind(self) -> None:
        self._scanner = Scanner()
        for byte in self._accepted:
            self._scanner.take(byte)

    def close(self) -> str | None:
        """The text that brings the answer to a short valid end; None where none was found within the bounds. The
        guard itself stays where it is. May take a second: not for the event loop."""
        if self.acceptable:
            return ""
        if self._matcher.is_error():
            return None
        end = shortest_end(self._matcher, self._scanner, self._patterns)
        return None if end is None else end.decode()


def _first_byte(character: str) -> int:
    return character.encode(errors="surrogatepass")[0]
