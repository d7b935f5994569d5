"""The arguments of `menagerie keys`: what a name, an owner, a limit and an end may be."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from typing import Final

from menagerie.core.identity import name_of_person

Said = Callable[..., str]
Added = Callable[[str, str], argparse.ArgumentParser]

MAX_NAME: Final = 80
MAX_LIMIT: Final = 1_000_000_000
MAX_DAYS: Final = 36_500


def add(command: Added, said: Said) -> None:
    """Add `create`, `list` and `revoke` by `command`, in the words of `said`."""

    def name(word: str) -> str:
        if not word.strip() or not word.isprintable() or len(word) > MAX_NAME:
            raise argparse.ArgumentTypeError(said("keys.name_wrong", most=MAX_NAME))
        return word.strip()

    def owner(word: str) -> str:
        known = name_of_person(word)
        if not known:
            raise argparse.ArgumentTypeError(said("keys.owner_wrong", value=word))
        return known

    def limit(word: str) -> int:
        if not _is_count(word) or not 0 < int(word) <= MAX_LIMIT:
            raise argparse.ArgumentTypeError(said("keys.limit_wrong", value=word, most=MAX_LIMIT))
        return int(word)

    def end(word: str) -> int | date:
        try:
            last = int(word) if _is_count(word) else date.fromisoformat(word)
        except ValueError:
            last = 0
        if isinstance(last, int) and not 0 < last <= MAX_DAYS:
            raise argparse.ArgumentTypeError(said("keys.expires_wrong", value=word, most=MAX_DAYS))
        return last

    create = command("create", "keys.create")
    create.add_argument("name", type=name, metavar=said("keys.name_word"), help=said("keys.name"))
    create.add_argument("--owner", type=owner, metavar=said("keys.owner_word"), help=said("keys.owner"))
    create.add_argument("--persona", action="append", metavar=said("persona"), help=said("keys.persona"))
    create.add_argument("--bypass", action="store_true", help=said("keys.bypass"))
    for kind in ("requests", "tokens"):
        option, words = f"--{kind}-per-minute", said(f"keys.{kind}")
        create.add_argument(option, type=limit, metavar=said("keys.limit_word"), help=words)
    create.add_argument("--expires", type=end, metavar=said("keys.expires_word"), help=said("keys.expires"))
    command("list", "keys.list")
    revoke = command("revoke", "keys.revoke")
    whose = revoke.add_mutually_exclusive_group(required=True)
    whose.add_argument("key", nargs="?", metavar=said("keys.key_word"), help=said("keys.key"))
    whose.add_argument("--owner", type=owner, metavar=said("keys.owner_word"), help=said("keys.whose"))


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 20
