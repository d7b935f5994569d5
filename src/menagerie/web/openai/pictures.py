"""Pictures in messages: `data:` addresses that hold what they say, of a size that can be looked at."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from menagerie.core.errors import MenagerieError
from menagerie.grounding.pictures import MAX_PIXELS, kind_of_picture
from menagerie.web.openai.fields import refuse_field

__all__ = ["MAX_IMAGES", "MAX_PIXELS", "image"]

MAX_IMAGES: Final = 16

_DATA: Final = re.compile(r"data:image/(png|jpeg);base64,([A-Za-z0-9+/=\s]+)", re.ASCII)


def image(address: str, path: str) -> str:
    """The picture in a `data:` address, without blanks. By its content it is the PNG or JPEG that it claims to be, of
    `MAX_PIXELS` at most. Addresses elsewhere are not fetched. Raises `request.invalid` with the field at `path`."""
    found = _DATA.fullmatch(address)
    if found is None:
        raise refuse_field(path)
    written = "".join(found[2].split())
    try:
        kind = kind_of_picture(base64.b64decode(written, validate=True))
    except (binascii.Error, MenagerieError) as fault:
        raise refuse_field(path) from fault
    if kind != found[1]:
        raise refuse_field(path)
    return f"data:image/{kind};base64,{written}"
