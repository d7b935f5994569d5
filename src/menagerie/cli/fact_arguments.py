"""The arguments of `menagerie facts`: what a name, a reader and a place may be."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Final

from menagerie.grounding.facts.access import reader_of

Said = Callable[..., str]
Added = Callable[[str, str], argparse.ArgumentParser]

NOBODY: Final = "nobody"
"""The reader that takes all readers away."""
MOST: Final = 50
_LONGEST_TITLE: Final = 200


def add(command: Added, said: Said) -> None:
    """Add `add`, `list`, `search`, `remove` and `reindex` by `command`, in the words of `said`."""

    def reader(word: str) -> str:
        known = word if word == NOBODY else reader_of(word)
        if not known:
            raise argparse.ArgumentTypeError(said("facts.reader_wrong", value=word))
        return known

    def title(word: str) -> str:
        if not word.isprintable() or len(word) > _LONGEST_TITLE:
            raise argparse.ArgumentTypeError(said("facts.title_wrong", most=_LONGEST_TITLE))
        return word.strip()

    def count(word: str) -> int:
        if not (word.isascii() and word.isdigit()) or not 0 < int(word[:9]) <= MOST:
            raise argparse.ArgumentTypeError(said("facts.most_wrong", value=word, most=MOST))
        return int(word)

    def named(action: str) -> argparse.ArgumentParser:
        made = command(action, f"facts.{action}")
        made.add_argument("name", metavar=said("facts.name_word"), help=said("facts.name"))
        return made

    adding = named("add")
    adding.add_argument("places", nargs="*", metavar=said("facts.place_word"), help=said("facts.place"))
    adding.add_argument("--watch", action="store_true", help=said("facts.watch"))
    adding.add_argument(
        "--reader",
        action="append",
        type=reader,
        metavar=said("facts.reader_word"),
        help=said("facts.reader"),
    )
    adding.add_argument("--title", type=title, metavar=said("facts.title_word"), help=said("facts.title"))
    listing = command("list", "facts.list")
    listing.add_argument("name", nargs="?", metavar=said("facts.name_word"), help=said("facts.name_listed"))
    searching = named("search")
    searching.add_argument("question", metavar=said("facts.question_word"), help=said("facts.question"))
    searching.add_argument(
        "--most", type=count, default=5, metavar=said("facts.most_word"), help=said("facts.most")
    )
    removing = named("remove")
    removing.add_argument(
        "document", nargs="?", metavar=said("facts.document_word"), help=said("facts.document")
    )
    reindexing = named("reindex")
    reindexing.add_argument("--again", action="store_true", help=said("facts.again"))
