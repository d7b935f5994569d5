"""A mark that a deployment brings is an SVG, and an SVG is a program: what must not be in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

SVG: Final = "http://www.w3.org/2000/svg"
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""With it, an SVG that somebody opens by its own address runs nothing and loads nothing."""

_FORBIDDEN: Final = frozenset(
    {"script", "foreignobject", "iframe", "object", "embed", "audio", "video", "handler", "a"}
)
_INSIDE: Final = re.compile(r"#|data:image/(png|jpeg|webp);base64,", re.IGNORECASE)
_LOADS: Final = re.compile(
    r"@import|url\(\s*['\"]?\s*(?!#)|image-set\(|\b(?:image|src)\(|expression\(|javascript:", re.IGNORECASE
)
_ESCAPE: Final = "\\"
"""In CSS it writes any of those letters in another way; no mark needs it."""
_ANIMATED: Final = "attributename"


@dataclass(frozen=True)
class MarkFault:
    """Why an SVG is refused: `reason` is the end of a `branding.problem.svg_*` key, `what` the thing at fault."""

    reason: str
    what: str = ""


def mark_faults(content: bytes) -> tuple[MarkFault, ...]:
    """All that keeps `content` from being a mark: it is no SVG, or could run or load something. Each is told once."""
    try:
        root = fromstring(content, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as failure:
        return (MarkFault("entities" if isinstance(failure, DefusedXmlException) else "broken"),)
    return tuple(dict.fromkeys(_faults(root)))


def _faults(root: Element) -> Iterator[MarkFault]:
    if root.tag != f"{{{SVG}}}svg":
        yield MarkFault("other_root")
        return
    if not root.get("viewBox"):
        yield MarkFault("no_view_box")
    for element in root.iter():
        name = _local(element.tag)
        if name in _FORBIDDEN:
            yield MarkFault("forbidden", name)
        style = "".join(element.itertext()) if name == "style" else ""
        if _LOADS.search(style) or _ESCAPE in style:
            yield MarkFault("loads", name)
        for attribute, value in element.attrib.items():
            yield from _faults_of_attribute(_local(attribute), value)
            # Editors keep paths in attributes of theirs, in a namespace.
            if _ESCAPE in value and not attribute.startswith("{"):
                yield MarkFault("loads", attribute)


def _faults_of_attribute(name: str, value: str) -> Iterator[MarkFault]:
    if name == _ANIMATED:
        changed = value.strip().rpartition(":")[2].lower()
        if changed.startswith("on") or changed in {"href", "src", "style"}:
            yield MarkFault("forbidden", changed)
    if name.startswith("on"):
        yield MarkFault("forbidden", name)
    if (name in {"href", "src"} and not _INSIDE.match(value.strip())) or _LOADS.search(value):
        yield MarkFault("loads", name)


def _local(name: object) -> str:
    return str(name).rpartition("}")[2].lower()
