"""Citations in an answer as it is written: those of the model are checked, those that it forgot are added. Pure.

A citation is the number of a passage in square brackets. One that the passage does not support is told as `[2?]`; one
of a passage that there is not is left out. A sentence without one that a passage supports gets it at its end. Nothing
is held back but an open bracket, a mark before one, and the blank after a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from menagerie.grounding.document import Passage
from menagerie.grounding.support import Claim, Evidence, Verdict
from menagerie.locales import Language

_CITATION: Final = re.compile(r"\[\s*(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\s*\]")
_MAYBE_CITATION: Final = re.compile(r"\[[\d\s,;]{0,20}")
_ENDS_CLAIM: Final = re.compile(r"[.!?…][\"'»”’)\]*_]*(?:\u00a0»)?$")
_PLAIN: Final = re.compile(r"[^\[!\s`]+")
_FENCE: Final = "```"
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
        self._tail = ""
        self._sentence = ""
        self._start = 0
        self._has_own = False
        self._is_code = False
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
        if not blank:
            self._tell(text, told)
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
        if self._is_code:
            self._tell(one, told)
            return 1
        if one == "[":
            return self._bracket(text, at, told)
        if one == "!":
            return self._picture(text, at, told)
        if one.isspace():
            return self._blank(text, at, told)
        self._tell(one, told)
        return 1

    def _bracket(self, text: str, at: int, told: list[str]) -> int:
        found = _CITATION.match(text, at)
        if found is None:
            if _MAYBE_CITATION.fullmatch(text, at):
                return 0
            self._tell("[", told)
            return 1
        if self._sentence[-1:].isalnum() and self._looks_like_index():
            self._tell(found[0], told)
            return len(found[0])
        for number in re.findall(r"\d+", found[1]):
            self._cite(int(number), told)
        return len(found[0])

    def _looks_like_index(self) -> bool:
        """`values[1]` is no citation; `word[1]` may be: only code has names with such marks in them."""
        word = self._sentence[-_ENOUGH:].split()[-1]
        return len(word) < _SHORTEST_WORD or any(mark in word for mark in "`_=(")

    def _picture(self, text: str, at: int, told: list[str]) -> int:
        """A picture is told as a link: what shows it would ask for it, and so tell its server whatever it holds."""
        if at + 1 == len(text):
            return 0
        if text[at + 1] != "[":
            self._tell("!", told)
        return 1

    def _blank(self, text: str, at: int, told: list[str]) -> int:
        end = at
        while end < len(text) and text[end].isspace():
            end += 1
        blank = text[at:end]
        if "\n" in blank:
            self._close_sentence(told, line=True)
            self._tell(blank, told)
            return len(blank)
        if not _ENDS_CLAIM.search(self._sentence[-_ENOUGH:].rstrip()):
            self._tell(blank, told)
            return len(blank)
        if end == len(text):
            return 0
        if text[end] == "[" and (found := _MAYBE_CITATION.match(text, end)):
            if found.end() == len(text):
                return 0
            if _CITATION.match(text, end):
                self._tell(blank, told)
                return len(blank)
        self._close_sentence(told)
        self._tell(blank, told)
        return len(blank)

    def _cite(self, shown: int, told: list[str]) -> None:
        number = shown - self._first
        if not 0 <= number < len(self._evidence):
            return
        verdict = self._evidence.verdict(Claim(self._sentence, self._language), number)
        self._has_own = True
        self._note(shown, verdict, "model")
        self._tell(f"[{shown}?]" if verdict == "unsupported" else f"[{shown}]", told, says=False)

    def _close_sentence(self, told: list[str], *, line: bool = False) -> None:
        """A sentence is over, or with `line` a line: give it the citation that it lacks."""
        text = self._sentence.strip()
        is_prose = not self._line.lstrip().startswith(("#", "|")) and not text.endswith(":")
        claim = Claim(text, self._language)
        if not claim.is_weighty and not line and len(text) < _LONGEST_FRAGMENT:
            return
        if not self._has_own and is_prose and not self._is_code and text:
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
        told.append(text)
        if says:
            if not self._sentence and not text.isspace():
                self._start = self._written
            if self._sentence or not text.isspace():
                self._sentence += text
        self._written += len(text)
        begun = (self._line + text[: _ENOUGH * 2]) if "\n" not in text else text.rpartition("\n")[2]
        self._line = begun.lstrip()[:_ENOUGH]
        self._tail = (self._tail + text)[-len(_FENCE) :]
        if self._tail == _FENCE:
            self._is_code = not self._is_code
            self._tail = ""


def marked_unsupported(cited: Sequence[Cited]) -> Iterator[int]:
    """The numbers of the passages that were cited for what they do not say."""
    yield from dict.fromkeys(one.number for one in cited if one.verdict == "unsupported")
