"""Structured log lines on stderr: JSON for machines, aligned text for a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Final, TextIO, cast

import structlog

from menagerie.settings import Settings

_KNOWN: Final = ("without completing handshake", "without completing response", "Invalid UTF-8 sequence")
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _Stderr:
    """The stderr of each moment: a line goes where it is when the line is written."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_STDERR: Final = _Stderr()


def configure_logging(settings: Settings) -> None:
    """Send every log line of the process, ours and the libraries', to stderr in one form."""
    level = _LEVELS[settings.log_level]
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer() if as_json else _for_people()
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _STDERR)),
        cache_logger_on_first_use=False,  # a command may choose its level after the first line
    )
    handler = logging.StreamHandler(_STDERR)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def _for_people() -> structlog.dev.ConsoleRenderer:
    """Tracebacks without local variables: those hold what people wrote."""
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def _is_news(record: logging.LogRecord) -> bool:
    """uvicorn takes a websocket that was refused with a whole HTTP answer for one that was never answered, and
    reports an answer that was broken off on purpose, and what a client may send any number of, with a traceback."""
    message = record.getMessage()
    return not any(known in message for known in _KNOWN)
