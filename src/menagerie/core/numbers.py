"""Numbers as people of each language write them."""

from __future__ import annotations

from typing import Final

from menagerie.locales import Language

_NO_BREAK: Final = "\N{NO-BREAK SPACE}"


def number_text(value: float, language: Language, digits: int = 0, unit: str = "") -> str:
    """`1,234.5 s` in English, `1 234,5 s` in French, with non-breaking spaces."""
    plain = f"{value:,.{digits}f}"
    if language == "fr":
        plain = plain.replace(",", _NO_BREAK).replace(".", ",")
    return f"{plain}{_NO_BREAK}{unit}" if unit else plain
