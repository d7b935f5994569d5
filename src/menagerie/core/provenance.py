"""How an answer accounts for itself: made where the facts arise, carried by `Done`, stored and exported."""

from __future__ import annotations

import msgspec


class ModelFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which weights answered. `sha256` is that of the file; empty for a remote engine, which does not tell."""

    name: str
    file: str = ""
    sha256: str = ""
    architecture: str = ""
    quantization: str = ""
    parameters: str = ""
    licence: str = ""
    source: str = ""
    """Where the weights came from: `hub:…`, `package:…`, `url:…`, `file:…` or `engine:…`."""


class SourceFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an answer rests on: pasted text, or a passage of a page or of a document, which is kept word for word."""

    number: int
    kind: str
    title: str = ""
    address: str = ""
    characters: int = 0
    heading: str = ""
    page: int = 0
    language: str = ""
    read: str = ""
    passage: str = ""


class CitationFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the answer cites for its text from `start` to `end`. See the event `Citation`."""

    number: int
    start: int
    end: int
    verdict: str
    by: str = "model"


class Timings(msgspec.Struct, frozen=True, omit_defaults=True):
    """Milliseconds since the turn was accepted."""

    grounding_ms: float = 0.0
    """That finding and reading sources took."""
    queued_ms: float = 0.0
    first_token_ms: float = 0.0
    total_ms: float = 0.0


class SchemaFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a structured answer is held to its schema, and how it came about."""

    verdict: str
    """`guaranteed`: whatever the grammar lets pass meets the schema. `verified`: some keywords were checked
    afterwards. Both were verified as a whole."""
    strength: str
    """The step at which the grammar compiled: `strict`, `coerced`, `lenient`, `relaxed`, `shallow` or `any`."""
    guaranteed: tuple[str, ...] = ()
    """Keywords of the schema that the grammar enforces everywhere."""
    verified: tuple[str, ...] = ()
    """Keywords of which at least one place was only checked afterwards."""
    attempts: int = 1
    closed: bool = False
    """The end is ours: the engine had stopped short, or repeated itself."""
    repaired: bool = False
    """What broke the schema was left out or trimmed."""


class Provenance(msgspec.Struct, frozen=True, omit_defaults=True):
    """The account of one answer."""

    service: str
    persona: str
    language: str
    model: ModelFacts
    started: str
    """ISO 8601 with the offset of the configured zone."""
    wanted_model: str = ""
    """The persona's own model, where it was not installed and the default one answered instead."""
    finish: str = "stop"
    """`stop`; `length` where the answer reached the limit of tokens; how the turn ended where it was not complete."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    answer_tokens: int = 0
    answer_language: str = ""
    """That in which the answer is written (`en`, `fr`); empty where that is not clear."""
    dropped_messages: int = 0
    """Older messages that no longer fitted into the context window."""
    sources: tuple[SourceFacts, ...] = ()
    citations: tuple[CitationFacts, ...] = ()
    timings: Timings = Timings()
    schema: SchemaFacts | None = None
    """For structured answers."""
    ai_generated: bool = msgspec.field(default=True)
