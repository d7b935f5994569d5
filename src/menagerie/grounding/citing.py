"""Citations in an answer as it is written: those of the model are checked, those that it forgot are added. Pure.

A citation is the number of a passage in square brackets. One that the passage does not support, or of a passage that
there is not, is told as `[2?]`. A sentence without one that a passage supports gets it at its end. What would show a
picture, or make a link of a citation, is told so that it does not: a word joiner stands in between. Nothing is held
back but an open bracket, the beginning of a tag, and the blank after a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from menagerie.grounding.document import Passage
from menagerie.grounding.support import Claim, Evidence, Verdict
from menagerie.locales import Language

_CITATION: Final = re.compile(r"\[\s*(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\s*\]")
_MAYBE_CITATION: Final = re.compile(r"\[[\d\s,;]{0,20}")
_ENDS_CLAIM: Final = re.compile(r"[.!?…][\"'»”’)\]*_]*(?:\u00a0»)?$")
_PLAIN: Final = re.compile(r"[^\[<\s]+")
_SHOWING: Final = (
    "img",
    "image",
    "picture",
    "svg",
    "source",
    "video",
    "audio",
    "iframe",
    "object",
    "embed",
    "link",
)
"""HTML that asks for what it shows."""
_TAGS: Final = (*_SHOWING, "script", "style", "base", "meta", "form", "input")
_LONGEST_TAG: Final = max(map(len, _TAGS)) + 1
_OPENS_CODE: Final = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
_LONGEST_CITATION: Final = 24
_JOINER: Final = "\u2060"
_SHORTEST_WORD: Final = 3
_LONGEST_FRAGMENT: Final = 200
"""Characters up to which what claims nothing, such as an abbreviation, goes with what follows."""
_ENOUGH: Final = 16
"""Characters at the end of a sentence that tell whether it is one, and at the beginning of a line what it is."""


class Cited(msgspec.Struct, frozen=True):
    """A citation: of which passage, for the text from `start` to `end` of the answer (characters), whether the passage
    supports that, and whether the model wrote it or we did."""

    number: int
    start: int
    end: int
    verdict: Verdict
    by: Literal["model", "service"]


class Citing:
    """The citations of one answer, whose passages are numbered from `first` on."""

    def __init__(self, passages: Sequence[Passage], language: Language, first: int = 1) -> None:
        self._evidence = Evidence(passages, language)
        self._language = language
        self._first = first
        self._held = ""
        self._written = 0
        self._line = ""
        self._last = ""
        self._fence = ""
        self._after_citation = False
        self._sentence = ""
        self._start = 0
        self._has_own = False
        self._is_over = False
        self.cited: list[Cited] = []

    def feed(self, piece: str) -> str:
        """The next piece of the answer, as it is to be told."""
        text, self._held = self._held + piece, ""
        told: list[str] = []
        at = 0
        while at < len(text):
            step = self._step(text, at, told)
            if step == 0:
                self._held = text[at:]
                break
            at += step
        return "".join(told)

    def end(self) -> str:
        """What is left to tell when the answer is over."""
        text, self._held = self._held, ""
        told: list[str] = []
        blank = text if text.isspace() else ""
        self._is_over = True
        at = 0
        while not blank and at < len(text):
            step = self._step(text, at, told)
            if step == 0:  # an open bracket, a blank at the very end
                self._tell(text[at], told)
                step = 1
            at += step
        self._close_sentence(told)
        self._tell(blank, told)
        return "".join(told)

    def _step(self, text: str, at: int, told: list[str]) -> int:
        """Handle what stands at `at`; how many characters that were, 0 where more must be seen first."""
        plain = _PLAIN.match(text, at)
        if plain is not None:
            self._tell(plain[0], told)
            return len(plain[0])
        one = text[at]
        if one.isspace():
            return self._blank(text, at, told)
        if self._fence:
            self._tell(one, told)
            return 1
        return self._bracket(text, at, told) if one == "[" else self._tag(text, at, told)

    def _bracket(self, text: str, at: int, told: list[str]) -> int:
        found = _CITATION.match(text, at)
        if found is None:
            if _MAYBE_CITATION.fullmatch(text, at):
                return 0
            self._tell(f"{_JOINER}[" if self._last == "!" else "[", told)
            return 1
        if self._sentence[-1:].isalnum() and self._looks_like_index():
            self._tell(found[0], told)
        else:
            for number in re.findall(r"\d+", found[1]):
                self._cite(int(number), told)
        self._after_citation = True
        return len(found[0])

    def _looks_like_index(self) -> bool:
        """`values[1]` is no citation; `word[1]` may be: only code has names with such marks in them."""
        word = self._sentence[-_ENOUGH:].split()[-1]
        return len(word) < _SHORTEST_WORD or any(mark in word for mark in "`_=(")

    def _tag(self, text: str, at: int, told: list[str]) -> int:
        """A tag that shows something is told as the text that it is."""
        name = text[at + 1 : at + 1 + _LONGEST_TAG].lower()
        if len(name) < _LONGEST_TAG and any(tag.startswith(name) for tag in _TAGS):
            if self._is_over:
                self._tell(f"<{_JOINER}", told)
                return 1
            return 0
        self._tell(f"<{_JOINER}" if name.startswith(_TAGS) else "<", told)
        return 1

    def _blank(self, text: str, at: int, told: list[str]) -> int:
        end = at
        while end < len(text) and text[end].isspace():
            end += 1
        blank = text[at:end]
        if "\n" in blank:
            self._close_sentence(told, line=True)
        elif not self._fence and _ENDS_CLAIM.search(self._sentence[-_ENOUGH:].rstrip()):
            follows = text[end : end + _LONGEST_CITATION]
            citation = _MAYBE_CITATION.match(follows)
            if not follows or (citation and end + citation.end() == len(text)):
                return 0
            if not _CITATION.match(follows):
                self._close_sentence(told)
        self._tell(blank, told)
        return len(blank)

    def _cite(self, shown: int, told: list[str]) -> None:
        number = shown - self._first
        verdict: Verdict = "unsupported"
        if 0 <= number < len(self._evidence):
            verdict = self._evidence.verdict(Claim(self._sentence, self._language), number)
        self._has_own = True
        self._note(shown, verdict, "model")
        self._tell(f"[{shown}?]" if verdict == "unsupported" else f"[{shown}]", told, says=False)

    def _close_sentence(self, told: list[str], *, line: bool = False) -> None:
        """A sentence is over, or with `line` a line: give it the citation that it lacks."""
        text = self._sentence.strip()
        is_prose = self._line.lstrip()[:1] not in {"#", "|"} and not text.endswith(":")
        claim = Claim(text, self._language)
        if not claim.is_weighty and not line and len(text) < _LONGEST_FRAGMENT:
            return
        if not self._has_own and is_prose and not self._fence and text:
            best = self._evidence.best(claim)
            if best is not None:
                shown = best + self._first
                self._note(shown, "supported", "service")
                self._tell(f" [{shown}]", told, says=False)
        self._sentence = ""
        self._has_own = False

    def _note(self, shown: int, verdict: Verdict, by: Literal["model", "service"]) -> None:
        self.cited.append(Cited(shown, self._start, self._written, verdict, by))

    def _tell(self, text: str, told: list[str], *, says: bool = True) -> None:
        """Tell it. `says`: it is the model's, and part of the sentence."""
        if not text:
            return
        if self._after_citation and not self._fence and text[0] in "(:":
            text = _JOINER + text
        self._after_citation = False
        told.append(text)
        if says:
            if not self._sentence and not text.isspace():
                self._start = self._written
            if self._sentence or not text.isspace():
                self._sentence += text
        self._written += len(text)
        self._last = text[-1]
        if "\n" in text:
            first, *_, text = text.split("\n")
            self._end_line(self._line + first)
            self._line = ""
        self._line = (self._line + text)[:_LONGEST_FRAGMENT]

    def _end_line(self, line: str) -> None:
        """A line is over: it may have opened or closed code. Only a fence at its very beginning surely does."""
        if not self._fence:
            opens = _OPENS_CODE.fullmatch(line) if len(line) < _LONGEST_FRAGMENT else None
            self._fence = (opens[1] or opens[2]) if opens else ""
        elif line.startswith(self._fence) and not line.strip().strip(self._fence[0]):
            self._fence = ""
