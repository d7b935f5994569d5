"""The part of a model that reads pictures: a GGUF of its own beside the model's, as hubs lay them out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from menagerie.core.errors import MenagerieError
from menagerie.models.gguf_reader import read_raw

PATTERN: Final = "*mmproj*.gguf"
_MOST: Final = 8
"""Files that are looked at."""


def projector_of(model: Path, width: int) -> Path | None:
    """The projector for the model at `model`, whose tokens are `width` numbers: the first file beside it that is
    named as one, is sound, and gives vectors of that width. Blocking: for a thread."""
    if width <= 0:
        return None
    for path in sorted(model.parent.glob(PATTERN))[:_MOST]:
        if path != model and not path.name.startswith(".") and _width(path) == width:
            return path
    return None


def _width(path: Path) -> int:
    try:
        fields = read_raw(path).values
    except MenagerieError:
        return 0
    width = fields.get("clip.vision.projection_dim")
    is_projector = fields.get("general.architecture") == "clip"
    return width if is_projector and isinstance(width, int) else 0
