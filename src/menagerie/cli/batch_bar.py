"""The progress of a batch on stderr: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Never, Self

from tqdm import tqdm

from menagerie.batches.pace import Progress
from menagerie.core.numbers import number_text
from menagerie.locales import Language, text

LINE_S: Final = 5.0
_DRAWN_S: Final = 0.1
_MINUTE: Final = 60
_HOUR: Final = 3600
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"


class BatchBar:
    """Shows progress; a context manager, which ends the line."""

    def __init__(self, language: Language) -> None:
        self._language: Language = language
        self._bar: tqdm[Never] | None = None
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
        if self._bar is not None:
            self._bar.close()

    def __call__(self, progress: Progress) -> None:
        """Show where the batch is; the last time always."""
        ended = progress.done + progress.failed
        now = time.monotonic()
        if ended < progress.total and now - self._shown_at < (_DRAWN_S if self._terminal else LINE_S):
            return
        self._shown_at = now
        line = progress_line(progress, self._language)
        if not self._terminal:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
            return
        if self._bar is None:
            bar_format = "{percentage:3.0f} % |{bar}| {desc}"
            self._bar = tqdm(total=progress.total, bar_format=bar_format, file=sys.stderr, dynamic_ncols=True)
        self._bar.n = ended
        self._bar.set_description_str(line)


def progress_line(progress: Progress, language: Language) -> str:
    """`1,234 of 10,000 rows, 2 failed, 4.2 rows/s, 34 min left`."""

    def number(value: float, digits: int = 0) -> str:
        return number_text(value, language, digits)

    line = text("cli.batch.line", language, done=number(progress.done), total=number(progress.total))
    if progress.failed:
        line += text("cli.batch.line_failed", language, failed=number(progress.failed))
    if progress.rate is not None and progress.remaining_s:
        rate = number(progress.rate, 0 if progress.rate >= 100 else 2 if progress.rate < 1 else 1)
        line += text(
            "cli.batch.line_rate", language, rate=rate, remaining=duration_text(progress.remaining_s)
        )
    return line


def duration_text(seconds: float) -> str:
    """`34 min`, `2 h 5 min`, `12 s`: the same in both languages."""
    whole = max(1, round(seconds))
    if whole < _MINUTE:
        return f"{whole}{_NO_BREAK}s"
    if whole < _HOUR:
        return f"{round(whole / _MINUTE)}{_NO_BREAK}min"
    hours, minutes = divmod(round(whole / _MINUTE), 60)
    return f"{hours}{_NO_BREAK}h{_NO_BREAK}{minutes}{_NO_BREAK}min"
