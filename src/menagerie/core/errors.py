"""What can go wrong, each with a stable code and a text in both languages (`locales/*/errors.json`)."""

from __future__ import annotations

from enum import StrEnum

from menagerie.locales import Language, catalogue, text


class ErrorCode(StrEnum):
    """Stable codes, part of every interface. The text of a code is `error.<code>` in the catalogues."""

    ANSWER_EMPTY = "answer.empty"
    BATCH_INVALID = "batch.invalid"
    BATCH_UNKNOWN = "batch.unknown"
    FILE_UNKNOWN = "file.unknown"
    FILE_TOO_MANY = "file.too_many"
    ROW_INVALID = "row.invalid"
    BAD_REQUEST = "request.invalid"
    BODY_TOO_LARGE = "request.too_large"
    METHOD_NOT_ALLOWED = "request.method_not_allowed"
    NOT_FOUND = "request.not_found"
    ADDRESS_REFUSED = "request.address_refused"
    HOST_REFUSED = "request.host_refused"
    ORIGIN_REFUSED = "request.origin_refused"
    CONNECTIONS_FULL = "request.connections_full"
    IDLE = "request.idle"
    FRAME_BINARY = "frame.binary"
    FRAME_TOO_LARGE = "frame.too_large"
    FRAME_INVALID = "frame.invalid"
    PREFIX_BROKEN = "frame.prefix_broken"
    SOURCE_OFF = "source.off"
    SOURCE_REFUSED = "source.refused"
    SOURCE_TOO_LARGE = "source.too_large"
    SOURCE_UNREACHABLE = "source.unreachable"
    SOURCE_UNREADABLE = "source.unreadable"
    SOURCE_UNKNOWN = "source.unknown"
    SOURCE_TOO_MANY = "source.too_many"
    SOURCE_NOTHING = "source.nothing"
    SEARCH_OFF = "search.off"
    SEARCH_FAILED = "search.failed"
    DOCUMENT_BROKEN = "document.broken"
    DOCUMENT_ENCRYPTED = "document.encrypted"
    DOCUMENT_EMPTY = "document.empty"
    DOCUMENT_SCANNED = "document.scanned"
    DOCUMENT_TOO_LARGE = "document.too_large"
    DOCUMENT_UNSUPPORTED = "document.unsupported"
    DOCUMENT_UNKNOWN = "document.unknown"
    DOCUMENT_UNREADABLE = "document.unreadable"
    FACTS_FORBIDDEN = "facts.forbidden"
    FACTS_FULL = "facts.full"
    FACTS_INVALID = "facts.invalid"
    FACTS_NAME_TAKEN = "facts.name_taken"
    FACTS_UNKNOWN = "facts.unknown"
    FEEDS_INVALID = "feeds.invalid"
    CLIENT_TOO_SLOW = "client.too_slow"
    PERSONA_UNKNOWN = "persona.unknown"
    PROMPT_EMPTY = "prompt.empty"
    PROMPT_TOO_LONG = "prompt.too_long"
    SESSION_UNKNOWN = "session.unknown"
    SESSION_BUSY = "session.busy"
    SCHEMA_INVALID = "schema.invalid"
    SCHEMA_TOO_COMPLEX = "schema.too_complex"
    SCHEMA_NOT_MET = "schema.not_met"
    KEY_INVALID = "key.invalid"
    KEY_REQUIRED = "key.required"
    KEY_RATE_LIMITED = "key.rate_limited"
    KEY_NAME_TAKEN = "key.name_taken"
    KEY_UNKNOWN = "key.unknown"
    IMAGE_UNSUPPORTED = "image.unsupported"
    PICTURE_TOO_MANY = "picture.too_many"
    PICTURE_UNSUPPORTED = "picture.unsupported"
    MODEL_MISSING = "model.missing"
    MODEL_BROKEN = "model.broken"
    MODEL_UNKNOWN = "model.unknown"
    MODEL_DOWNLOAD_FAILED = "model.download_failed"
    MODEL_HASH_MISMATCH = "model.hash_mismatch"
    MODEL_SOURCE_INVALID = "model.source_invalid"
    MODEL_UNSUITABLE = "model.unsuitable"
    MODEL_SET_ASIDE = "model.set_aside"
    MODEL_TOO_LARGE = "model.too_large"
    MODEL_OUT_OF_MEMORY = "model.out_of_memory"
    DISK_FULL = "disk.full"
    EMBEDDINGS_OFF = "embeddings.off"
    ENGINE_UNAVAILABLE = "engine.unavailable"
    ENGINE_LOST = "engine.lost"
    ENGINE_REFUSED = "engine.refused"
    ENGINE_TIMEOUT = "engine.timeout"
    QUEUE_FULL = "queue.full"
    STORE_UNAVAILABLE = "store.unavailable"
    TURN_INTERRUPTED = "turn.interrupted"
    TURN_CANCELLED = "turn.cancelled"
    TURN_TIMEOUT = "turn.timeout"
    TURN_KNOWN = "turn.known"
    TURN_UNKNOWN = "turn.unknown"
    STOPPING = "service.stopping"
    SERVICE_REFUSED = "service.refused"
    SERVICE_UNREACHABLE = "service.unreachable"
    INTERNAL = "internal"


class MenagerieError(Exception):
    """A failure that its caller may be told of. `values` fill the placeholders of its text; a `unit` is named by its
    key, `unit.<unit>`.

    `retry_after` is in seconds, and set only where trying again can help. `file` is what the person calls the file that
    the failure is about, on one line; empty where it is about none of several.
    """

    def __init__(
        self, code: ErrorCode, /, *, retry_after: float | None = None, **values: str | float
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.retry_after = retry_after
        self.values = values
        self.file = ""

    def of(self, file: str) -> MenagerieError:
        """The same failure, of a file that has this name."""
        named = MenagerieError(self.code, retry_after=self.retry_after, **self.values)
        named.file = file
        return named

    def message(self, language: Language) -> str:
        """The sentence for a person, in their language; it holds nothing of the inside."""
        values = {**self.values}
        if "unit" in values:
            values["unit"] = text(f"unit.{values['unit']}", language)
        sentence = text(f"error.{self.code.value}", language, **values)
        return text("failure.of_file", language, file=self.file, failure=sentence) if self.file else sentence

    def __str__(self) -> str:
        details = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"{self.code.value}({details})"


def remembered(code: str, language: Language) -> str:
    """The sentence for a failure of which only the code was kept; empty for none. Where it would name what is not known
    any more, or the code is none of ours, it only says that there was no answer."""
    if not code:
        return ""
    sentence = catalogue(language).get(f"error.{code}", "{")
    return text("failure.remembered", language) if "{" in sentence else sentence
