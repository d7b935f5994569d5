"""What is asked for with a turn, and what is known of it while it runs."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from menagerie import __version__
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.core.messages import Message, ToolCall
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
    from menagerie.structured.tools import Toolbox

log = structlog.get_logger("menagerie.turns")

_RETRIES: Final = 1
_WORTH_A_RETRY: Final = {ErrorCode.ENGINE_LOST}


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer is drawn; None leaves it to the persona and the engine. See `ChatRequest`."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None


def _free(_tokens: int) -> None:
    """Nobody pays."""


class TurnRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an interface asks for. `session` None: a conversation of its own; `compiled`: the answer must fit it."""

    persona: str
    prompt: str
    user: User
    language: Language
    channel: str
    session: str | None = None
    given: tuple[Given, ...] = ()
    address: str = ""
    """That of a page or a feed, which the answer is to rest on."""
    sources: tuple[str, ...] = ()
    """Places to look for an answer in: `a.ca`, `wikipedia.org`, `facts:<collection>`, `feeds`."""
    documents: tuple[str, ...] = ()
    """Ids of uploaded files that the answer is to rest on."""
    batch: bool = False
    """Nobody is waiting for the answer: people go before it."""
    compiled: CompiledSchema | None = None
    tools: Toolbox | None = None
    """Functions that the answer may call instead of being text."""
    sampling: Sampling = Sampling()
    history: tuple[Message, ...] = ()
    """Messages that the caller puts between the session and the prompt."""
    last: Message | None = None
    """The message that is answered, where it is more than the `prompt` as a user's."""
    instructions: str = ""
    """What the caller tells the model beside the persona's imperative, for this turn alone."""
    bypass: bool = False
    """The persona's imperative is not told; only who may do so asks for it."""
    raw: bool = False
    """The prompt is text to go on with: no template, no imperative, no history."""
    kept: bool = True
    """Whether what is said becomes a session that can be gone on with."""
    charge: Callable[[int], object] = _free
    """Told once, when the turn is over, however it ended, how many tokens it took."""


class RunningTurn:
    """What is known of a running turn; filled in as it goes."""

    def __init__(self, request: TurnRequest, started: datetime, clock: float) -> None:
        self.id = uuid.uuid4().hex
        self.request = request
        self.started = started
        self.clock = clock
        self.conversation: Conversation | None = None
        self.user = request.last or Message("user", request.prompt)
        self.answer: list[str] = []
        self.calls: tuple[ToolCall, ...] = ()
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

    @property
    def spent_tokens(self) -> int:
        """Tokens read and written. Of an answer that was broken off the engine tells nothing: then it is what was
        sent, and one for each piece that came."""
        pieces = max(len(self.answer), self.account.written if self.account else 0)
        return (self.usage.prompt or self.sent_tokens) + (self.usage.answer or pieces)

    def note_failure(self, failure: MenagerieError) -> None:
        """Raise it, unless the turn may be tried again: nothing was sent yet, and the engine was lost."""
        if self.answer or self.calls or not self._retries_left or failure.code not in _WORTH_A_RETRY:
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
        asked_once = self.request.tools is None and (self.account is None or self.account.attempts == 1)
        if not self.usage.prompt or self.user.tokens is None or not asked_once:
            return self.user
        tokens = self.usage.prompt - (self.sent_tokens - self.user.tokens)
        return msgspec.structs.replace(self.user, tokens=max(1, tokens))

    @property
    def answered(self) -> Message | None:
        """What there is of the answer, as a message."""
        answer = "".join(self.answer)
        if not answer and not self.calls:
            return None
        return Message("assistant", answer, self.usage.answer or None, self.calls)

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
                SourceFacts(number, one.kind, one.title, one.address, len(one.text))
                for number, one in enumerate(request.given, 1)
            ),
            timings=Timings(
                queued_ms=round(self.queued_ms, 1),
                first_token_ms=round(self.first_token_ms, 1),
                total_ms=round(total_ms, 1),
            ),
            schema=account.facts(compiled) if compiled and account else None,
        )


async def _nothing() -> AsyncGenerator[Chunk, None]:
    return
    yield
