"""What can be wrong with a batch as a whole, and with one of its rows."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import Language, text

PASSING: Final = frozenset(
    {
        ErrorCode.CONNECTIONS_FULL,
        ErrorCode.ENGINE_LOST,
        ErrorCode.ENGINE_TIMEOUT,
        ErrorCode.ENGINE_UNAVAILABLE,
        ErrorCode.KEY_RATE_LIMITED,
        ErrorCode.MODEL_OUT_OF_MEMORY,
        ErrorCode.MODEL_SET_ASIDE,
        ErrorCode.QUEUE_FULL,
        ErrorCode.SERVICE_UNREACHABLE,
        ErrorCode.STOPPING,
        ErrorCode.STORE_UNAVAILABLE,
        ErrorCode.TURN_INTERRUPTED,
        ErrorCode.TURN_TIMEOUT,
    }
)
"""Codes of failures that may be gone when a row is asked again."""
_REFUSALS: Final = {
    errno.EACCES: "forbidden",
    errno.EISDIR: "folder",
    errno.ENOENT: "missing",
    errno.ENOSPC: "full",
    errno.ENOTDIR: "no_folder",
    errno.EPERM: "forbidden",
    errno.EROFS: "read_only",
}


class BatchError(MenagerieError):
    """`batch.invalid`: the batch cannot be run, and nothing was asked. Its text is `batch.invalid.<reason>`."""

    def __init__(self, reason: str, /, **values: str | float) -> None:
        super().__init__(ErrorCode.BATCH_INVALID)
        self.reason = reason
        self.values = values

    def message(self, language: Language) -> str:
        """The sentence that names the fault."""
        return text(f"batch.invalid.{self.reason}", language, **self.values)


class FileError(BatchError):
    """`batch.invalid`: the system does not let a file or a folder, `path`, be read or written."""

    def __init__(self, reason: str, /, *, path: Path, problem: OSError) -> None:
        super().__init__(reason, path=str(path))
        self.problem = problem

    def message(self, language: Language) -> str:
        """The sentence that names the fault; why the system refused is in the same language, where we know it."""
        name = _REFUSALS.get(self.problem.errno or 0)
        problem = text(f"batch.refusal.{name}", language) if name else self.problem.strerror or ""
        return text(f"batch.invalid.{self.reason}", language, **self.values, problem=problem)


class RowError(MenagerieError):
    """`row.invalid`: one row cannot be asked; the others can. Its text is `row.invalid.<reason>`."""

    def __init__(self, reason: str, /, **values: str | float) -> None:
        super().__init__(ErrorCode.ROW_INVALID)
        self.reason = reason
        self.values = values

    def message(self, language: Language) -> str:
        """The sentence that names the fault."""
        return text(f"row.invalid.{self.reason}", language, **self.values)


class AnswerError(Exception):
    """An answer to a row that is none: a stable code and a sentence for the person, perhaps of another service.

    `passing`: asking again may help, after `retry_after` seconds where that is known. `fatal`: every other row would
    fail in the same way, and the batch is better stopped.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after: float | None = None,
        passing: bool | None = None,
        fatal: bool = False,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.passing = code in PASSING if passing is None else passing
        self.fatal = fatal

    @classmethod
    def of(cls, error: MenagerieError, language: Language) -> AnswerError:
        """`error` in a person's language."""
        return cls(error.code.value, error.message(language), retry_after=error.retry_after)
