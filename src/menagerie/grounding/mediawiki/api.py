"""The API of a MediaWiki: found where nobody has said it, asked with care, its errors told apart.

https://www.mediawiki.org/wiki/API:Main_page
"""

from __future__ import annotations

import asyncio
import re
import time
from html import unescape
from typing import Final, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.languages import parse_language
from menagerie.grounding.mediawiki.answers import Answer, Failure
from menagerie.grounding.mediawiki.places import Place, Places
from menagerie.grounding.reader import Reader
from menagerie.grounding.search.answers import OURS, decoded
from menagerie.net.sniffing import PageKind

log = structlog.get_logger("menagerie.grounding")

KEPT_S: Final = 6 * 3600.0
"""How long it is remembered where the API of a wiki is, …"""
MISSED_S: Final = 60.0
"""… and that it was not found."""
PAUSE_S: Final = 1.0
"""Before a wiki that is busy is asked once more."""

_ANSWERS: Final[frozenset[PageKind]] = frozenset({"json", "text"})
_PAGES: Final[frozenset[PageKind]] = frozenset({"html"})
_USUAL: Final = ("/w/api.php", "/api.php", "/wiki/api.php", "/mediawiki/api.php")
_BUSY: Final = frozenset({"maxlag", "ratelimited", "readonly", "internal_api_error_DBQueryError"})
_LINK: Final = re.compile(r"<link\b[^<>]{0,600}>", re.IGNORECASE)
_REL: Final = re.compile(r"\brel\s*=\s*[\"']?EditURI\b", re.IGNORECASE)
_HREF: Final = re.compile(r"\bhref\s*=\s*[\"']([^\"'<>\s]{1,500})[\"']", re.IGNORECASE)
_HEAD: Final = 200_000
"""Bytes of a page in which that link is looked for."""

T = TypeVar("T", bound=Answer)


class Wiki(msgspec.Struct, frozen=True):
    """A wiki whose API answers. `language` is that of its pages, empty where it is not one of ours; `extracts`
    whether it gives texts without markup; `mixed` whether its pages may be in several languages."""

    place: Place
    api: str
    language: str
    extracts: bool
    mixed: bool


class _General(msgspec.Struct):
    lang: str = ""


class _Extension(msgspec.Struct):
    name: str = ""


class _Site(msgspec.Struct):
    general: _General
    extensions: list[_Extension] = []


class _About(Answer):
    query: _Site


class WikiApi:
    """Asks wikis for a service."""

    def __init__(self, reader: Reader, places: Places) -> None:
        self._reader = reader
        self._places = places
        self._known: dict[Place, tuple[float, Wiki | None]] = {}

    async def at(self, place: Place, share: str) -> Wiki:
        """The wiki of a place. Raises `search.failed` where no API answers there, and what the reader raises."""
        if place.known and place.language:
            return Wiki(
                place, place.address, parse_language(place.language) or "", extracts=True, mixed=False
            )
        until, known = self._known.get(place, (0.0, None))
        if until < time.monotonic():
            known = await self._find(place, share)
            self._known[place] = time.monotonic() + (KEPT_S if known else MISSED_S), known
        if known is None:
            raise MenagerieError(ErrorCode.SEARCH_FAILED)
        return known

    async def ask(self, wiki: Wiki, share: str, kind: type[T], **parameters: str) -> T:
        """What the API answers. Raises `search.failed` for an error of its own or an answer that is none, and what
        the reader raises."""
        return await self._ask(wiki.place, wiki.api, share, kind, parameters)

    async def _find(self, place: Place, share: str) -> Wiki | None:
        tried = [place.address] if place.known else await self._candidates(place, share)
        asked = {"action": "query", "meta": "siteinfo", "siprop": "general|extensions"}
        for api in tried:
            try:
                site = (await self._ask(place, api, share, _About, asked)).query
            except MenagerieError as failure:
                if failure.code in OURS:
                    raise
                continue
            extracts = any(one.name == "TextExtracts" for one in site.extensions)
            return Wiki(place, api, parse_language(site.general.lang) or "", extracts=extracts, mixed=True)
        log.info("wiki.not_found", host=urlsplit(place.address).hostname)
        return None

    async def _candidates(self, place: Place, share: str) -> list[str]:
        """Where the API may be: as the wiki's own page says, or at the usual places of its host and of the host that
        it leads to."""
        address, found = place.address, ""
        try:
            page = await self._reader.fetch(
                address,
                share,
                kinds=_PAGES,
                authorization=self._places.authorization(address, place),
                purpose="search",
            )
            address, found = page.address, _edit_uri(page.body)
        except MenagerieError as failure:
            if failure.code in OURS:
                raise
        said = urljoin(address, found).partition("?")[0].partition("#")[0] if found else ""
        usual = [urljoin(base, path) for base in (address, place.address) for path in _USUAL]
        secure = urlsplit(address).scheme == "https"
        return [
            one for one in dict.fromkeys([said, *usual]) if one and (one.startswith("https:") or not secure)
        ]

    async def _ask(self, place: Place, api: str, share: str, kind: type[T], parameters: dict[str, str]) -> T:
        asked = {**parameters, "format": "json", "formatversion": "2"}
        authorization = self._places.authorization(api, place)
        for last in (False, True):
            page = await self._reader.fetch(
                f"{api}?{urlencode(asked)}",
                share,
                kinds=_ANSWERS,
                authorization=authorization,
                purpose="search",
            )
            answer = await _answer(page.body, kind)
            if not isinstance(answer, Failure):
                return answer
            if last or answer.code not in _BUSY:
                log.info("wiki.error", host=urlsplit(api).hostname, code=answer.code[:60])
                break
            await asyncio.sleep(PAUSE_S)
        raise MenagerieError(ErrorCode.SEARCH_FAILED)


async def _answer(body: bytes, kind: type[T]) -> T | Failure:
    """The answer, or what the API says instead. Raises `search.failed` where it is neither."""
    try:
        answer = await decoded(body, kind)
    except MenagerieError:
        said = (await decoded(body, Answer)).error
        if said is None:
            raise
        return said
    return answer.error or answer


def _edit_uri(body: bytes) -> str:
    """What the page says of its API, as `<link rel="EditURI" href="…/api.php?action=rsd">`; empty where it does not."""
    head = body[:_HEAD].decode("utf-8", "replace")
    links = (found[0] for found in _LINK.finditer(head) if _REL.search(found[0]))
    href = next((match[1] for link in links if (match := _HREF.search(link))), "")
    return unescape(href) if "api.php" in href else ""
