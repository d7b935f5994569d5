"""Wikis: Wikipedia in the language of the turn, GCwiki, and any MediaWiki that the settings name."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode, urljoin

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.languages import parse_language
from menagerie.grounding.analysis import language_of_text
from menagerie.grounding.document import Document
from menagerie.grounding.mediawiki.answers import Found, Listed, Pages, Parsed, Results, Search
from menagerie.grounding.mediawiki.api import Wiki, WikiApi
from menagerie.grounding.mediawiki.article import parts_of, telling
from menagerie.grounding.mediawiki.places import WIKIMEDIA, Place, Places
from menagerie.grounding.reader import LONGEST
from menagerie.grounding.search.answers import LONGEST_SUMMARY, LONGEST_TITLE, OURS, each, moment, plain
from menagerie.grounding.search.domains import domain_of, host_of
from menagerie.grounding.search.operators import fitting
from menagerie.grounding.search.together import searched_together
from menagerie.grounding.source import Candidate, Kit, Lookup, Option
from menagerie.locales import Language, text
from menagerie.net.page import Page

log = structlog.get_logger("menagerie.grounding")

_MOST: Final = 20
"""Results that are asked for: as many as summaries are given of at once."""
_LONGEST_TERMS: Final = 300
"""Characters that a wiki takes as a search."""
_ANY_OF: Final = 12
"""Words of which any may be found where all are not."""
_REMEMBERED: Final = 1000
_OF_FAMILY: Final = {"wikipedia.org": "wiki.about_wikipedia"}


def source(kit: Kit) -> WikiSource:
    """The source, as it is registered."""
    return WikiSource(kit)


class WikiSource:
    """Searches wikis and reads their articles. `wikimedia` is how the address of an API is made of the host of one of
    Wikimedia's."""

    kind = "wiki"

    def __init__(self, kit: Kit, wikimedia: str = WIKIMEDIA) -> None:
        self._reader = kit.reader
        self._places = Places(kit.settings, wikimedia)
        self._api = WikiApi(kit.reader, self._places)
        self._found: OrderedDict[str, tuple[Wiki, int]] = OrderedDict()
        """Articles by their addresses: of which wiki, under which number there."""

    def serves(self, where: str) -> bool:
        """Whether this names a wiki: `wikipedia.org`, `fr.wikipedia.org`, `gcwiki.ca`, a host of `MENAGERIE_WIKIS`."""
        return self._places.serves(where)

    def options(self, where: str, language: Language) -> Sequence[Option]:
        """The wiki itself."""
        host = domain_of(where)
        family = next((one for one in _OF_FAMILY if host == one or host.endswith(f".{one}")), "")
        return [Option(where, text(_OF_FAMILY.get(family, "wiki.about"), language, name=host))]

    def suggested(self, prompt: str, language: Language) -> Sequence[str]:
        """None: a wiki is named."""
        del prompt, language
        return ()

    async def search(self, lookup: Lookup) -> Sequence[Candidate]:
        """Articles that may answer, in the order of the wikis, pages that only tell names apart at the end."""
        return await searched_together(
            [self._search_place(where, lookup) for where in dict.fromkeys(lookup.where)], lookup.most
        )

    async def read(self, candidate: Candidate, lookup: Lookup) -> Document:
        """The article, its sections as parts. Raises `source.unreadable` where there is none."""
        share = lookup.user.share
        wiki, number = await self._wiki_of(candidate, lookup)
        which = {"pageids": str(number)} if number else {"titles": candidate.title}
        try:
            extract = await self._read_extract(wiki, share, which) if wiki.extracts else None
            return extract or await self._read_parsed(wiki, share, candidate, number)
        except MenagerieError as failure:
            if failure.code != ErrorCode.SEARCH_FAILED:
                raise
            raise MenagerieError(ErrorCode.SOURCE_UNREADABLE) from failure

    async def _search_place(self, where: str, lookup: Lookup) -> Sequence[Candidate]:
        """What the first of the wikis of a place that knows something has found: all of the terms in any of the
        wikis before some of them. Raises where none answers."""
        failed: MenagerieError | None = None
        answered = False
        for loosely in (False, True):
            for place in self._places.of(where, lookup.language):
                try:
                    wiki = await self._api.at(place, lookup.user.share)
                    found = await self._search_wiki(wiki, lookup, loosely=loosely)
                    answered = True
                except MenagerieError as failure:
                    if failure.code in OURS:
                        raise
                    failed = failure
                    continue
                if found:
                    return found
            if not answered:
                break
        if failed is not None and not answered:
            raise failed
        return ()

    async def _search_wiki(self, wiki: Wiki, lookup: Lookup, *, loosely: bool) -> Sequence[Candidate]:
        """By the terms, or as the wiki would rather spell them; `loosely`, by any of them. The question itself stays
        here unless there are no terms: nobody else has to know more than what is looked for."""
        share, most = lookup.user.share, lookup.most
        terms = fitting(lookup.terms or lookup.question, _LONGEST_TERMS)
        words = terms.split()[:_ANY_OF]
        if not terms or (loosely and len(words) < 2):
            return ()
        answer = await self._listed(wiki, share, " OR ".join(words) if loosely else terms, most)
        suggestion = fitting(answer.searchinfo.suggestion, _LONGEST_TERMS)
        if not answer.search and suggestion not in {"", terms} and not loosely:
            answer = await self._listed(wiki, share, suggestion, most)
        listed = list(each(answer.search, Listed))
        return await self._described(wiki, share, listed, most) if listed else ()

    async def _listed(self, wiki: Wiki, share: str, terms: str, most: int) -> Search:
        answer = await self._api.ask(
            wiki,
            share,
            Results,
            action="query",
            list="search",
            srsearch=terms,
            srlimit=str(min(2 * most, _MOST)),
            srprop="snippet|timestamp",
            srinfo="suggestion",
        )
        return answer.query

    async def _described(
        self, wiki: Wiki, share: str, listed: Sequence[Listed], most: int
    ) -> Sequence[Candidate]:
        """The listed articles as candidates: redirects followed, what does not exist left out. A wiki that fails at
        this has told titles and snippets already."""
        asked = {"prop": "info|pageprops", "inprop": "url", "ppprop": "disambiguation"}
        if wiki.extracts:
            asked |= {"prop": "info|pageprops|extracts", "exintro": "1", "explaintext": "1", "exlimit": "max"}
        numbers = "|".join(str(one.pageid) for one in listed[:_MOST])
        try:
            answer = await self._api.ask(
                wiki, share, Pages, action="query", pageids=numbers, redirects="1", **asked
            )
            pages = {one.title: one for one in each(answer.query.pages, Found) if one.pageid}
            leads = {one.from_: one.to for one in answer.query.redirects}
        except MenagerieError as failure:
            if failure.code in OURS:
                raise
            pages, leads = {one.title: Found(one.title, one.pageid) for one in listed}, {}
        plainly: dict[int, Candidate] = {}
        telling_apart: dict[int, Candidate] = {}
        for one in listed:
            page = pages.get(leads.get(one.title, one.title))
            if page is None:
                continue
            group = telling_apart if "disambiguation" in page.pageprops else plainly
            group.setdefault(page.pageid, self._candidate(wiki, page, one))
        return [*plainly.values(), *telling_apart.values()][:most]

    def _candidate(self, wiki: Wiki, page: Found, listed: Listed) -> Candidate:
        address = _address(wiki, page)
        self._found[address] = wiki, page.pageid
        self._found.move_to_end(address)
        while len(self._found) > _REMEMBERED:
            self._found.popitem(last=False)
        summary = plain(page.extract or listed.snippet, LONGEST_SUMMARY)
        return Candidate(
            kind=self.kind,
            title=plain(page.title, LONGEST_TITLE),
            address=address,
            summary=summary,
            language=_language(wiki, page, summary),
            date=moment(listed.timestamp),
        )

    async def _wiki_of(self, candidate: Candidate, lookup: Lookup) -> tuple[Wiki, int]:
        remembered = self._found.get(candidate.address)
        if remembered:
            return remembered
        places: tuple[Place, ...] = self._places.of(host_of(candidate.address), lookup.language)
        if not places:
            raise MenagerieError(ErrorCode.SOURCE_UNREADABLE)
        return await self._api.at(places[0], lookup.user.share), 0

    async def _read_extract(self, wiki: Wiki, share: str, which: dict[str, str]) -> Document | None:
        """The article from its text without markup; None where all of it is tables and the like."""
        answer = await self._api.ask(
            wiki,
            share,
            Pages,
            action="query",
            prop="extracts|info",
            inprop="url",
            explaintext="1",
            exsectionformat="wiki",
            redirects="1",
            **which,
        )
        page = next((one for one in each(answer.query.pages, Found) if not one.missing), None)
        if page is None:
            raise MenagerieError(ErrorCode.SOURCE_UNREADABLE)
        whole = page.extract
        parts = await asyncio.to_thread(parts_of, whole[:LONGEST])
        if not parts:
            return None
        return Document(
            title=plain(page.title, LONGEST_TITLE),
            address=_address(wiki, page),
            parts=parts,
            language=_language(wiki, page, whole[:LONGEST]),
            characters=len(whole) if len(whole) > LONGEST else 0,
            read=datetime.now(UTC),
        )

    async def _read_parsed(self, wiki: Wiki, share: str, candidate: Candidate, number: int) -> Document:
        which = {"pageid": str(number)} if number else {"page": candidate.title}
        answer = await self._api.ask(
            wiki,
            share,
            Parsed,
            action="parse",
            prop="text",
            disableeditsection="1",
            disabletoc="1",
            redirects="1",
            **which,
        )
        article = answer.parse
        title = plain(article.title, LONGEST_TITLE)
        body = f"<!doctype html><html><body><main>{article.text}</main></body></html>".encode()
        document = await self._reader.document(Page(candidate.address, "html", "utf-8", body), share=share)
        return msgspec.structs.replace(
            document,
            title=title,
            parts=tuple(telling(document.parts, title)),
            language=document.language or wiki.language,
            read=datetime.now(UTC),
        )


def _address(wiki: Wiki, page: Found) -> str:
    """The canonical address of an article, or one by its number where the wiki tells one that is not its own."""
    address = urljoin(wiki.api, page.fullurl)
    if page.fullurl and host_of(address) == host_of(wiki.api):
        return address
    return urljoin(wiki.api, "index.php?" + urlencode({"curid": page.pageid}))


def _language(wiki: Wiki, page: Found, content: str) -> str:
    if not wiki.mixed:
        return wiki.language
    return language_of_text(content) or parse_language(page.pagelanguage) or wiki.language
