"""A site's map, from XML or from lines of text, in bounds: what is broken after the middle still counts up to there."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from typing import Any, Final

import msgspec
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from menagerie.grounding.search.answers import moment

MOST_MAPS: Final = 500
"""Maps that an index may name."""
LONGEST_ADDRESS: Final = 2000


class Listed(msgspec.Struct, frozen=True):
    """A page that a map names; `title` where it is one of news or pictures."""

    address: str
    title: str = ""
    date: datetime | None = None


class Listing(msgspec.Struct):
    """What a map names: pages, and further maps."""

    pages: list[Listed] = []
    maps: list[str] = []


def listing_of(body: bytes, most: int) -> Listing:
    """What a map names, at most so many pages."""
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        lines = body.decode("utf-8", "replace").splitlines()
        found = (line.strip() for line in lines if line.strip().startswith(("http://", "https://")))
        return Listing(pages=[Listed(one) for one, _ in zip(found, range(most), strict=False)])
    listing = Listing()
    try:
        for _, element in iterparse(BytesIO(body), events=("end",), forbid_dtd=True):
            _take(element, listing)
            if len(listing.pages) >= most or len(listing.maps) >= MOST_MAPS:
                break
    except (ParseError, DefusedXmlException, LookupError, ValueError):
        pass
    return listing


def _take(element: Any, listing: Listing) -> None:
    name = _local(element)
    if name not in {"url", "sitemap"}:
        return
    told = {_local(child): (child.text or "").strip()[: LONGEST_ADDRESS + 1] for child in element}
    title = next((one.text or "" for one in element.iter() if _local(one) == "title"), "")
    address = told.get("loc", "")
    if address and len(address) <= LONGEST_ADDRESS:
        if name == "url":
            listing.pages.append(
                Listed(address, title.strip()[:LONGEST_ADDRESS], moment(told.get("lastmod")))
            )
        else:
            listing.maps.append(address)
    element.clear()


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
