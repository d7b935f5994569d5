"""Rows answered in this process: each one a turn of its own, that lets people go first."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from menagerie.batches.failures import AnswerError
from menagerie.batches.rows import Row
from menagerie.batches.work import Work
from menagerie.conversation.running import TurnRequest
from menagerie.core.events import Done, Failed, Token
from menagerie.core.identity import User

if TYPE_CHECKING:
    from menagerie.conversation.turn import Turns
    from menagerie.engines.residency import Engines

CHANNEL: Final = "batch"


class TurnAsk:
    """An `Ask` of `Turns`."""

    def __init__(self, turns: Turns, work: Work) -> None:
        self._turns = turns
        self._work = work

    async def __call__(self, row: Row) -> bytes:
        """The line of a row's answer."""
        work = self._work
        request = TurnRequest(
            persona=work.persona,
            prompt=work.prompt(row),
            user=User(),
            language=work.language,
            channel=CHANNEL,
            batch=True,
            kept=False,
            compiled=work.compiled,
        )
        pieces: list[str] = []
        finish = ""
        async with aclosing(self._turns.run(request)) as events:
            async for event in events:
                match event:
                    case Token(text=piece):
                        pieces.append(piece)
                    case Done(provenance=provenance):
                        finish = provenance.finish
                    case Failed():
                        raise AnswerError(event.code, event.message, retry_after=event.retry_after)
                    case _:
                        pass
        return work.answer_line(row, "".join(pieces), finish)


def slots_of(engines: Engines) -> int | None:
    """The slots of the largest engine that is ready; None where none is."""
    ready = [engine.slots for engine in engines.overview().engines if engine.state == "ready"]
    return max(ready, default=None)
