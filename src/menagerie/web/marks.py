"""A mark that a deployment brings is an SVG, and an SVG is a program: what must not be in it."""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

SVG: Final = "http://www.w3.org/2000/svg"
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""With it, an SVG that somebody opens by its own address runs nothing and loads nothing."""

_FORBIDDEN: Final = frozenset(
    {"script", "foreignobject", "iframe", "object", "embed", "audio", "video", "handler", "a"}
)
_INSIDE: Final = re.compile(r"#|data:image/(png|jpeg|webp);base64,", re.IGNORECASE)
_LOADS: Final = re.compile(r"@import|url\(\s*['\"]?\s*(?!#)|expression\(|javascript:", re.IGNORECASE)


class MarkError(Exception):
    """An SVG that is refused: `reason` is the end of a `branding.problem.svg_*` key, `what` the thing at fault."""

    def __init__(self, reason: str, what: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.what = what


def check_mark(content: bytes) -> None:
    """Raises `MarkError` where `content` is no SVG, or one that could run or load something."""
    try:
        root = fromstring(content, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as failure:
        raise MarkError("broken" if not isinstance(failure, DefusedXmlException) else "entities") from failure
    if root.tag != f"{{{SVG}}}svg":
        raise MarkError("other_root")
    if not root.get("viewBox"):
        raise MarkError("no_view_box")
    for element in root.iter():
        name = _local(element.tag)
        if name in _FORBIDDEN:
            raise MarkError("forbidden", name)
        if name == "style" and _LOADS.search("".join(element.itertext())):
            raise MarkError("loads", name)
        for attribute, value in element.attrib.items():
            _check_attribute(_local(attribute), value)


def _check_attribute(name: str, value: str) -> None:
    if name.startswith("on"):
        raise MarkError("forbidden", name)
    if name in {"href", "src"} and not _INSIDE.match(value.strip()):
        raise MarkError("loads", name)
    if _LOADS.search(value):
        raise MarkError("loads", name)


def _local(name: object) -> str:
    return str(name).rpartition("}")[2].lower()
