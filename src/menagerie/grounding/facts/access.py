"""Who may use a collection: its owner, and those whom it is for. For everybody else it does not exist."""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User, name_of_person

EVERYONE: Final = "everyone"
USER: Final = "user:"
PERSONA: Final = "persona:"
MACHINE: Final = ""
"""The owner of what an administrator made on the machine itself: nobody who asks over the network."""
MOST_READERS: Final = 256

_LONGEST: Final = 200
_SHOWN: Final = 64


class Kept(Protocol):
    """What has an owner and readers."""

    @property
    def name(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def readers(self) -> tuple[str, ...]: ...


class Asker(msgspec.Struct, frozen=True):
    """Who wants to use a collection: a user, and the persona that asks for them, if one does. An `administrator` sits
    at the machine, and may use all of them."""

    user: User = User()
    persona: str = ""
    administrator: bool = False

    @property
    def is_named(self) -> bool:
        """Whether what they make can be theirs tomorrow."""
        return self.administrator or bool(self.user.names)

    @property
    def owner(self) -> str:
        """Whom the collections that they make belong to."""
        return MACHINE if self.administrator else self.user.id


ADMINISTRATOR: Final = Asker(administrator=True)


def may_change(asker: Asker, kept: Kept) -> bool:
    """Whether they may add to it, remove from it, and remove it. A key that is for certain personas only is for
    talking to them: with it, nobody owns anything."""
    if asker.administrator:
        return True
    user = asker.user
    return bool(user.names) and not user.personas and kept.owner in user.names


def may_read(asker: Asker, kept: Kept) -> bool:
    """Whether they may search in it and see what it holds.

    A key for certain personas finds what its owner may find while one of them asks; without one, only what is for
    everybody.
    """
    if may_change(asker, kept) or EVERYONE in kept.readers:
        return True
    user, persona = asker.user, unicodedata.normalize("NFC", asker.persona)
    if persona and f"{PERSONA}{persona}" in kept.readers:
        return True
    if user.personas and not persona:
        return False
    return kept.owner in user.names or any(f"{USER}{name}" in kept.readers for name in user.names)


def unknown(name: str) -> MenagerieError:
    """What whoever may not use a collection is told, and whoever asks for one that there is not."""
    return MenagerieError(ErrorCode.FACTS_UNKNOWN, name=_printable(name)[:_SHOWN])


@contextlib.contextmanager
def told_as(name: str) -> Iterator[None]:
    """A collection that is removed while somebody works on it is unknown by the name that they gave."""
    try:
        yield
    except MenagerieError as failure:
        if failure.code is ErrorCode.FACTS_UNKNOWN:
            raise unknown(name) from failure
        raise


def reader_of(word: str) -> str:
    """`everyone`, `user:NAME` or `persona:NAME` in the one spelling that is kept; empty for what is none of them."""
    word = word.strip()
    if word == EVERYONE:
        return EVERYONE
    kind, colon, name = word.partition(":")
    if kind + colon == USER:
        known = name_of_person(name)
        return f"{USER}{known}" if known else ""
    name = unicodedata.normalize("NFC", name.strip())
    if kind + colon == PERSONA and name and len(name) <= _LONGEST and name.isprintable():
        return f"{PERSONA}{name}"
    return ""


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in name)
