"""What searches sites: a question in, addresses out. One file for each, and all they give is the text of strangers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

import msgspec

from menagerie.locales import Language

REGION: Final = "CA"
"""Where those are for whom is searched, as search engines want to know."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched, on which domains (in ASCII and lower case), for the user with that share, how many results."""

    terms: str
    question: str
    domains: tuple[str, ...]
    language: Language
    share: str
    most: int


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A result as the provider tells it: unchecked."""

    title: str
    address: str
    snippet: str = ""
    date: datetime | None = None
    language: str = ""


class Provider(Protocol):
    """Searches, in the order that it finds best. It raises `MenagerieError` only."""

    async def search(self, query: Query) -> Sequence[Hit]:
        """What was found, perhaps elsewhere than on the domains too: who asks sorts that out."""
        ...
