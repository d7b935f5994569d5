"""What is asked for with a turn, and what is known of it while it runs."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from menagerie import __version__
from menagerie.conversation.answer_language import language_of_answer
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import AnyEvent, Citation, Notice, Token
from menagerie.core.identity import User
from menagerie.core.messages import Message, ToolCall
from menagerie.core.probabilities import TokenLogprob
from menagerie.core.provenance import CitationFacts, ModelFacts, Provenance, SourceFacts, Timings
from menagerie.engines.chat import Chunk, Usage
from menagerie.grounding.citing import Cited, Citing
from menagerie.grounding.given import Given
from menagerie.grounding.grounder import Grounded
from menagerie.grounding.selection import FEWEST, selected
from menagerie.grounding.stuffing import NOTHING
from menagerie.locales import Language, text
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
    after: str | None = None
    """The id of the turn after which this one goes on; empty: at the beginning of the conversation that `session`
    belongs to; None: at the end of `session`."""
    request: str = ""
    """The name that the client gave to this request, among all of its own."""
    given: tuple[Given, ...] = ()
    address: str = ""
    """That of a page or a feed, which the answer is to rest on."""
    sources: tuple[str, ...] = ()
    """Places to look for an answer in: `a.ca`, `wikipedia.org`, `facts:<collection>`, `feeds`."""
    documents: tuple[str, ...] = ()
    """Ids of uploaded files that the answer is to rest on."""
    pictures: tuple[str, ...] = ()
    """Ids of uploaded pictures that are part of what is asked."""
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

    @property
    def names_sources(self) -> bool:
        """Whether the person said where the answer is to come from."""
        return bool(self.address or self.documents or self.sources)


class RunningTurn:
    """What is known of a running turn; filled in as it goes."""

    def __init__(self, request: TurnRequest, started: datetime, clock: float) -> None:
        self.id = uuid.uuid4().hex
        self.request = request
        self.started = started
        self.clock = clock
        self.conversation: Conversation | None = None
        self.user = request.last or Message("user", request.prompt)
        self.plain_user = self.user.content
        self.answer: list[str] = []
        self.calls: tuple[ToolCall, ...] = ()
        self.usage = Usage()
        self.finish = ""
        self.dropped = 0
        self.sent_tokens = 0
        self.queued_ms = 0.0
        self.first_token_ms = 0.0
        self.account: Account | None = None
        self.grounded = Grounded()
        self.grounding_ms = 0.0
        self.citing: Citing | None = None
        self.refusal = ""
        self.stuffing = NOTHING
        self.stuffing_missing = False
        self.asked_tokens = 0
        self.persona: Persona | None = None
        self.resolution: Resolution | None = None
        self.chunks: AsyncGenerator[Chunk, None] = _nothing()
        self._retries_left = _RETRIES

    @property
    def first_number(self) -> int:
        """The number of the first passage that was found: what was given is numbered before."""
        return len(self.request.given) + 1

    @property
    def session(self) -> str:
        return self.conversation.session if self.conversation else ""

    @property
    def spent_tokens(self) -> int:
        """Tokens read and written. Of an answer that was broken off the engine tells nothing: then it is what was
        sent, and one for each piece that came."""
        pieces = max(len(self.answer), self.account.written if self.account else 0)
        answered = (self.usage.prompt or self.sent_tokens) + (self.usage.answer or pieces)
        return answered + self.asked_tokens

    def shorten_found(self) -> bool:
        """Rest on half of what was found; False where so little is left that it is not to blame."""
        size = sum(len(one.text) for one in self.grounded.passages) // 2
        if size < FEWEST:
            return False
        passages = selected(self.grounded.passages, size).passages
        self.grounded = msgspec.structs.replace(self.grounded, passages=passages)
        return True

    def ask(self, prompt: str) -> None:
        """Let the prompt be this one: the person gave none."""
        self.request = msgspec.structs.replace(self.request, prompt=prompt)
        self.user = Message("user", prompt)

    @property
    def branch_of(self) -> str:
        """The id of the conversation that its session is a branch of; empty where the session is its first."""
        trunk = self.conversation.trunk if self.conversation else ""
        return "" if trunk == self.session else trunk

    def go_on_in(self, session: str | None) -> None:
        """Let it be a turn of this session; None: of a new one."""
        self.request = msgspec.structs.replace(self.request, session=session)

    def show(self, images: tuple[str, ...]) -> None:
        """Let `images`, `data:` addresses, be part of what is asked."""
        asked = msgspec.structs.replace(self.user, images=self.user.images + images)
        self.request = msgspec.structs.replace(self.request, last=asked)
        self.user = asked

    def tell(self, piece: str, logprobs: tuple[TokenLogprob, ...] = ()) -> list[AnyEvent]:
        """The next piece of the answer, with its citations checked and those that it lacks, as events."""
        if self.citing is None:
            self.answer.append(piece)
            return [Token(piece, logprobs)]
        known = len(self.citing.cited)
        told = self.citing.feed(piece)
        return self._told(told, self.citing.cited[known:])

    def closing(self) -> list[AnyEvent]:
        """What is to be told when the engine has written all."""
        if self.citing is None:
            return []
        known = len(self.citing.cited)
        told = self.citing.end()
        events = self._told(told, self.citing.cited[known:])
        verdicts = {one.verdict for one in self.citing.cited}
        code = "citations_unsupported" if "unsupported" in verdicts else ""
        if not verdicts - {"unsupported"} and self.persona is not None and self.persona.strict:
            code = "nothing_cited"
        if code:
            events.append(Notice(code, text(f"notice.{code}", self.request.language)))
        return events

    def _told(self, told: str, cited: Sequence[Cited]) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        if told:
            self.answer.append(told)
            events.append(Token(told))
        events += [Citation(one.number, one.start, one.end, one.verdict, one.by) for one in cited]
        return events

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
        """The person's message as the conversation keeps it, its length corrected so that the conversation's is what
        the engine counted. What a persona looked up by itself is not kept: for what follows, it looks again."""
        found = self.request.names_sources and self.grounded.passages
        if self.grounded.looked and not found:
            return msgspec.structs.replace(self.user, content=self.plain_user, tokens=None)
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
            answer_language="" if compiled or request.tools else language_of_answer(self.answer),
            dropped_messages=self.dropped,
            sources=self._sources(),
            citations=tuple(
                CitationFacts(one.number, one.start, one.end, one.verdict, one.by)
                for one in (self.citing.cited if self.citing else ())
            ),
            timings=Timings(
                grounding_ms=round(self.grounding_ms, 1),
                queued_ms=round(self.queued_ms, 1),
                first_token_ms=round(self.first_token_ms, 1),
                total_ms=round(total_ms, 1),
            ),
            schema=account.facts(compiled) if compiled and account else None,
        )

    def _sources(self) -> tuple[SourceFacts, ...]:
        given = [
            SourceFacts(number, one.kind, characters=len(one.text))
            for number, one in enumerate(self.request.given, 1)
        ]
        found = [
            SourceFacts(
                number=number,
                kind=one.kind,
                title=one.title,
                address=one.address,
                characters=len(one.text),
                heading=one.heading,
                page=one.page,
                language=one.language,
                read=one.read.isoformat() if one.read else "",
                passage=one.text,
            )
            for number, one in enumerate(self.grounded.passages, self.first_number)
        ]
        return (*given, *found)


async def _nothing() -> AsyncGenerator[Chunk, None]:
    return
    yield
