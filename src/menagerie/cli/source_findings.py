"""What doctor says of what answers may rest on: who searches sites, which wikis there are, the table of feeds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec

from menagerie.cli.engine_findings import Finding
from menagerie.grounding.feeds.current import is_plain
from menagerie.grounding.feeds.table import OURS, FeedTableError, read_table
from menagerie.grounding.mediawiki.places import KNOWN
from menagerie.grounding.search.choice import chosen
from menagerie.grounding.search.domains import host_of
from menagerie.locales import Language, text
from menagerie.net.addresses import AddressRules
from menagerie.settings import Settings
from menagerie.settings_report import masked


def sources(settings: Settings, language: Language) -> Iterator[Finding]:
    """A line for each; where nothing may leave the machine, those say so that would go out."""
    yield _search(settings, language)
    if settings.outside == "off":
        hosts = ", ".join(map(str, settings.fetch_allow))
        key = "cli.doctor.sources_except" if hosts else "cli.doctor.sources_off"
        for name in ("wikis", "feeds"):
            yield "note", name, text(key, language, **({"hosts": hosts} if hosts else {}))
        return
    named = [host_of(address) for address in settings.wikis]
    yield "ok", "wikis", ", ".join(dict.fromkeys(["wikipedia.org", *KNOWN, *filter(None, named)]))
    yield _feeds(settings, language)


def _search(settings: Settings, language: Language) -> Finding:
    name = chosen(settings)
    if name == "ddgs" and not find_spec("ddgs"):
        return "note", "search", text("cli.doctor.search_ddgs_absent", language)
    address = {"address": masked("search_url", settings.search_url)} if name == "searxng" else {}
    seen = text(f"cli.doctor.search_{name}", language, **address)
    return "note" if name == "sitemap" and not settings.search else "ok", "search", seen


def _feeds(settings: Settings, language: Language) -> Finding:
    file = settings.feeds or OURS
    try:
        table = read_table(file, partial(is_plain, AddressRules.of(settings)))
    except FeedTableError as problem:
        return "note", "feeds", problem.message(language)
    return "ok", "feeds", text("cli.doctor.feeds_seen", language, count=len(table), file=file)
