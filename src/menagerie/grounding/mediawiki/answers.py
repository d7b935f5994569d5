"""What the API of a MediaWiki answers, `formatversion=2`, as far as it is used here."""

from __future__ import annotations

from typing import Any

import msgspec


class Failure(msgspec.Struct):
    """An error of the API's own."""

    code: str = ""


class Answer(msgspec.Struct, kw_only=True):
    """What an answer has, of whatever kind; `error` where it is none of that kind."""

    error: Failure | None = None


class Listed(msgspec.Struct):
    """A result of `list=search`."""

    pageid: int
    title: str
    snippet: str = ""
    timestamp: str = ""


class SearchInfo(msgspec.Struct):
    """`suggestion` is the terms as the wiki would rather spell them."""

    suggestion: str = ""


class Search(msgspec.Struct):
    """What was found."""

    search: list[msgspec.Raw] = []
    searchinfo: SearchInfo = msgspec.field(default_factory=SearchInfo)


class Results(Answer):
    """The answer of a search."""

    query: Search


class Found(msgspec.Struct):
    """A page of `prop=info|pageprops|extracts`."""

    title: str
    pageid: int = 0
    missing: bool = False
    fullurl: str = ""
    pagelanguage: str = ""
    extract: str = ""
    pageprops: dict[str, Any] = {}


class Redirect(msgspec.Struct):
    """A title that leads to another."""

    from_: str = msgspec.field(name="from")
    to: str


class PageSet(msgspec.Struct):
    """The pages that were asked for."""

    pages: list[msgspec.Raw] = []
    redirects: list[Redirect] = []


class Pages(Answer):
    """The answer of a query for pages."""

    query: PageSet


class Article(msgspec.Struct):
    """A page as HTML."""

    text: str
    title: str = ""


class Parsed(Answer):
    """The answer of `action=parse`."""

    parse: Article
