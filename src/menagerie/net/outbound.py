"""What left the machine, told to whoever keeps account of it: the host and never the whole address, which may hold what
somebody looks for, or credentials."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

import msgspec
import structlog
from yarl import URL

from menagerie.net.failure import NetworkError, Reason

log = structlog.get_logger("menagerie.net")


class Departure(msgspec.Struct, frozen=True, kw_only=True):
    """One request, at its end. One that was refused, or answered from what was kept, did not leave."""

    purpose: str
    """What it was for: `page`, `crawl`, `robots`, `model`, `service` …"""
    method: str
    scheme: str = ""
    host: str = ""
    port: int = 0
    status: int = 0
    """0 where there was no answer."""
    reason: Reason | None = None
    """Why it did not work out."""
    bytes: int = 0
    """Of the body, as far as it came."""
    milliseconds: float = 0.0
    cached: bool = False


Observer = Callable[[Departure], None]

_observers: Final[list[Observer]] = []
"""Of the process, like the handlers of its logs: whatever opens a client, nobody who leaves is missed."""


@contextmanager
def observed_by(observer: Observer) -> Iterator[None]:
    """Tell `observer` of every request meanwhile, from the event loop that sent it."""
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


def tell(departure: Departure) -> None:
    """Tell everybody who wants to know; and the log of the process, where it goes anywhere but among a command's
    answers."""
    if structlog.is_configured():
        log.debug("outbound", **facts(departure))
    for observer in _observers:
        observer(departure)


def facts(departure: Departure) -> dict[str, object]:
    """The fields of a departure that say something."""
    return {name: value for name, value in msgspec.structs.asdict(departure).items() if value}


class Leaving:
    """A request on its way, and its `status` and `bytes` so far. Told at its end, once, however it ends."""

    def __init__(self, purpose: str, method: str, url: URL) -> None:
        self._purpose = purpose
        self._method = method
        self._url = url
        self._began = time.monotonic()
        self.status = 0
        self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, failure: BaseException | None, _traceback: object) -> None:
        reason: Reason | None = None
        if isinstance(failure, NetworkError):
            reason = failure.reason
        elif failure is not None:
            reason = "interrupted"
        tell(
            Departure(
                purpose=self._purpose,
                method=self._method,
                scheme=self._url.scheme,
                host=self._url.raw_host or "",
                port=self._url.port or 0,
                status=self.status,
                reason=reason,
                bytes=self.bytes,
                milliseconds=round((time.monotonic() - self._began) * 1000, 1),
            )
        )
