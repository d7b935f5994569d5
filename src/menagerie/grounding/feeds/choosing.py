"""Which feeds the words of a prompt ask for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from menagerie.grounding.feeds.table import Place, Subject
from menagerie.grounding.feeds.wording import LONGEST, Wording, said_in

MOST: Final = 3
"""Feeds, and places of a feed, that one prompt asks for."""


def asked_for(subjects: Sequence[Subject], prompt: str) -> tuple[Subject, ...]:
    """The feeds of `subjects` that a prompt asks for, at most `MOST`, the surest first.

    The words of both languages count, whichever the person reads: a topic is often named in the other one. A topic is
    asked for in the place of the feed that it is within, where that one is asked for too.
    """
    said = said_in(prompt)
    if len(said.split()) > LONGEST:
        return ()
    sizes = {subject.id: _size(subject, said) for subject in subjects}
    asked = [one for one in subjects if sizes[one.id] and (not one.within or sizes.get(one.within))]
    narrowed = {one.within for one in asked}
    chosen = [one for one in asked if one.id not in narrowed]
    return tuple(sorted(chosen, key=lambda one: -sizes[one.id])[:MOST])


def places_named(subject: Subject, prompt: str) -> tuple[Place, ...]:
    """The places of a feed that a prompt names, at most `MOST`."""
    said = said_in(prompt)
    return tuple(place for place in subject.places if _longest(place.words, said))[:MOST]


def _size(subject: Subject, said: str) -> int:
    """How many words of a prompt ask for a feed; 0 where none do, or some tell that something else is meant."""
    if any(one.is_in(said) for wordings in subject.unless.values() for one in wordings):
        return 0
    return max(_longest(wordings, said) for wordings in subject.words.values())


def _longest(wordings: Sequence[Wording], said: str) -> int:
    return max((one.size for one in wordings if one.is_in(said)), default=0)
