"""Who searches: as the settings say, or by what they have."""

from __future__ import annotations

from importlib.util import find_spec

import structlog

from menagerie.grounding.reader import Reader
from menagerie.grounding.search.brave import Brave
from menagerie.grounding.search.ddgs import DDGS
from menagerie.grounding.search.in_turn import InTurn
from menagerie.grounding.search.provider import Provider
from menagerie.grounding.search.searxng import SearXNG
from menagerie.grounding.search.sitemap import Sitemap
from menagerie.settings import Settings

log = structlog.get_logger("menagerie.grounding")


def chosen(settings: Settings) -> str:
    """The name of who searches; `off` where nobody does."""
    if settings.search:
        return settings.search
    if settings.search_url:
        return "searxng"
    if settings.search_key.get_secret_value():
        return "brave"
    return "ddgs" if find_spec("ddgs") else "sitemap"


def provider_of(settings: Settings, reader: Reader) -> Provider | None:
    """Who searches; None where nobody does, or the settings lack what they need for it, which the log tells. Engines
    that nobody chose and that owe nobody an answer have the sites' own maps behind them."""
    name, key = chosen(settings), settings.search_key.get_secret_value()
    if name == "searxng" and settings.search_url:
        return SearXNG(reader, settings.search_url)
    if name == "brave" and key:
        return Brave(reader, key, settings.search_url)
    if name == "ddgs" and find_spec("ddgs"):
        return DDGS(settings) if settings.search else InTurn(DDGS(settings), Sitemap(reader))
    if name == "sitemap":
        return Sitemap(reader)
    if name != "off":
        log.error("search.not_set_up", provider=name)
    return None
