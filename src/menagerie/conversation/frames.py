"""The text frames of the plain websocket contract: a prompt, with what a client may put before it."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.given import Given

_NAMES: Final = ("SESSION", "CONTEXT", "CONTENT", "RAG")
_OPENS: Final = re.compile(r"\|(SESSION|CONTEXT|CONTENT|RAG)\|")
_ADDRESS: Final = re.compile(r"\s*(https?://\S+)(?:\s|$)", re.IGNORECASE)
_PLACES: Final = re.compile(r"\s*\|RAG\|((?:(?!\|/RAG\|).){0,4000})\|/RAG\|\s*", re.DOTALL)
_LONGEST_ID: Final = 200


class Frame(msgspec.Struct, frozen=True):
    """A decoded frame. `session` None: no prefix; empty: a new session whose id is to be told. `request` and `after`
    are those of a `TurnRequest`."""

    prompt: str
    session: str | None = None
    given: tuple[Given, ...] = ()
    address: str = ""
    sources: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    request: str = ""
    after: str | None = None
    pictures: tuple[str, ...] = ()


def parse(frame: str) -> Frame:
    """Decode one frame: any of `|SESSION|id|/SESSION|`, `|CONTEXT|text|/CONTEXT|`, `|CONTENT|text|/CONTENT|`,
    `|RAG|place|place|/RAG|`, at most one of each and in any order, then perhaps the address of a page or a feed, then
    the prompt.

    Raises `frame.prefix_broken` for a prefix that does not end.
    """
    session: str | None = None
    given: list[Given] = []
    sources: tuple[str, ...] = ()
    rest = frame.lstrip()
    seen: set[str] = set()
    while (opening := _OPENS.match(rest)) and opening[1] not in seen:
        name = opening[1]
        value, closing, after = rest[opening.end() :].partition(f"|/{name}|")
        if not closing:
            raise MenagerieError(ErrorCode.PREFIX_BROKEN)
        if name == "RAG":
            sources = _places(value)
        elif name == "SESSION":
            session = _session_id(value)
        elif value.strip():
            given.append(Given("context" if name == "CONTEXT" else "content", value))
        seen.add(name)
        rest = after.lstrip()
    if _is_broken_prefix(rest):
        raise MenagerieError(ErrorCode.PREFIX_BROKEN)
    address, rest = _addressed(rest)
    return Frame(rest, session, tuple(given), address, sources)


def looking_at(prompt: str) -> Frame:
    """What a person writes in front of a prompt, where everything else has a field of its own: whole, the places to
    look in (`|RAG|place|place|/RAG|`), and an address. Half of it is part of the prompt."""
    places = _PLACES.match(prompt)
    address, rest = _addressed(prompt[places.end() :] if places else prompt)
    if places is None and not address:
        return Frame(prompt)
    return Frame(rest, address=address, sources=_places(places[1]) if places else ())


def _addressed(rest: str) -> tuple[str, str]:
    """The address that a prompt begins with, and what follows it."""
    address = _ADDRESS.match(rest)
    return (address[1], rest[address.end() :].lstrip()) if address else ("", rest)


def _places(value: str) -> tuple[str, ...]:
    return tuple(place for one in value.split("|") if (place := one.strip()))


def _session_id(value: str) -> str:
    identifier = value.strip()
    if len(identifier) > _LONGEST_ID:
        raise MenagerieError(ErrorCode.SESSION_UNKNOWN)
    return identifier


def _is_broken_prefix(rest: str) -> bool:
    """Whether the frame ends within a prefix: `|SESS`, or begins with a closing one."""
    whole = any(rest.startswith(f"|/{name}|") for name in _NAMES)
    return whole or (len(rest) > 1 and any(f"|{name}|".startswith(rest) for name in _NAMES))
