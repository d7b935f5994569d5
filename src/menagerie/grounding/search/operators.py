"""Queries as the large search engines understand them, short enough for all of them and for an address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote_plus

from menagerie.grounding.search.answers import plain

LONGEST: Final = 400
"""Characters of a query, and …"""
MOST_WORDS: Final = 50
"""… its words: the least that any of the engines takes."""
LONGEST_WRITTEN: Final = 900
"""Characters of terms as they stand in an address, where a letter with an accent takes six."""


def restricted(terms: str, domains: Sequence[str]) -> str:
    """The terms, on these domains only. What does not fit is left off: terms first, then domains."""
    sites: list[str] = []
    for domain in domains:
        tried = " OR ".join([*sites, f"site:{domain}"])
        if len(tried) > LONGEST - 100 or 2 * len(sites) + 1 > MOST_WORDS - 20:
            break
        sites.append(f"site:{domain}")
    wanted = f"({' OR '.join(sites)})" if len(sites) > 1 else "".join(sites)
    return f"{fitting(terms, LONGEST - len(wanted) - 1, MOST_WORDS - 2 * len(sites))} {wanted}"


def fitting(terms: str, longest: int, most_words: int = MOST_WORDS) -> str:
    """As many whole words of the terms as fit."""
    kept = ""
    for word in plain(terms, 2 * longest).split()[:most_words]:
        tried = f"{kept} {word}".lstrip()
        if len(tried) > longest or len(quote_plus(tried)) > LONGEST_WRITTEN:
            break
        kept = tried
    return kept
