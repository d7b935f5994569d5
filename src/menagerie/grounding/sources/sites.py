"""Sites by their domains: searched by whom the settings choose, with results of those domains only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.languages import parse_language
from menagerie.grounding.analysis import language_of_text
from menagerie.grounding.document import Document
from menagerie.grounding.search.answers import LONGEST_SUMMARY, LONGEST_TITLE, OURS, plain
from menagerie.grounding.search.choice import provider_of
from menagerie.grounding.search.domains import domain_of, host_of, is_public, within
from menagerie.grounding.search.operators import fitting
from menagerie.grounding.search.provider import Hit, Provider, Query
from menagerie.grounding.source import Candidate, Kit, Lookup, Option
from menagerie.locales import Language, text
from menagerie.net.addresses import AddressRules
from menagerie.net.failure import NetworkError
from menagerie.net.location import parse_location

log = structlog.get_logger("menagerie.grounding")

SECONDS: Final = 15.0
"""For a search."""
MOST_DOMAINS: Final = 10
_LONGEST_TERMS: Final = 300


def source(kit: Kit) -> Sites:
    """The source, as it is registered."""
    return Sites(kit, provider_of(kit.settings, kit.reader))


class Sites:
    """Searches sites by `provider`, or not at all without one, and reads what was found there."""

    kind = "site"
    general = True

    def __init__(self, kit: Kit, provider: Provider | None) -> None:
        self._reader = kit.reader
        self._rules = AddressRules.of(kit.settings)
        self._provider = provider
        self._is_closed = kit.settings.outside == "off" and not kit.settings.fetch_allow

    def serves(self, where: str) -> bool:
        """Whether this is a domain of the public Web, or one that `MENAGERIE_FETCH_ALLOW` names, and not denied."""
        return is_public(domain_of(where), self._rules)

    def options(self, where: str, language: Language) -> Sequence[Option]:
        """The site itself."""
        return [Option(where, text("site.about", language, name=domain_of(where)))]

    def suggested(self, prompt: str, language: Language) -> Sequence[str]:
        """None: a site is named."""
        del prompt, language
        return ()

    async def search(self, lookup: Lookup) -> Sequence[Candidate]:
        """Pages of the sites, in the order of who searched. Raises `source.off`, `search.off`, `search.failed`."""
        if self._is_closed:
            raise MenagerieError(ErrorCode.SOURCE_OFF)
        if self._provider is None:
            raise MenagerieError(ErrorCode.SEARCH_OFF)
        domains = tuple(dict.fromkeys(filter(None, map(domain_of, lookup.where))))[:MOST_DOMAINS]
        terms = fitting(lookup.terms or lookup.question, _LONGEST_TERMS)
        if not domains or not terms:
            return ()
        query = Query(
            terms=terms,
            question=lookup.question,
            domains=domains,
            language=lookup.language,
            share=lookup.user.share,
            most=lookup.most,
        )
        try:
            async with asyncio.timeout(SECONDS):
                hits = await self._provider.search(query)
        except TimeoutError as late:
            raise MenagerieError(ErrorCode.SEARCH_FAILED) from late
        except MenagerieError as failure:
            if failure.code in OURS:
                raise
            log.info("search.failed", provider=type(self._provider).__name__, code=failure.code.value)
            raise MenagerieError(ErrorCode.SEARCH_FAILED) from failure
        return list(self._candidates(hits, domains))[: lookup.most]

    async def read(self, candidate: Candidate, lookup: Lookup) -> Document:
        """The page, titled as it was found where it has no better title than a file name. Raises what the reader does,
        and `source.refused` where it leads away from the sites."""
        document = await self._reader.read(
            candidate.address, lookup.user.share, crawling=True, purpose="crawl"
        )
        domains = [domain_of(where) for where in lookup.where] or [host_of(candidate.address)]
        if not within(host_of(document.address), domains):
            raise MenagerieError(ErrorCode.SOURCE_REFUSED)
        name = unquote(urlsplit(document.address).path).rpartition("/")[2]
        titled = document.title not in {"", name}
        return document if titled else msgspec.structs.replace(document, title=candidate.title)

    def _candidates(self, hits: Sequence[Hit], domains: Sequence[str]) -> Iterator[Candidate]:
        """What is on the sites, once, under an address that may be asked for."""
        seen: set[str] = set()
        for hit in hits:
            try:
                address = str(parse_location(hit.address, self._rules))
            except NetworkError:
                continue
            if address in seen or not within(host_of(address), domains):
                continue
            seen.add(address)
            title, summary = plain(hit.title, LONGEST_TITLE), plain(hit.snippet, LONGEST_SUMMARY)
            yield Candidate(
                kind=self.kind,
                title=title or address,
                address=address,
                summary=summary,
                language=parse_language(hit.language) or language_of_text(f"{title} {summary}") or "",
                date=hit.date,
            )
