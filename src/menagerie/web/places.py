"""The places that a caller wants an answer looked up in, as requests name them."""

from __future__ import annotations

from typing import Any, Final

from menagerie.grounding.grounder import MOST_PLACES
from menagerie.web.errors import InvalidRequestError

LONGEST: Final = 253
"""Characters of a place: those of a host's name."""
_MEANING: Final = "a domain such as `canada.ca`, `wikipedia.org`, `feeds`, or `facts:<collection>`"
SOURCES: Final[dict[str, Any]] = {
    "type": "array",
    "maxItems": MOST_PLACES,
    "items": {"type": "string", "maxLength": LONGEST},
    "description": f"Places that the answer is to be looked up in, each {_MEANING}.",
}
BY_BAR: Final[dict[str, Any]] = {
    "type": "string",
    "description": f"Places that the answer is to be looked up in, separated by `|`, each {_MEANING}.",
}


def places_of(value: object) -> tuple[str, ...]:
    """Those of a list in JSON. Raises `request.invalid`."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) and len(one) <= LONGEST for one in value):
        raise _wrong()
    return _checked([one for one in value if isinstance(one, str)])


def places_in(value: str | None) -> tuple[str, ...]:
    """Those of a field of a form. Raises `request.invalid`."""
    return _checked((value or "").split("|"))


def _checked(places: list[str]) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(place for one in places if (place := one.strip())))
    if len(named) > MOST_PLACES or any(len(one) > LONGEST for one in named):
        raise _wrong()
    return named


def _wrong() -> InvalidRequestError:
    return InvalidRequestError("places_wrong", field="sources", places=MOST_PLACES, limit=LONGEST)
