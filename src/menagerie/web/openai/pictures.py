"""Pictures in messages: `data:` addresses that hold what they say, of a size that can be looked at."""

from __future__ import annotations

import base64
import binascii
import io
import re
from typing import Final

from PIL import Image, UnidentifiedImageError

from menagerie.web.openai.fields import refuse_field

MAX_IMAGES: Final = 16
MAX_PIXELS: Final = 50_000_000
"""Of one picture: an engine holds each pixel of it in memory, however few bytes came."""

_DATA: Final = re.compile(r"data:image/(png|jpeg);base64,([A-Za-z0-9+/=\s]+)", re.ASCII)


def image(address: str, path: str) -> str:
    """The picture in a `data:` address, without blanks. By its content it is the PNG or JPEG that it claims to be, of
    `MAX_PIXELS` at most. Addresses elsewhere are not fetched. Raises `request.invalid` with the field at `path`."""
    found = _DATA.fullmatch(address)
    if found is None:
        raise refuse_field(path)
    written = "".join(found[2].split())
    try:
        content = base64.b64decode(written, validate=True)
        with Image.open(io.BytesIO(content), formats=[found[1].upper()]) as picture:
            width, height = picture.size
    except (binascii.Error, UnidentifiedImageError, OSError, ValueError, SyntaxError) as fault:
        raise refuse_field(path) from fault
    except Image.DecompressionBombError as bomb:
        raise refuse_field(path) from bomb
    if not 0 < width * height <= MAX_PIXELS:
        raise refuse_field(path)
    return f"data:image/{found[1]};base64,{written}"
