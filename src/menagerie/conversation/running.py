"""What is asked for with a turn, and what is known of it while it runs."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from menagerie import __version__
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.core.messages import Message
from menagerie.core.provenance import ModelFacts, Provenance, SourceFacts, Timings
from menagerie.engines.chat import Chunk, Usage
from menagerie.grounding.given import Given
from menagerie.locales import Language
from menagerie.personas.persona import Persona
from menagerie.personas.resolve import Resolution
from menagerie.store.turns import Conversation, Outcome

if TYPE_CHECKING:
    from menagerie.structured.answer import Account
    from menagerie.structured.schema import CompiledSchema

log = structlog.get_logger("menagerie.turns")

_RETRIES: Final = 1
_WORTH_A_RETRY: Final = {ErrorCode.ENGINE_LOST}


class TurnRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an interface asks for. `session` None: a conversation of its own; `compiled`: the answer must fit it."""

    persona: str
    prompt: str
    user: User
    language: Language
    channel: str
    session: str | None = None
    given: tuple[Given, ...] = ()
    batch: bool = False
    """Nobody is waiting for the answer: people go before it."""
    compiled: CompiledSchema | None = None


class RunningTurn:
    """What is known of a running turn; filled in as it goes."""

    def __init__(self, request: TurnRequest, started: datetime, clock: float) -> None:
        self.id = uuid.uuid4().hex
        self.request = request
        self.started = started
        self.clock = clock
        self.conversation: Conversation | None = None
        self.user = Message("user", request.prompt)
        self.answer: list[str] = []
        self.usage = Usage()
        self.finish = ""
        self.dropped = 0
        self.sent_tokens = 0
        self.queued_ms = 0.0
        self.first_token_ms = 0.0
        self.account: Account | None = None
        self.persona: Persona | None = None
        self.resolution: Resolution | None = None
        self.chunks: AsyncGenerator[Chunk, None] = _nothing()
        self._retries_left = _RETRIES

    @property
    def session(self) -> str:
        return self.conversation.session if self.conversation else ""

    def note_failure(self, failure: MenagerieError) -> None:
        """Raise it, unless the turn may be tried again: nothing was sent yet, and the engine was lost."""
        if self.answer or not self._retries_left or failure.code not in _WORTH_A_RETRY:
            raise failure
        self._retries_left -= 1
        log.warning("turn.retried", turn=self.id, failure=str(failure))

    def check_ended(self) -> None:
        """Whether the answer has come to an end, after its last chunk; an engine that gives none is lost."""
        if not self.finish:
            raise MenagerieError(ErrorCode.ENGINE_LOST)

    @property
    def measured_user(self) -> Message:
        """The person's message, its length corrected so that the conversation's is what the engine counted."""
        asked_once = self.account is None or self.account.attempts == 1
        if not self.usage.prompt or self.user.tokens is None or not asked_once:
            return self.user
        tokens = self.usage.prompt - (self.sent_tokens - self.user.tokens)
        return Message("user", self.user.content, max(1, tokens))

    def provenance(self, model: ModelFacts, outcome: Outcome, total_ms: float) -> Provenance:
        """The account of the answer, or of what there is of it."""
        assert self.resolution is not None
        request, compiled, account = self.request, self.request.compiled, self.account
        return Provenance(
            service=f"menagerie {__version__}",
            persona=request.persona,
            language=request.language,
            model=model,
            started=self.started.isoformat(),
            wanted_model=self.resolution.wanted,
            finish=self.finish if outcome == "done" else outcome,
            prompt_tokens=self.usage.prompt,
            cached_tokens=self.usage.cached,
            answer_tokens=self.usage.answer,
            dropped_messages=self.dropped,
            sources=tuple(
                SourceFacts(number=number, kind=one.kind, characters=len(one.text))
                for number, one in enumerate(request.given, 1)
            ),
            timings=Timings(
                queued_ms=round(self.queued_ms, 1),
                first_token_ms=round(self.first_token_ms, 1),
                total_ms=round(total_ms, 1),
            ),
            schema=compiled.describe(account.attempts) if compiled and account else "",
        )


async def _nothing() -> AsyncGenerator[Chunk, None]:
    return
    yield
