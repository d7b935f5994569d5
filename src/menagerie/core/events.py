"""The one union of events that a turn is made of. Every interface only encodes these.

A turn is `Accepted`, then any of `Queued`, `Notice`, `Source`, `Token`, `Citation`, `Called`, then exactly one `Done`
or `Failed`. A turn that is refused before it is recorded is a single `Failed`; one that is over, and whose events
nobody holds any more, is a single `Ended`.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from menagerie.core.probabilities import TokenLogprob
from menagerie.core.provenance import Provenance

Outcome = Literal["done", "failed", "cancelled", "interrupted"]


class Event(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """What all events share: the tag `type`, their class name in lower case."""


class Accepted(Event, frozen=True, omit_defaults=True):
    """The turn is recorded; from here on it ends in `Done` or `Failed`, whatever happens. `conversation` is the first
    of the sessions that branched from one another, where it is another than `session`."""

    turn: str
    session: str
    persona: str
    conversation: str = ""


class Queued(Event, frozen=True, omit_defaults=True):
    """The turn waits for an engine. `position` counts from 1; `expected_s` is an estimate in seconds."""

    position: int
    expected_s: float | None = None


class Notice(Event, frozen=True):
    """Something the person should know; `text` is in the language of the turn."""

    code: str
    text: str


class Source(Event, frozen=True, omit_defaults=True):
    """A passage that the answer may rest on, and cites by its `number`; `read` is when it was read (ISO 8601)."""

    number: int
    kind: str
    title: str = ""
    address: str = ""
    passage: str = ""
    heading: str = ""
    page: int = 0
    language: str = ""
    read: str = ""


class Citation(Event, frozen=True, omit_defaults=True):
    """The answer cites source `number` for its text from `start` to `end` (characters from its beginning): whether that
    source supports it (`supported`, `unsupported`, `unknown`), and who put the citation there (`model`, `service`)."""

    number: int
    start: int
    end: int
    verdict: str
    by: str = "model"


class Token(Event, frozen=True, omit_defaults=True):
    """The next piece of the answer: the text of one token, or of the several that came at once. `logprobs` are their
    probabilities, where they were asked for."""

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


class Called(Event, frozen=True):
    """The model wants a function called, whose `arguments`, a JSON object as text, meet its schema."""

    id: str
    name: str
    arguments: str


class Done(Event, frozen=True):
    """The answer is complete, and stored."""

    turn: str
    session: str
    provenance: Provenance


class Failed(Event, frozen=True, omit_defaults=True):
    """The turn is over without a complete answer. `code` is stable, `message` is for the person."""

    code: str
    message: str
    turn: str = ""
    session: str = ""
    retry_after: float | None = None


class Ended(Event, frozen=True):
    """How a turn ended, as it is stored: in the place of all its events. `code` and `message` are those of a `Failed`,
    empty where the answer is complete; `answer` is what there is of it."""

    turn: str
    session: str
    conversation: str
    outcome: Outcome
    code: str = ""
    message: str = ""
    answer: str = ""
    provenance: Provenance | None = None


class Pong(Event, frozen=True):
    """The connection is alive. It belongs to no turn."""


AnyEvent = Accepted | Queued | Notice | Source | Token | Citation | Called | Done | Failed | Ended
LAST: Final = (Done, Failed, Ended)
"""After one of these nothing comes of a turn."""
