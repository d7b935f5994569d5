"""Sources of a site's own, registered as every source is: by an entry point of an installed package."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"


@contextmanager
def installed(folder: Path, name: str, source: str) -> Iterator[None]:
    """A package `name`, whose one module has this source and a factory `source`, for as long as the block runs."""
    place = folder / f"{name}-installed"
    information = place / f"{name}-1.0.dist-info"
    information.mkdir(parents=True)
    (place / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    (information / "METADATA").write_text(_METADATA.format(name=name), encoding="utf-8")
    points = f"[menagerie.sources]\n{name} = {name}:source\n"
    (information / "entry_points.txt").write_text(points, encoding="utf-8")
    sys.path.insert(0, str(place))
    try:
        yield
    finally:
        sys.path.remove(str(place))
        sys.modules.pop(name, None)


SHELF = """
    from menagerie.core.errors import ErrorCode, MenagerieError
    from menagerie.grounding.document import Document, Part, Passage
    from menagerie.grounding.source import Candidate, Option

    PAGES = {
        "Leave": "Employees of the lighthouse earn nineteen days of vacation leave in a year.",
        "Soup": "The cafeteria serves pea soup on Thursdays.",
    }

    class Shelf:
        kind = "shelf"
        asked = []

        def serves(self, where):
            return where.startswith("shelf")

        def options(self, where, language):
            return [Option(where, "The shelf of the lighthouse: leave, soup")]

        def suggested(self, prompt, language):
            return ["shelf"] if "off the shelf" in prompt else []

        async def search(self, lookup):
            Shelf.asked.append(lookup)
            if "broken" in lookup.where[0]:
                raise MenagerieError(ErrorCode.SEARCH_FAILED)
            if "odd" in lookup.where[0]:
                raise KeyError("a fault of the shelf's own")
            return [Candidate(kind="shelf", title=title, address=f"https://shelf.example/{title}") for title in PAGES]

        async def read(self, candidate, lookup):
            return Document(title=candidate.title, address=candidate.address, language="en",
                            parts=(Part(PAGES[candidate.title], ("Rules",), 7),))

    def source(kit):
        return Shelf()
"""
"""A source of two pages, that finds both whatever is asked; `shelf:broken` and `shelf:odd` fail."""
