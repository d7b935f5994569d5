"""Why the store cannot serve, in words for a person; what the database itself said goes to the log only."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import Language, text

log = structlog.get_logger(__name__)

RETRY_AFTER_S: Final = 5.0


class Reason(StrEnum):
    """Why. The text of a reason is `store.reason.<reason>` in the catalogues."""

    ADDRESS = "address"
    BROKEN = "broken"
    BUSY = "busy"
    CLOSED = "closed"
    DRIVER = "driver"
    FULL = "full"
    IN_USE = "in_use"
    NEWER = "newer"
    OUTDATED = "outdated"
    READ_ONLY = "read_only"
    UNREACHABLE = "unreachable"


PASSING: Final = frozenset({Reason.BUSY, Reason.FULL, Reason.UNREACHABLE})
"""Reasons that may be gone in a few seconds."""


class StoreUnavailableError(MenagerieError):
    """`store.unavailable`, with its reason in the reader's language. `place` (a folder or a database's address
    without its password) is told only to whoever starts the service."""

    def __init__(self, reason: Reason, place: str = "") -> None:
        self.reason = reason
        self.place = place
        retry_after = RETRY_AFTER_S if reason in PASSING else None
        super().__init__(ErrorCode.STORE_UNAVAILABLE, retry_after=retry_after, reason=self.explained("en"))

    def explained(self, language: Language) -> str:
        """The reason alone."""
        return text(f"store.reason.{self.reason.value}", language)

    def message(self, language: Language) -> str:
        reason = self.explained(language)
        if self.place:
            return text("store.not_opened", language, place=self.place, reason=reason)
        return text(f"error.{self.code.value}", language, reason=reason)

    def at(self, place: str) -> StoreUnavailableError:
        """The same failure, with its place."""
        return StoreUnavailableError(self.reason, place)


def unavailable(failure: Exception) -> StoreUnavailableError:
    """What `failure`, from the database or the file system, means to a caller. Logs the failure itself."""
    reason = _reason(failure)
    log.error("store_failed", reason=reason.value, failure=repr(failure))
    return StoreUnavailableError(reason)


def _reason(failure: BaseException) -> Reason:
    inner = failure.orig if isinstance(failure, DBAPIError) and failure.orig is not None else failure
    reason = Reason.BROKEN
    if isinstance(inner, PoolTimeoutError):
        reason = Reason.BUSY
    elif isinstance(inner, ModuleNotFoundError):
        reason = Reason.DRIVER
    elif isinstance(inner, sqlite3.Error):
        code = getattr(inner, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        reason = _SQLITE.get(code, reason)
    elif state := _sqlstate(inner):
        reason = _SQLSTATE.get(state, _SQLSTATE.get(state[:2], reason))
    elif isinstance(inner, OSError):
        reason = _ERRNO.get(inner.errno or 0, Reason.UNREACHABLE)
    return reason


def _sqlstate(failure: BaseException) -> str | None:
    """The SQLSTATE of a PostgreSQL driver's error (PostgreSQL manual, appendix A), or None."""
    cause: BaseException | None = failure
    while cause is not None:
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str) and state:
            return state
        cause = cause.__cause__
    return None


_SQLITE: Final[Mapping[int, Reason]] = {
    sqlite3.SQLITE_BUSY: Reason.BUSY,
    sqlite3.SQLITE_LOCKED: Reason.BUSY,
    sqlite3.SQLITE_FULL: Reason.FULL,
    sqlite3.SQLITE_READONLY: Reason.READ_ONLY,
    sqlite3.SQLITE_PERM: Reason.READ_ONLY,
    sqlite3.SQLITE_AUTH: Reason.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: Reason.UNREACHABLE,
    sqlite3.SQLITE_IOERR: Reason.UNREACHABLE,
}

_SQLSTATE: Final[Mapping[str, Reason]] = {
    "08": Reason.UNREACHABLE,
    "25006": Reason.READ_ONLY,
    "28": Reason.UNREACHABLE,
    "3D": Reason.UNREACHABLE,
    "40": Reason.BUSY,
    "42501": Reason.READ_ONLY,
    "53": Reason.BUSY,
    "53100": Reason.FULL,
    "55": Reason.BUSY,
    "57": Reason.UNREACHABLE,
    "57014": Reason.BUSY,
}

_ERRNO: Final[Mapping[int, Reason]] = {
    errno.ENOSPC: Reason.FULL,
    errno.EDQUOT: Reason.FULL,
    errno.EROFS: Reason.READ_ONLY,
    errno.EACCES: Reason.READ_ONLY,
    errno.EPERM: Reason.READ_ONLY,
}
