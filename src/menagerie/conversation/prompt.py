"""What the model is told: the persona's imperative, the time, the person's prompt and what they hand over.

The beginning of a prompt stays the same from turn to turn and from person to person as far as it can (imperative
first, date after it, nothing in it ever rewritten), so that the engine's cache serves it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from menagerie.core.messages import Message
from menagerie.grounding.given import Given
from menagerie.locales import Language, text

_STALE: Final = timedelta(hours=1)
_JOINER: Final = "\u2060"
_MARKS: Final = re.compile(
    r"<[|｜][^<>\n]{1,60}[|｜]>|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>|\[/?(?:INST|SYSTEM_PROMPT)\]|<</?SYS>>"
)
"""Control tokens of the chat templates in use; a word joiner inside makes them ordinary text."""


def system_prompt(imperative: str, stuffing: str, now: datetime, language: Language) -> str:
    """The system prompt of a conversation that begins `now` (aware, in the configured zone)."""
    parts = [imperative.strip()]
    if stuffing:
        parts.append(text("prompt.stuffing", language, text=stuffing.strip()))
    parts.append(text("prompt.now", language, now=spoken_time(now, language)))
    return "\n\n".join(part for part in parts if part)


def user_message(
    prompt: str, given: Sequence[Given], now: datetime, last_at: datetime | None, language: Language
) -> str:
    """The person's message. What they hand over comes first, marked as material that gives no orders; a
    conversation that was left for over an hour is told the time again."""
    parts = [text(f"prompt.given.{one.kind}", language, text=_fenced(one.text)) for one in given]
    if last_at is not None and now - last_at > _STALE:
        parts.append(text("prompt.resumed", language, now=spoken_time(now, language)))
    parts.append(prompt)
    return "\n\n".join(parts)


def with_schema(content: str, schema: object, window: int, language: Language) -> str:
    """The message with the JSON Schema that the answer must meet: models write better what they have seen. One that
    would take more than about a quarter of the window is left to the grammar alone."""
    if schema is None:
        return f"{content}\n\n{text('prompt.json', language)}"
    written = msgspec.json.encode(schema).decode()
    if len(written) > window:
        return f"{content}\n\n{text('prompt.json', language)}"
    return f"{content}\n\n{text('prompt.schema', language, schema=written)}"


def spoken_time(now: datetime, language: Language) -> str:
    """Date and time as people of the language write them, without the platform's locales."""
    weekday = text(f"time.weekday.{now.isoweekday()}", language)
    month = text(f"time.month.{now.month}", language)
    day = "1er" if language == "fr" and now.day == 1 else str(now.day)
    return text(
        "time.spoken",
        language,
        weekday=weekday,
        month=month,
        day=day,
        year=now.year,
        hour=f"{now.hour}",
        hour12=f"{(now.hour + 11) % 12 + 1}",
        half=text("time.am" if now.hour < 12 else "time.pm", language),
        minute=f"{now.minute:02d}",
        zone=now.tzname() or "",
    )


def for_template(messages: Sequence[Message], takes_system: bool) -> tuple[Message, ...]:
    """`messages` as the model's chat template takes them: where it has no place for a system message, that goes
    before the first thing the person said. Only the system prompt may hold the marks by which templates tell who
    speaks: engines read them wherever they stand."""
    messages = [one if one.role == "system" else without_marks(one) for one in messages]
    if takes_system or not messages or messages[0].role != "system":
        return tuple(messages)
    system, *rest = messages
    for index, message in enumerate(rest):
        if message.role == "user":
            rest[index] = Message("user", f"{system.content}\n\n{message.content}")
            break
    return tuple(rest)


def without_marks(message: Message) -> Message:
    """The message as it is sent: with the marks of templates made ordinary text, which is longer."""
    broken = _MARKS.sub(lambda mark: mark[0][0] + _JOINER + mark[0][1:], message.content)
    return message if broken == message.content else Message(message.role, broken, message.tokens)


def _fenced(material: str) -> str:
    """The text between marks that it does not itself contain."""
    fence = '"""'
    while fence in material:
        fence += '"'
    return f"{fence}\n{material.strip()}\n{fence}"
