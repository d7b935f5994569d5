"""Names of files that clients choose. They are only ever shown."""

from __future__ import annotations

import re
from typing import Final

LONGEST_NAME: Final = 255


def clean_name(filename: str) -> str:
    """The last part of a name that a client chose, printable and not long."""
    name = re.split(r"[/\\]", filename)[-1]
    printable = "".join(character for character in name if character.isprintable())
    return printable[-LONGEST_NAME:] or "file"
