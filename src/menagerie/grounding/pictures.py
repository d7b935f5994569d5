"""Pictures that people hand over: what they really are, and whether a model can be asked to look at them."""

from __future__ import annotations

import io
from typing import Final, Literal

from PIL import Image, UnidentifiedImageError

from menagerie.core.errors import ErrorCode, MenagerieError

MOST_PICTURES: Final = 12
"""Uploaded pictures of one message."""
MAX_PIXELS: Final = 50_000_000
"""Of one picture: an engine holds each pixel of it in memory, however few bytes came."""
LARGEST: Final = 4 * 1_048_576
"""Bytes of an uploaded picture: what a page scales down beforehand is far smaller."""

_BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)

PictureKind = Literal["png", "jpeg"]


def kind_of_picture(content: bytes) -> PictureKind:
    """Which kind of picture this is, by its content; only its head is looked at, no pixel is unpacked. Raises
    `picture.unsupported` for all but a PNG or JPEG of at most `MAX_PIXELS`."""
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
            width, height = picture.size
            kind: PictureKind = "png" if picture.format == "PNG" else "jpeg"
    except (UnidentifiedImageError, *_BOMBS, OSError, ValueError, SyntaxError) as fault:
        raise unsupported() from fault
    if not 0 < width * height <= MAX_PIXELS:
        raise unsupported()
    return kind


def unsupported() -> MenagerieError:
    """What is told of a file that is no picture to be looked at."""
    return MenagerieError(
        ErrorCode.PICTURE_UNSUPPORTED, pixels=MAX_PIXELS // 1_000_000, size=LARGEST // 1_048_576
    )
