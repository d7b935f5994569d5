"""The two official languages: texts in both, and which one a person asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from menagerie.locales import LANGUAGES, Language

Localized = str | Mapping[Language, str]
"""A text as a site may write it: one string for both languages, or one for each."""

OTHER: Final[dict[Language, Language]] = {"en": "fr", "fr": "en"}


def localized(value: Localized, language: Language) -> str:
    """`value` in `language`; in the other one where it has only that."""
    if isinstance(value, str):
        return value
    return value.get(language) or value.get(OTHER[language], "")


def parse_language(tag: str | None) -> Language | None:
    """The language of a tag such as `fr-CA`, or None where it is neither of ours."""
    primary = (tag or "").strip().lower().split("-", 1)[0]
    return next((language for language in LANGUAGES if language == primary), None)


def negotiate(accept_language: str | None, default: Language) -> Language:
    """The best of our languages for an `Accept-Language` header (RFC 9110, section 12.5.4)."""
    best, best_weight = default, 0.0
    for item in (accept_language or "")[:1000].split(","):
        tag, _, parameters = item.partition(";")
        language = parse_language(tag)
        weight = _weight(parameters)
        if language and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
