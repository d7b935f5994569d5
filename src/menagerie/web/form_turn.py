"""A turn that a form began, for a page that is sent while the answer comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from menagerie.conversation.frames import looking_at
from menagerie.conversation.running import TurnRequest
from menagerie.conversation.turn import Turns
from menagerie.core.events import Accepted, Done, Failed, Notice, Token
from menagerie.core.identity import User
from menagerie.core.provenance import Provenance
from menagerie.grounding.given import Given
from menagerie.locales import Language


class FormTurn:
    """One turn. `pieces` runs it, once; what else it told is complete only after that."""

    def __init__(
        self,
        turns: Turns,
        *,
        persona: str,
        prompt: str,
        user: User,
        language: Language,
        session: str | None,
        given: tuple[Given, ...],
    ) -> None:
        self.prompt = prompt
        self.session = session or ""
        self.context = "\n".join(each.text for each in given)
        self.notices: list[str] = []
        self.failure: Failed | None = None
        self.provenance: Provenance | None = None
        self._turns = turns
        written = looking_at(prompt)
        self._request = TurnRequest(
            persona=persona,
            prompt=written.prompt,
            address=written.address,
            sources=written.sources,
            user=user,
            language=language,
            session=session,
            given=given,
            channel="page",
        )

    async def pieces(self) -> AsyncIterator[str]:
        """The answer, as it comes. Closing the iteration cancels the turn."""
        async with aclosing(self._turns.run(self._request)) as events:
            async for event in events:
                match event:
                    case Accepted(session=session):
                        self.session = session
                    case Token(text=piece):
                        yield piece
                    case Notice(text=notice):
                        self.notices.append(notice)
                    case Done(provenance=provenance):
                        self.provenance = provenance
                    case Failed():
                        self.failure = event
