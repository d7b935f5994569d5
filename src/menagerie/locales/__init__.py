"""Every text that a person reads, in English and in French, by key."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final, Literal

import msgspec

Language = Literal["en", "fr"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "fr")


@cache
def catalogue(language: Language) -> dict[str, str]:
    """All texts of one language, by key. The two languages have the same keys and placeholders (tested)."""
    merged: dict[str, str] = {}
    folder = resources.files(__package__).joinpath(language)
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".json"):
            merged.update(msgspec.json.decode(entry.read_bytes(), type=dict[str, str]))
    return merged


def text(key: str, language: Language, /, **values: object) -> str:
    """The text of `key`, its `{placeholders}` filled in. An unknown key raises `KeyError`: a defect of ours."""
    template = catalogue(language)[key]
    return template.format(**values) if values else template
