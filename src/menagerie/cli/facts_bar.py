"""How far the reading and embedding of documents is, on stderr: nothing of what is soon over; a bar on a terminal, a
line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Literal, Never, Self

from tqdm import tqdm

from menagerie.core.numbers import number_text
from menagerie.locales import Language, text

Stage = Literal["reading", "embedding"]

SOON_S: Final = 2.0
"""Seconds before anything is shown."""
LINE_S: Final = 5.0
_DRAWN_S: Final = 0.1


class FactsBar:
    """Shows progress; a context manager, which ends the line."""

    def __init__(self, language: Language) -> None:
        self._language: Language = language
        self._bar: tqdm[Never] | None = None
        self._stage = ""
        self._began = time.monotonic()
        self._shown_at = 0.0
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def reading(self, done: int, total: int, /) -> None:
        """So many documents of all are read."""
        self._show("reading", done, total)

    def embedding(self, done: int, total: int, /) -> None:
        """So many passages of all have their vectors."""
        self._show("embedding", done, total)

    def _show(self, stage: Stage, done: int, total: int) -> None:
        now = time.monotonic()
        pause = _DRAWN_S if self._terminal else LINE_S
        if now - self._began < SOON_S or (stage == self._stage and now - self._shown_at < pause):
            return
        self._shown_at = now
        values = {"done": number_text(done, self._language), "total": number_text(total, self._language)}
        line = text(f"cli.facts.bar.{stage}", self._language, **values)
        if not self._terminal:
            self._stage = stage
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
            return
        if stage != self._stage or self._bar is None:
            self._close()
            self._stage = stage
            bar_format = "{percentage:3.0f} % |{bar}| {desc}"
            self._bar = tqdm(total=total, bar_format=bar_format, file=sys.stderr, dynamic_ncols=True)
        self._bar.total = total
        self._bar.n = done
        self._bar.set_description_str(line)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
