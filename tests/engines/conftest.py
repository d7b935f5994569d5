"""Engines are tested on the event loop that the service runs on: processes and pipes behave differently there."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

if sys.platform == "win32":
    new_event_loop = asyncio.new_event_loop
else:
    from uvloop import new_event_loop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of each asynchronous test of this folder."""
    return {"service": new_event_loop}
