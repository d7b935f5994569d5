"""Which of the two languages a request is answered in."""

from __future__ import annotations

from typing import Final

from starlette.requests import HTTPConnection

from menagerie.core.languages import negotiate, parse_language
from menagerie.locales import Language
from menagerie.settings import Settings

PARAMETER: Final = "lang"
COOKIE: Final = "lang"


def language_of(connection: HTTPConnection, settings: Settings) -> Language:
    """The language that was asked for: by `?lang=`, by the path (`/en/…`, `/fr/…`), by the cookie `lang`, by
    `Accept-Language`; else that of the settings. What is none of ours counts as not given."""
    path = str(connection.scope.get("path", ""))
    return (
        parse_language(connection.query_params.get(PARAMETER))
        or _of_path(path)
        or parse_language(connection.cookies.get(COOKIE))
        or negotiate(", ".join(connection.headers.getlist("accept-language")), settings.language)
    )


def _of_path(path: str) -> Language | None:
    first = path.split("/", 2)[1:2]
    return parse_language(first[0]) if first and len(first[0]) == len("en") else None
