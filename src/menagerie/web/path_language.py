"""The language of a page, from its address."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from menagerie.locales import LANGUAGES, Language


def language_in_path(request: Request) -> Language:
    """The language that an address begins with: `/en/…` or `/fr/…`."""
    first = request.url.path.split("/", 2)[1]
    return next(language for language in LANGUAGES if language == first)


PathLanguage = Annotated[Language, Depends(language_in_path)]
