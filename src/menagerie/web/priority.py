"""Whether somebody waits for an answer. A request of a batch says that nobody does, and lets people go first."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import HTTPConnection

HEADER: Final = "X-Menagerie-Priority"
BATCH: Final = "batch"

PARAMETER: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "enum": [BATCH]},
    "description": "Let people go first: nobody is waiting for the answer.",
}
"""The header as OpenAPI describes it."""


def is_batch(connection: HTTPConnection) -> bool:
    """Whether the request lets people go first. Anybody may: it only makes them wait."""
    return connection.headers.get(HEADER, "").strip().lower() == BATCH
