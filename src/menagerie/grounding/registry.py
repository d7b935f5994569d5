"""The sources of a service: all that are registered under `menagerie.sources`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import entry_points
from typing import Final

import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.source import Kit, Source

log = structlog.get_logger("menagerie.grounding")

GROUP: Final = "menagerie.sources"
_SHOWN: Final = 60

Factory = Callable[[Kit], Source]


class Sources:
    """Sources by the places that they serve: the first that serves one has it, in the order of their names; those
    that are `general`, because they serve nearly any place, come after all the others."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = tuple(sorted(sources, key=lambda source: bool(getattr(source, "general", False))))

    @classmethod
    def installed(cls, kit: Kit) -> Sources:
        """All that are registered. One that cannot be made is left out, and the log says so."""
        made: list[Source] = []
        for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
            try:
                factory: Factory = point.load()
                made.append(factory(kit))
            except Exception:  # somebody else's code: one source less is better than no service
                log.exception("source.not_made", source=point.name)
        return cls(made)

    def __iter__(self) -> Iterator[Source]:
        return iter(self._sources)

    def of(self, where: str) -> Source:
        """Who serves a place. Raises `source.unknown`."""
        for source in self._sources:
            if source.serves(where):
                return source
        raise MenagerieError(ErrorCode.SOURCE_UNKNOWN, name=" ".join(where[:_SHOWN].split()))
