"""Passages get their vectors in the background, by one process at a time: the service, or a command where none runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.models.lock import locked

if TYPE_CHECKING:
    from menagerie.grounding.facts.index import Facts

log = structlog.get_logger("menagerie.facts")

LOCK: Final = "facts.lock"
AT_ONCE: Final = 32
"""Passages that are embedded, with their sentences, before their vectors are stored: some seconds on two cores."""
LOOKS_S: Final = 15.0
"""Seconds between two looks for what another process has added."""
AGAIN_S: Final = 60.0
"""Seconds before another try where the model is not there, or does not answer."""
MACHINE: Final = User(names=("facts:",))
"""Whose share of the engine this takes: nobody's who asks. No person has such a name with us."""
_NO_MODEL: Final = frozenset({ErrorCode.EMBEDDINGS_OFF, ErrorCode.MODEL_MISSING})


class Duty:
    """The duty to embed, for the collections in a data folder."""

    def __init__(self, facts: Facts, data: Path) -> None:
        self._facts = facts
        self._lock = data / LOCK
        self._news = asyncio.Event()

    def look(self) -> None:
        """There is something new."""
        self._news.set()

    async def run(self) -> None:
        """Take the duty as soon as nobody else has it, and do it for ever."""
        while True:
            with self.held() as mine:
                if mine:
                    await self._serve()
            await asyncio.sleep(LOOKS_S)

    async def embed_all(self, told: Callable[[int], None] | None = None) -> None:
        """Embed until nothing is left; `told` how many passages each time. Raises what `Embeddings.embed` raises."""
        while embedded := await self._facts.embed_missing(MACHINE, most=AT_ONCE):
            if told is not None:
                told(embedded)

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Whether the duty is ours inside the block. The system ends it with the process, however that ends.
        Where the file system has no locks it is everybody's: two that embed the same do no harm."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield locked(descriptor)
        finally:
            os.close(descriptor)

    async def _serve(self) -> None:
        said = ""
        while True:
            self._news.clear()
            try:
                await self._facts.tend()
                await self.embed_all()
                said = ""
            except MenagerieError as failure:
                if said != failure.code:
                    said = failure.code
                    tell = log.info if failure.code in _NO_MODEL else log.warning
                    tell("passages.not_embedded", failure=str(failure))
                await asyncio.sleep(AGAIN_S)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOKS_S):
                    await self._news.wait()
