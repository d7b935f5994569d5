"""Feeds as publishers write them, and some as nobody should."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.reader import Reader
from menagerie.net.page import Page
from menagerie.settings import Settings


def rss(items: str, head: str = "<title>T</title>", before: str = '<?xml version="1.0"?>') -> str:
    """RSS 2.0 with these items."""
    return f'{before}<rss version="2.0"><channel>{head}{items}</channel></rss>'


def item(title: str, date: str = "", link: str = "", summary: str = "", identity: str = "") -> str:
    """An item of RSS 2.0; what it says is escaped already."""
    parts = {"title": title, "pubDate": date, "link": link, "description": summary, "guid": identity}
    return "<item>" + "".join(f"<{tag}>{said}</{tag}>" for tag, said in parts.items() if said) + "</item>"


RSS_091 = """<?xml version="1.0"?>
<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN"
 "http://my.netscape.com/publish/formats/rss-0.91.dtd">
<rss version="0.91"><channel><title>Old</title><link>https://a.example/</link><language>en</language>
<item><title>An old one</title><link>https://a.example/1</link><description>Still read.</description></item>
</channel></rss>"""

RSS_10 = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://a.example/"><title>RDF</title></channel>
<item rdf:about="https://a.example/1"><title>In RDF</title><link>https://a.example/1</link>
<description>Of a triple.</description><dc:date>2026-03-01T10:00:00-05:00</dc:date></item></rdf:RDF>"""

RSS_20 = rss(
    item("Un", "Mon, 02 Mar 2026 10:00:00 EST", "https://a.example/1", "Le premier.")
    + item("Deux", "Tue, 03 Mar 2026 10:00:00 EST", "https://a.example/2", "Le second, qui est plus récent."),
    "<title>Nouvelles</title><language>fr-ca</language>",
)

ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en-ca"><title>Ottawa - Weather</title>
<link rel="self" href="https://weather.example/on-118_e.xml"/><updated>2026-03-03T15:00:00Z</updated>
<entry><title>Current Conditions: Snow, -4.2°C</title><link type="text/html" href="https://weather.example/118"/>
<updated>2026-03-03T15:00:00Z</updated><summary type="html">&lt;b&gt;Wind:&lt;/b&gt; NW 20 km/h &lt;br/&gt;
&lt;b&gt;Humidity:&lt;/b&gt; 80 %</summary><id>tag:weather.example,1</id></entry>
<entry><title>Tuesday: Flurries. High 2.</title><link type="text/html" href="https://weather.example/118"/>
<updated>2026-03-03T15:00:00Z</updated><summary type="html">Flurries ending near noon.</summary>
<id>tag:weather.example,2</id></entry>
<entry><title>Wednesday: Sunny. High 5.</title><link type="text/html" href="https://weather.example/118"/>
<updated>2026-03-03T15:00:00Z</updated><summary type="html">Sunny.</summary><id>tag:weather.example,3</id></entry>
</feed>"""


def page(content: str | bytes, address: str = "https://a.example/feeds/all.xml", charset: str = "") -> Page:
    """A feed as it was fetched."""
    return Page(address, "feed", charset, content if isinstance(content, bytes) else content.encode())


OPEN: Final[list[Reader]] = []
"""Readers that a test has made; they are closed after it."""


class ReaderOf(Reader):
    """A reader that finds at each address what it is given, and nothing elsewhere; it never goes out."""

    def __init__(self, settings: Settings, pages: Mapping[str, Page | MenagerieError]) -> None:
        super().__init__(settings.model_copy(update={"fetch": "off"}))
        self.pages = dict(pages)
        self.asked: list[str] = []
        self.delay = 0.0
        OPEN.append(self)

    async def fetch(self, address: str, share: str, **how: Any) -> Page:
        del share, how
        self.asked.append(address)
        await asyncio.sleep(self.delay)
        found = self.pages.get(address, MenagerieError(ErrorCode.SOURCE_UNREACHABLE))
        if isinstance(found, MenagerieError):
            raise found
        return found
