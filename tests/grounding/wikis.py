"""MediaWikis on the loopback: as much of the API as is asked for, with and without what some wikis lack."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import msgspec
from aiohttp import web


class Article(msgspec.Struct):
    """An article as its wiki has it: plain text with headings between equals signs."""

    title: str
    text: str
    number: int
    leads_to: str = ""
    tells_apart: bool = False


class MediaWiki:
    """Answers like a wiki with these articles. What it was asked for is in `asked`, with who asked."""

    def __init__(self, *articles: Article, **how: Any) -> None:
        self.articles = {one.title: one for one in articles}
        self.extracts: bool = how.pop("extracts", True)
        self.language: str = how.pop("language", "en")
        self.token: str = how.pop("token", "")
        self.at: str = how.pop("at", "/w/api.php")
        self.says_where: bool = how.pop("says_where", True)
        self.suggestion: str = how.pop("suggestion", "")
        self.errors: list[str] = how.pop("errors", [])
        self.ghosts: tuple[str, ...] = how.pop("ghosts", ())
        self.elsewhere: str = how.pop("elsewhere", "")
        assert not how
        self.asked: list[dict[str, str]] = []
        self.shown: list[str] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/":
            link = f'<link rel="EditURI" type="application/rsd+xml" href="{self.at}?action=rsd"/>'
            return _html(f"<html><head>{link if self.says_where else ''}</head><body>Main page</body></html>")
        if request.path != self.at:
            return web.Response(status=404)
        asked = dict(request.query)
        self.asked.append(asked)
        self.shown.append(request.headers.get("Authorization", ""))
        if self.errors:
            return _json({"error": {"code": self.errors.pop(0), "info": "No."}})
        if self.token and self.shown[-1] != f"Bearer {self.token}":
            return _json({"error": {"code": "readapidenied", "info": "You need read permission."}})
        if asked["action"] == "parse":
            return _json(self._parsed(asked))
        if asked.get("list") == "search":
            return _json({"query": self._search(asked["srsearch"])})
        if asked.get("meta") == "siteinfo":
            extensions = [{"name": "TextExtracts"}] if self.extracts else []
            return _json({"query": {"general": {"lang": self.language}, "extensions": extensions}})
        return _json({"query": self._pages(asked, str(request.url.origin()))})

    @property
    def searches(self) -> list[str]:
        return [one["srsearch"] for one in self.asked if "srsearch" in one]

    def _search(self, terms: str) -> dict[str, Any]:
        alternatives = [one.split() for one in terms.casefold().split(" or ")]
        found = [
            {
                "pageid": one.number,
                "title": one.title,
                "snippet": f'<span class="searchmatch">{one.title}</span> &amp; more',
                "timestamp": "2025-03-01T10:00:00Z",
            }
            for one in self.articles.values()
            if any(
                all(word in f"{one.title} {one.text}".casefold() for word in words) for words in alternatives
            )
        ]
        ghosts: list[dict[str, Any]] = [
            {"pageid": 9000 + n, "title": title} for n, title in enumerate(self.ghosts)
        ]
        info = {"suggestion": self.suggestion} if self.suggestion and not found else {}
        return {"search": [*ghosts, *found], "searchinfo": info}

    def _pages(self, asked: dict[str, str], origin: str) -> dict[str, Any]:
        numbers = asked.get("pageids", "").split("|")
        wanted = [one for one in self.articles.values() if str(one.number) in numbers]
        wanted += [one for one in self.articles.values() if one.title == asked.get("titles")]
        redirects = [{"from": one.title, "to": one.leads_to} for one in wanted if one.leads_to]
        pages: dict[str, Any] = {}
        for one in wanted:
            article = self.articles[one.leads_to or one.title]
            page: dict[str, Any] = {
                "pageid": article.number,
                "title": article.title,
                "pagelanguage": self.language,
            }
            page["fullurl"] = f"{self.elsewhere or origin}/wiki/{article.title.replace(' ', '_')}"
            if article.tells_apart:
                page["pageprops"] = {"disambiguation": ""}
            if "extracts" in asked["prop"]:
                whole = article.text
                page["extract"] = whole.partition("\n==")[0] if "exintro" in asked else whole
            pages[article.title] = page
        gone: list[dict[str, Any]] = [
            {"pageid": int(n), "missing": True} for n in numbers if n.isdigit() and int(n) >= 9000
        ]
        if not wanted and "titles" in asked:
            gone.append({"title": asked["titles"], "missing": True})
        return {"pages": [*pages.values(), *gone], "redirects": redirects}

    def _parsed(self, asked: dict[str, str]) -> dict[str, Any]:
        found = [
            one
            for one in self.articles.values()
            if str(one.number) == asked.get("pageid") or one.title == asked.get("page")
        ]
        if not found:
            return {"error": {"code": "missingtitle", "info": "The page does not exist."}}
        pieces: list[str] = []
        for line in found[0].text.splitlines():
            heading = re.fullmatch(r"(=+) (.+?) =+", line)
            if heading:
                level = str(len(heading[1]))
                pieces.append(f"<h{level}>{heading[2]}</h{level}>")
            elif line:
                pieces.append(f"<p>{line}</p>")
        return {"parse": {"title": found[0].title, "text": "".join(pieces)}}


def _json(answer: Any) -> web.Response:
    return web.Response(body=json.dumps(answer).encode(), content_type="application/json")


def _html(page: str) -> web.Response:
    return web.Response(text=page, content_type="text/html")


async def broken(request: web.Request) -> web.StreamResponse:
    """A wiki whose API is a page of HTML."""
    await asyncio.sleep(0)
    return _html(f"<!doctype html><html><body>Sorry, {len(request.path)}</body></html>")
