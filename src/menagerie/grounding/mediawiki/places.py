"""Which hosts are wikis, in which languages, at which addresses, with which token. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

from menagerie.core.languages import OTHER, parse_language
from menagerie.grounding.search.domains import domain_of, host_of
from menagerie.locales import Language
from menagerie.settings import Settings

WIKIMEDIA: Final = "https://{host}/w/api.php"
FAMILIES: Final = frozenset(
    f"{name}.org"
    for name in (
        "wikipedia",
        "wiktionary",
        "wikibooks",
        "wikinews",
        "wikisource",
        "wikiversity",
        "wikivoyage",
    )
)
"""Wikis of Wikimedia with a host for each language."""
KNOWN: Final = {
    "gcwiki.ca": "https://gcwiki.ca/",
    "wiki.gccollab.ca": "https://wiki.gccollab.ca/",
}
"""Wikis that are served unasked besides, by host: addresses of a page of theirs."""

_TAG: Final = re.compile(r"[a-z]{2,3}(-[a-z]{2,10})*|simple", re.ASCII)


class Place(msgspec.Struct, frozen=True):
    """A wiki. `address` is that of its API where that is `known`, else of any page of it; `language` is empty where
    its pages may be in any."""

    address: str
    language: str = ""
    known: bool = False


class Places:
    """The wikis of a service. `wikimedia` is how the API's address is made of the host of one of Wikimedia's."""

    def __init__(self, settings: Settings, wikimedia: str = WIKIMEDIA) -> None:
        self._wikimedia = wikimedia
        self._named = {host_of(address): address for address in settings.wikis if host_of(address)}
        self._tokens = _tokens(settings.wiki_tokens.get_secret_value())

    def serves(self, where: str) -> bool:
        """Whether this names a wiki."""
        return bool(self.of(where, "en"))

    def of(self, where: str, language: Language) -> tuple[Place, ...]:
        """The wikis that this names, in the order in which they are asked until one knows something: of a family in
        many languages those of `language` and of the other official one. Empty where it names none."""
        host = domain_of(where).removeprefix("www.")
        named = self._named.get(host) or self._named.get(f"www.{host}") or KNOWN.get(host)
        if named:
            return (Place(named, known=urlsplit(named).path.endswith("/api.php")),)
        if host in FAMILIES:
            return tuple(self._edition(host, one) for one in (language, OTHER[language]))
        tag, _, family = host.replace(".m.", ".").partition(".")
        return (self._edition(family, tag),) if family in FAMILIES and _TAG.fullmatch(tag) else ()

    def authorization(self, address: str, place: Place) -> str:
        """What is shown at `address`: the token of its host, at the port that the wiki is named with, or that of
        https; never for another host, or without https where the wiki is named with it."""
        asked, named = urlsplit(address), urlsplit(place.address)
        token = self._tokens.get(host_of(address), "")
        same = (asked.scheme, asked.netloc) == (named.scheme, named.netloc)
        usual = asked.scheme == "https" and asked.port in {None, 443}
        return f"Bearer {token}" if token and (same or usual) else ""

    def _edition(self, family: str, tag: str) -> Place:
        return Place(self._wikimedia.format(host=f"{tag}.{family}"), parse_language(tag) or tag, known=True)


def _tokens(written: str) -> dict[str, str]:
    """`host=token`, separated by commas. What is not like that names no host."""
    pairs = (part.partition("=") for part in written.split(","))
    return {domain_of(host): token.strip() for host, _, token in pairs if domain_of(host) and token.strip()}
