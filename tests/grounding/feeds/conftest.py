"""What is made in these tests is closed after them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.grounding.feeds.examples import OPEN


@pytest.fixture(autouse=True)
async def _readers_are_closed() -> AsyncIterator[None]:
    yield
    while OPEN:
        await OPEN.pop().close()
