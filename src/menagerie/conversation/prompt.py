"""What the model is told: the persona's imperative, the time, the person's prompt and what they hand over.

The beginning of a prompt stays the same from turn to turn and from person to person as far as it can (imperative
first, date after it, nothing in it ever rewritten), so that the engine's cache serves it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from menagerie.core.languages import parse_language
from menagerie.core.marks import without_marks
from menagerie.core.messages import Message, Role
from menagerie.grounding.document import Passage
from menagerie.grounding.given import Given
from menagerie.grounding.grounder import Grounded
from menagerie.grounding.telling import heading_below
from menagerie.locales import LANGUAGES, Language, catalogue, text

_STALE: Final = timedelta(hours=1)
_QUOTES: Final = re.compile('"{3,}')
_NUMBERED: Final = re.compile(r"(?<=\[)(?=\d+\])")
"""Where a text of others would look like one of our numbers: a word joiner makes it another."""
_KNOWN_BY: Final = 40
_CLOSING: Final = re.compile(r'^"{3,}$', re.MULTILINE)


def system_prompt(
    imperative: str,
    stuffing: str,
    now: datetime,
    language: Language,
    user: str = "",
    *,
    is_fetched: bool = False,
) -> str:
    """The system prompt of a conversation that begins `now` (aware, in the configured zone), with the name of the
    `user` where the persona is told who asks. What was fetched is in the words of others: it gives no orders."""
    parts = [imperative.strip()]
    if stuffing and is_fetched:
        parts.append(text("prompt.stuffing_fetched", language, text=_fenced(without_marks(stuffing))))
    elif stuffing:
        parts.append(text("prompt.stuffing", language, text=stuffing.strip()))
    if user:
        parts.append(text("prompt.user", language, name=without_marks(" ".join(user.split()))))
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


def sources_message(grounded: Grounded, language: Language, first: int, *, strict: bool) -> str:
    """What was found for the prompt, each passage with its number, marked as material that gives no orders; or that
    nothing was found."""
    if not grounded.passages:
        return text("prompt.nothing_found", language) if grounded.looked else ""
    passages = "\n\n".join(
        _numbered(number, passage, language) for number, passage in enumerate(grounded.passages, first)
    )
    key = "prompt.sources_strict" if strict else "prompt.sources"
    return text(key, language, text=_fenced(passages), example=f"[{first}]")


def asked_in(content: str) -> str:
    """What a person asked, of a message that may also hold what they handed over, or what was found for them: that
    comes first, in our words, and what they asked follows its last mark."""
    if not content.startswith(_handing_over()):
        return content
    *_, asked = _CLOSING.split(content)
    return asked.strip()


@functools.cache
def _handing_over() -> tuple[str, ...]:
    keys = [key for key in catalogue("en") if key.startswith(("prompt.given.", "prompt.sources"))]
    return tuple(
        catalogue(language)[key].partition("{")[0][:_KNOWN_BY] for key in keys for language in LANGUAGES
    )


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


def instructed(messages: Sequence[Message], instructions: str) -> tuple[Message, list[Message]]:
    """The system message of a conversation, with a caller's instructions behind its own words, and the history. The
    persona's words alone may hold marks of templates."""
    has_system = bool(messages) and messages[0].role == "system"
    own = messages[0].content if has_system else ""
    system = "\n\n".join(part for part in (own, without_marks(instructions.strip())) if part)
    return Message("system", system), [*messages[1 if has_system else 0 :]]


def spoken(message: Message, language: Language = "en") -> str:
    """What a message says in words: calls and their results as text, since few templates have a place for them; and the
    marks by which templates tell who speaks as ordinary text."""
    if message.role == "tool":
        told = text("prompt.tool_result", language, call=message.answers, text=_fenced(message.content))
        return without_marks(told)
    calls = [
        text("prompt.tool_call", language, name=call.name, call=call.id, arguments=call.arguments)
        for call in message.calls
    ]
    return without_marks("\n".join(part for part in (message.content, *calls) if part))


def for_template(
    messages: Sequence[Message], takes_system: bool, language: Language = "en"
) -> tuple[Message, ...]:
    """`messages` as the model's chat template takes them: where it has no place for a system message, that goes
    before the first thing the person said; calls of tools and their results are told in words. Only the system
    prompt may hold the marks by which templates tell who speaks: engines read them wherever they stand."""
    if messages and messages[0].role == "system" and not messages[0].content:
        messages = messages[1:]
    messages = [one if one.role == "system" else _told(one, language) for one in messages]
    messages = _joined(messages)
    if takes_system or not messages or messages[0].role != "system":
        return tuple(messages)
    system, *rest = messages
    for index, message in enumerate(rest):
        if message.role == "user":
            said = f"{system.content}\n\n{message.content}"
            rest[index] = msgspec.structs.replace(message, content=said)
            break
    return tuple(rest)


def _joined(messages: Sequence[Message]) -> list[Message]:
    """The messages, with those that one side said in a row made one: many templates want the two to take turns."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            before = joined.pop()
            content = "\n\n".join(part for part in (before.content, message.content) if part)
            joined.append(Message(message.role, content, images=before.images + message.images))
        else:
            joined.append(message)
    return joined


def _told(message: Message, language: Language) -> Message:
    said = spoken(message, language)
    if message.role != "tool" and said == message.content:
        return message
    role: Role = "user" if message.role == "tool" else message.role
    return Message(role, said, message.tokens, images=message.images)


def _numbered(number: int, passage: Passage, language: Language) -> str:
    page = text("prompt.page", language, page=passage.page) if passage.page else ""
    quoted = parse_language(passage.language)
    foreign = text("prompt.foreign", language) if quoted and quoted != language else ""
    about = ", ".join(
        part for part in (passage.title, heading_below(passage.title, passage.heading), page, foreign) if part
    )
    where = f"{about} ({passage.address})" if about and passage.address else about or passage.address
    where = _NUMBERED.sub("\u2060", " ".join(where.split()))
    return f"[{number}] {where}\n{_NUMBERED.sub(chr(0x2060), passage.text)}"


def _fenced(material: str) -> str:
    """The text between marks that it does not itself contain."""
    fence = '"' * (max(map(len, _QUOTES.findall(material)), default=2) + 1)
    return f"{fence}\n{material.strip()}\n{fence}"
