"""How a turn's events travel over a websocket: as the plain frames of the README, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Protocol

import msgspec

from menagerie.conversation.frames import Frame, looking_at, parse
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import AnyEvent, Done, Failed, Notice, Pong, Token
from menagerie.core.provenance import Provenance, SourceFacts
from menagerie.grounding.given import Given, GivenKind
from menagerie.grounding.telling import heading_below, shown_address, shown_title

EVENTS: Final = "menagerie.events.v1"
"""The subprotocol whose frames are JSON events."""

_END: Final = "<END"
_TOLD_IN_PLAIN: Final = frozenset(
    {"history_dropped", "answer_cut", "searching", "relevant", "irrelevant", "nothing_found", "source_failed"}
    | {"citations_unsupported", "nothing_cited", "stuffing_missing", "reading", "deciding"}
)
"""Notices that change what an answer means, or tell what takes so long; the others are for pages."""


PONG: Final = msgspec.json.encode(Pong()).decode()
"""The answer to a `Ping`."""


class Cancel(msgspec.Struct, frozen=True):
    """The client wants the running answer to stop."""


class Ping(msgspec.Struct, frozen=True):
    """The client wants to know whether its connection is alive."""


class Resume(msgspec.Struct, frozen=True):
    """The client wants the events of a turn after number `seen`; `name` is the turn's id or that of its request."""

    name: str
    seen: int = 0


class Codec(Protocol):
    """One way to speak on a socket. Events of a turn that can be resumed have a `number`; others have 0."""

    def decode(self, text: str) -> Frame | Resume | Cancel | Ping:
        """What the client sent. Raises `MenagerieError` for what cannot be understood."""
        ...

    def token(self, text: str, number: int = 0) -> Sequence[str]:
        """The frames that tell a piece of the answer; apart from `encode` since it is the only one that counts."""
        ...

    def encode(self, event: AnyEvent, number: int = 0) -> Iterator[str]:
        """The frames that tell of an event, none for one that this way does not tell."""
        ...


class PlainCodec:
    """Frames in are prompts, frames out are pieces of the answer, `<END>` ends a turn: `<END id>` on a socket that
    has asked for session ids with a `|SESSION|` prefix."""

    def __init__(self) -> None:
        self._tells_ids = False
        self._answering = False

    def decode(self, text: str) -> Frame:
        """The prompt and its prefixes."""
        frame = parse(text)
        self._tells_ids = self._tells_ids or frame.session is not None
        return frame

    def token(self, text: str, number: int = 0) -> Sequence[str]:
        """One frame. A model's own `<END` is cut in two: no frame but ours contains it."""
        self._answering = True
        return (text,) if "<" not in text else tuple(_without_end(text))

    def encode(self, event: AnyEvent, number: int = 0) -> Iterator[str]:
        """Tokens, what changes the meaning of the answer, and the end."""
        match event:
            case Token(text=text):
                yield from self.token(text)
            case Notice(code=code, text=text) if code in _TOLD_IN_PLAIN:
                yield from _without_end(f"\n\n{text}" if self._answering else f"{text}\n\n")
            case Done(session=session, provenance=provenance):
                self._answering = False
                if cited := cited_sources(provenance):
                    yield from _without_end(f"\n\n{cited}")
                yield self._end(session)
            case Failed(code=code, message=message, session=session):
                yield from _without_end(
                    f"\n\n{message} [{code}]" if self._answering else f"{message} [{code}]"
                )
                self._answering = False
                yield self._end(session)

    def _end(self, session: str) -> str:
        return f"{_END} {session}>" if self._tells_ids and session else f"{_END}>"


Named = Annotated[list[Annotated[str, msgspec.Meta(max_length=300)]], msgspec.Meta(max_length=64)]

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{8,64}\Z")]
"""What a client may call its request: a UUID, or anything else that nobody guesses."""


class _GivenText(msgspec.Struct, forbid_unknown_fields=True):
    kind: GivenKind
    text: str


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    """All that a frame may hold."""

    prompt: str | None = None
    session: str | None = None
    given: Annotated[list[_GivenText], msgspec.Meta(max_length=64)] = []
    address: str = ""
    sources: Named = []
    documents: Named = []
    pictures: Named = []
    request: Name | None = None
    after: Annotated[str, msgspec.Meta(max_length=300)] | None = None
    resume: Annotated[str, msgspec.Meta(min_length=1, max_length=300)] | None = None
    seen: Annotated[int, msgspec.Meta(ge=0)] = 0
    cancel: bool = False
    ping: bool = False


class EventsCodec:
    """`menagerie.events.v1`: JSON both ways, one event a frame.

    In: `{"prompt": …, "session": id, "given": [{"kind": "context"|"content", "text": …}], "address": "https://…",
    "sources": ["canada.ca", "wikipedia.org", "facts:name", "feeds"], "documents": [id of a file], "pictures": [id of
    a file], "request": name, "after": turn}`, `{"resume": turn or name of a request, "seen": number}`,
    `{"cancel": true}` or `{"ping": true}`.
    Without `session` the socket's conversation goes on; an empty one begins another. With `request` the turn can be
    resumed, and its events have a number, `n`.
    """

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Request).decode
        self._encode = msgspec.json.Encoder().encode

    def decode(self, text: str) -> Frame | Resume | Cancel | Ping:
        """A prompt, or what else a client may want."""
        try:
            request = self._decode(text)
        except (msgspec.DecodeError, RecursionError) as failure:
            raise MenagerieError(ErrorCode.FRAME_INVALID) from failure
        if request.cancel:
            return Cancel()
        if request.ping:
            return Ping()
        if request.resume is not None:
            return Resume(request.resume, request.seen)
        if request.prompt is None:
            raise MenagerieError(ErrorCode.FRAME_INVALID)
        given = tuple(Given(one.kind, one.text) for one in request.given if one.text.strip())
        written = looking_at(request.prompt)
        return Frame(
            written.prompt,
            request.session,
            given,
            request.address.strip() or written.address,
            tuple(request.sources) or written.sources,
            tuple(request.documents),
            request.request or "",
            request.after,
            pictures=tuple(request.pictures),
        )

    def token(self, text: str, number: int = 0) -> Sequence[str]:
        """The event `token`."""
        return (self._numbered(Token(text), number),)

    def encode(self, event: AnyEvent, number: int = 0) -> Iterator[str]:
        """Every event is told."""
        yield self._numbered(event, number)

    def _numbered(self, event: AnyEvent, number: int) -> str:
        frame = self._encode(event)
        return (b'%b,"n":%d}' % (frame[:-1], number) if number else frame).decode()


def cited_sources(provenance: Provenance) -> str:
    """The sources that an answer cites, a line each, for those who get nothing but its text; empty where it cites none.
    Words that are the same in both languages."""
    cited = {one.number for one in provenance.citations}
    lines = [_source_line(one) for one in provenance.sources if one.number in cited]
    return "\n".join(["Sources:", *lines]) if lines else ""


def _source_line(source: SourceFacts) -> str:
    page = f"p. {source.page}" if source.page else ""
    heading = heading_below(source.title, source.heading)
    about = ", ".join(shown_title(part) for part in (source.title, heading, page) if part)
    address = shown_address(source.address)
    return f"[{source.number}] " + " ".join(part for part in (about, address) if part)


def _without_end(text: str) -> Iterator[str]:
    head, *rest = text.split(_END)
    if head or not rest:
        yield head + "<" if rest else head
    elif rest:
        yield "<"
    for index, piece in enumerate(rest):
        yield _END[1:] + piece + ("<" if index + 1 < len(rest) else "")
