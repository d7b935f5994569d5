"""The progress of a pull on stderr: a bar on a terminal, a line every two seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Never, Self

from tqdm import tqdm

from menagerie.locales import Language, text
from menagerie.models.failures import size_text

LINE_SECONDS: Final = 2.0


class Bar:
    """A `Progress` that shows itself; a context manager, which ends the line."""

    def __init__(self, label: str, language: Language) -> None:
        self._label = label
        self._language: Language = language
        self._bar: tqdm[Never] | None = None
        self._stage = ""
        self._shown_at = 0.0
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        self._say(text("models.pull.start", self._language, model=self._label))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()
        if failure is None:
            self._say(text("models.pull.done", self._language, model=self._label))

    def __call__(self, done_bytes: int, total_bytes: int | None, stage: str, /) -> None:
        """Show where it is."""
        if self._terminal:
            self._draw(done_bytes, total_bytes, stage)
        elif stage != self._stage or time.monotonic() - self._shown_at >= LINE_SECONDS:
            self._stage, self._shown_at = stage, time.monotonic()
            self._say(self._line(done_bytes, total_bytes, stage))

    def _line(self, done: int, total: int | None, stage: str) -> str:
        name = text(f"models.pull.{stage}", self._language)
        if stage not in {"downloading", "extracting"}:
            return name
        if not total:
            return f"{name} {size_text(done, self._language)}"
        return text(
            "models.pull.line",
            self._language,
            stage=name,
            done=size_text(done, self._language),
            total=size_text(total, self._language),
            percent=f"{100 * done // total}",
        )

    def _draw(self, done: int, total: int | None, stage: str) -> None:
        if stage != self._stage:
            self._close()
            self._stage = stage
        if stage not in {"downloading", "extracting"}:
            if self._bar is None:
                self._bar = tqdm(
                    desc=text(f"models.pull.{stage}", self._language), bar_format="{desc}", file=sys.stderr
                )
            return
        if self._bar is None:
            self._bar = tqdm(
                desc=text(f"models.pull.{stage}", self._language),
                total=total,
                unit=text("models.pull.unit", self._language),
                unit_scale=True,
                file=sys.stderr,
                initial=done,
            )
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _say(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
