"""What is found in a document, as it is found: parts under headings and on pages, no more of them than was asked for.
And why there is nothing to be found."""

from __future__ import annotations

import re
from typing import Any, Final

LONGEST_TITLE: Final = 300
LONGEST_HEADING: Final = 200
MOST_PARTS: Final = 100_000
_LEVELS: Final = 9
_EMPTY_LINES: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")


class UnreadableError(Exception):
    """Nothing can be read: `broken`, `encrypted`, `empty`, `scanned`, `too_large`, `unsupported`."""

    def __init__(self, failure: str, **values: Any) -> None:
        super().__init__(failure)
        self.failure = failure
        self.values = values


def too_large(limit: int, unit: str) -> UnreadableError:
    """The failure of a document that goes beyond a limit."""
    return UnreadableError("too_large", limit=limit, unit=unit)


class Outline:
    """The text of a document, built block by block, at most `most` characters of it. `characters` counts all."""

    def __init__(self, most: int) -> None:
        self.title = ""
        self.pages = 0
        self.pages_without_text = 0
        self.characters = 0
        self.longer = 1.0
        """How many times longer the document is than what was looked at of it."""
        self.parts: list[dict[str, Any]] = []
        self._most = most
        self._kept = 0
        self._path: list[tuple[int, str]] = []
        self._page = 0
        self._blocks: list[str] = []
        self._only_headings = True
        self._begins_with_heading = False
        self._tight = False

    def heading(self, level: int, text: str) -> None:
        """A heading of `level`, 1 being the outermost. It stands at the beginning of its part, too."""
        text = line(text, LONGEST_HEADING)
        if not text:
            return
        level = min(max(level, 1), _LEVELS)
        deeper = not self._path or level > self._path[-1][0]
        if not (self._only_headings and deeper):
            self._flush()
        self._path = [one for one in self._path if one[0] < level] + [(level, text)]
        self._begins_with_heading |= not self.characters
        self._tight = False
        self._append(text, "\n\n")

    def section(self, name: str, number: int = 0) -> None:
        """A sheet, a slide, a page, that begins; its `name` is the outermost heading, and no part of the text."""
        self.headings((name,) if name else (), number)

    def headings(self, path: tuple[str, ...], number: int = 0) -> None:
        """From here on, these are the headings above, and the page is `number`."""
        named = [(level, line(name, LONGEST_HEADING)) for level, name in enumerate(path[:_LEVELS], 1)]
        if named != self._path or number != self._page:
            self._flush()
        self._path, self._page = named, number

    def add(self, text: str, *, tight: bool = False) -> None:
        """A block of text; `tight` ones follow each other without an empty line, as the items of a list do."""
        text = clean(text) if not tight else clean(text, indented=True)
        if text:
            self._only_headings = False
            self._append(text, "\n" if tight and self._tight else "\n\n")
            self._tight = tight

    def end(self) -> None:
        """The document is over. One without a title that begins with a heading is called by it."""
        self._flush()
        if not self.title and self.parts and self._begins_with_heading:
            self.title = self.parts[0]["heading"][0]

    def fresh(self) -> Outline:
        """Another one, with nothing in it."""
        return Outline(self._most)

    def take(self, other: Outline) -> None:
        """Have the parts of another one, which is over, for one's own."""
        self.parts, self.characters = other.parts, other.characters

    def _append(self, text: str, space: str) -> None:
        if self._blocks or self.parts:
            text = space + text if self._blocks else text
            self.characters += 0 if self._blocks else 2
        self.characters += len(text)
        if self._kept < self._most:
            self._blocks.append(text[: self._most - self._kept])
            self._kept += len(self._blocks[-1])

    def _flush(self) -> None:
        text = "".join(self._blocks)
        if text.strip():
            if len(self.parts) >= MOST_PARTS:
                raise too_large(MOST_PARTS, "parts")
            self.parts.append({"text": text, "heading": [name for _, name in self._path], "page": self._page})
        self._blocks.clear()
        self._only_headings = True
        self._tight = False


def clean(text: str, *, indented: bool = False) -> str:
    """Without what no person reads: control characters, halves of pairs, more than one empty line. Spaces of any
    width are spaces."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = "\n".join(one if one.isprintable() else _printable(one) for one in lines)
    kept = _EMPTY_LINES.sub("\n\n", kept)
    return kept.rstrip() if indented else kept.strip()


def line(text: str, longest: int = LONGEST_TITLE) -> str:
    """`text` on one line, not too long."""
    cleaned = clean(" ".join(text.split()))
    return cleaned if len(cleaned) <= longest else cleaned[:longest] + "…"


def _printable(text: str) -> str:
    return "".join(
        one if one == "\t" or one.isprintable() else " " if one.isspace() and one > "\x7f" else ""
        for one in text
    )
