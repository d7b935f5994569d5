"""What is worth a line in the log."""

from __future__ import annotations

import logging

import pytest

from menagerie.logs import _is_news


@pytest.mark.parametrize(
    ("message", "told"),
    [("Invalid UTF-8 sequence received from client.", False), ("Something else broke.", True)],
)
def test_what_any_client_can_cause_at_will_is_no_error_of_ours(message: str, told: bool) -> None:
    record = logging.LogRecord("uvicorn.error", logging.ERROR, __file__, 1, message, None, None)
    assert _is_news(record) is told
