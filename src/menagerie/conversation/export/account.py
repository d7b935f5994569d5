"""The account of an answer as names and values, in one language."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo

import msgspec

from menagerie.conversation.prompt import spoken_time
from menagerie.core.numbers import number_text
from menagerie.core.provenance import Provenance, SchemaFacts
from menagerie.locales import Language, text


class Fact(msgspec.Struct, frozen=True):
    """Something that is known, with its name."""

    name: str
    value: str


def facts_of(account: Provenance | None, language: Language, zone: tzinfo) -> Iterator[Fact]:
    """What an answer tells of itself, but for its sources; what is not known is left out."""
    if account is None:
        return
    model, timings = account.model, account.timings

    def number(value: float) -> str:
        return number_text(value, language)

    def seconds(milliseconds: float) -> str:
        return number_text(milliseconds / 1000, language, 1, "s")

    values = {
        "model": model.name,
        "wanted": account.wanted_model,
        "quantization": model.quantization,
        "parameters": model.parameters,
        "licence": model.licence,
        "file": model.file,
        "sha256": model.sha256,
        "origin": model.source,
        "persona": account.persona,
        "started": moment_of(account.started, language, zone),
        "tokens": text(
            "export.account.tokens_value",
            language,
            prompt=number(account.prompt_tokens),
            cached=number(account.cached_tokens),
            answer=number(account.answer_tokens),
        ),
        "timings": text(
            "export.account.timings_value",
            language,
            grounding=seconds(timings.grounding_ms),
            queued=seconds(timings.queued_ms),
            first=seconds(timings.first_token_ms),
            total=seconds(timings.total_ms),
        ),
        "dropped": number(account.dropped_messages) if account.dropped_messages else "",
        "end": text("export.account.end_length", language) if account.finish == "length" else "",
        "schema": _schema(account.schema, language) if account.schema else "",
        "service": account.service,
    }
    for name, value in values.items():
        if value:
            yield Fact(text(f"export.account.{name}", language), value)


def moment_of(written: str, language: Language, zone: tzinfo) -> str:
    """A moment in ISO 8601 with its offset, as people of the language write it; as it is where it is none."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return written
    return spoken_time(moment.astimezone(zone), language)


def _schema(schema: SchemaFacts, language: Language) -> str:
    keywords = ", ".join(schema.verified)
    how = "schema_verified" if keywords else "schema_guaranteed"
    return text(f"export.account.{how}", language, keywords=keywords)
