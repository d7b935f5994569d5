"""What is worth a line in the log."""

from __future__ import annotations

import logging

import pytest

from menagerie.logs import configure_logging
from menagerie.settings import Settings


@pytest.mark.parametrize(
    ("message", "told"),
    [("Invalid UTF-8 sequence received from client.", False), ("Something else broke.", True)],
)
def test_what_any_client_can_cause_at_will_is_no_error_of_ours(
    message: str, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(Settings())
    logging.getLogger("uvicorn.error").error(message)
    assert (message in capsys.readouterr().err) is told
