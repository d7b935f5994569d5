"""A feed becomes entries, newest first, in plain text; what is none, or means harm, is refused in time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.feeds import reading
from menagerie.grounding.feeds.feed import Entry, Feed, document_of
from menagerie.grounding.feeds.reading import ENTRIES, FeedReader, read_feed
from menagerie.settings import Settings
from tests.grounding.feeds.examples import ATOM, RSS_091, RSS_10, RSS_20, ReaderOf, item, page, rss

NOW = datetime.now(UTC)


async def entries(content: str | bytes, charset: str = "") -> list[Entry]:
    return list((await read_feed(page(content, charset=charset))).entries)


async def titles(content: str) -> list[str]:
    return [entry.title for entry in await entries(content)]


async def is_refused(content: str | bytes) -> bool:
    try:
        await read_feed(page(content))
    except MenagerieError as failure:
        return failure.code is ErrorCode.SOURCE_UNREADABLE
    return False


@pytest.mark.parametrize(
    ("content", "title", "language", "first"),
    [
        (RSS_091, "Old", "en", Entry("An old one", "https://a.example/1", "Still read.")),
        (
            RSS_10,
            "RDF",
            "en",
            Entry("In RDF", "https://a.example/1", "Of a triple.", datetime(2026, 3, 1, 15, tzinfo=UTC)),
        ),
        (
            RSS_20,
            "Nouvelles",
            "fr",
            Entry(
                "Deux",
                "https://a.example/2",
                "Le second, qui est plus récent.",
                datetime(2026, 3, 3, 15, tzinfo=UTC),
            ),
        ),
        (
            ATOM,
            "Ottawa - Weather",
            "en",
            Entry(
                "Current Conditions: Snow, -4.2°C",
                "https://weather.example/118",
                "Wind: NW 20 km/h\nHumidity: 80 %",
                datetime(2026, 3, 3, 15, tzinfo=UTC),
            ),
        ),
    ],
    ids=["RSS 0.91", "RSS 1.0", "RSS 2.0", "Atom"],
)
async def test_every_kind_of_feed_is_read(content: str, title: str, language: str, first: Entry) -> None:
    feed = await read_feed(page(content))
    assert (feed.title, feed.language) == (title, language)
    assert feed.entries[0] == first
    assert feed.address == "https://a.example/feeds/all.xml"
    assert feed.read is not None
    assert abs(feed.read - datetime.now(UTC)) < timedelta(seconds=30)


async def test_entries_are_the_newest_first_and_those_without_a_date_that_can_be_follow_in_their_order() -> (
    None
):
    ahead = format_datetime(NOW + timedelta(days=30))
    soon = format_datetime(NOW + timedelta(hours=2))
    content = rss(
        item("no date a")
        + item("2025", "Sat, 01 Mar 2025 10:00:00 GMT")
        + item("next month", ahead)
        + item("in two hours, by a clock that is ahead", soon)
        + item("nonsense", "the day before yesterday")
        + item("year 1", "Mon, 01 Jan 0001 00:00:00 GMT")
        + item("2026", "Sun, 01 Mar 2026 10:00:00 GMT")
    )
    found = await entries(content)
    assert [entry.title for entry in found] == [
        "in two hours, by a clock that is ahead",
        "2026",
        "2025",
        "no date a",
        "next month",
        "nonsense",
        "year 1",
    ]
    assert [entry.published is None for entry in found] == [False] * 3 + [True] * 4


async def test_entries_of_one_page_are_many_and_those_that_come_twice_are_one() -> None:
    assert len(await entries(ATOM)) == 3, "forecasts share their link"
    older, newer = "Sun, 01 Mar 2026 10:00:00 GMT", "Mon, 02 Mar 2026 10:00:00 GMT"
    twice = rss(
        item("By identity", older, "https://a.example/1", "before", "x1")
        + item("By identity, corrected", newer, "https://a.example/1b", "after", "x1")
        + item("By link and title", newer, "https://a.example/2", "", "x2")
        + item("By link and title", newer, "https://a.example/2", "", "x3")
        + item("Same title", newer, "https://a.example/3")
        + item("Same title", newer, "https://a.example/4")
    )
    found = await entries(twice)
    assert sorted(entry.title for entry in found) == [
        "By identity, corrected",
        "By link and title",
        "Same title",
        "Same title",
    ]


async def test_links_are_resolved_and_hostile_ones_are_dropped_while_what_is_said_stays() -> None:
    hostile = [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "https://user:secret@a.example/",
        "https://a.example/" + "x" * 3000,
        "vbscript:x",
        "http://[::1",
    ]
    content = rss(
        item("relative", link="/news/1?a=1&amp;b=2")
        + "".join(item(f"h{number}", link=link) for number, link in enumerate(hostile))
    )
    found = {entry.title: entry.link for entry in await entries(content)}
    assert found.pop("relative") == "https://a.example/news/1?a=1&b=2"
    assert found == {f"h{number}": "" for number in range(len(hostile))}


async def test_a_summary_is_plain_text_without_what_nobody_reads() -> None:
    markup = (
        "&lt;p&gt;Caf&amp;eacute; &amp;amp; tea&lt;/p&gt;&lt;script&gt;steal()&lt;/script&gt;"
        "&lt;style&gt;p{}&lt;/style&gt;&lt;ul&gt;&lt;li&gt;one&lt;li&gt;two&lt;/ul&gt;"
        "&lt;img src=x onerror=alert(1) alt='a chart'&gt;&lt;iframe src=//b.example&gt;x&lt;/iframe&gt;"
    )
    twice = "&amp;lt;b&amp;gt;twice&amp;lt;/b&amp;gt; escaped"
    plain = "2 &lt; 3 and 5 &gt; 4\u202e\u0007"
    content = rss(
        item("a &lt;i&gt;b&lt;/i&gt;", summary=markup)
        + item("b", summary=twice)
        + item("c", summary=plain)
        + "<item><title>d</title><content:encoded xmlns:content='http://purl.org/rss/1.0/modules/content/'>"
        "<![CDATA[<p>Only content</p>]]></content:encoded></item>"
    )
    said = {entry.title: entry.summary for entry in await entries(content)}
    assert said == {
        "a b": "Café & tea\none\ntwo\na chart",
        "b": "twice escaped",
        "c": "2 < 3 and 5 > 4",
        "d": "Only content",
    }


async def test_counts_and_lengths_are_bounded() -> None:
    content = rss("".join(item(f"{n} " + "word " * 500, summary="word " * 5000) for n in range(ENTRIES + 50)))
    found = await entries(content)
    assert len(found) == ENTRIES
    assert all(len(entry.title) <= 301 and len(entry.summary) <= 2001 for entry in found)
    assert found[0].summary.endswith("word…")


@pytest.mark.parametrize(
    ("encoding", "declared", "charset"),
    [
        ("utf-8", "utf-8", ""),
        ("iso-8859-1", "iso-8859-1", ""),
        ("cp1252", "iso-8859-1", ""),
        ("cp1252", "", ""),
        ("mac-roman", "macintosh", ""),
        ("mac-roman", "", "macintosh"),
        ("iso-8859-1", "utf-8", "iso-8859-1"),
        ("utf-16", "utf-16", ""),
        ("utf-16-le", "utf-16", ""),
        ("utf-8-sig", "iso-8859-1", ""),
        ("utf-8", "no-such-encoding", ""),
    ],
)
async def test_a_feed_is_read_in_the_encoding_that_it_is_in(
    encoding: str, declared: str, charset: str
) -> None:
    before = f'<?xml version="1.0" encoding="{declared}"?>' if declared else "<?xml version='1.0'?>"
    content = rss(item("Été à Montréal"), before=before).encode(encoding)
    assert [entry.title for entry in await entries(content, charset)] == ["Été à Montréal"]


async def test_a_feed_that_is_not_well_formed_is_read_all_the_same() -> None:
    content = rss(item("A&nbsp;B & C", summary="<p>open")) + "<junk"
    assert (await titles(content))[0].startswith("A B & C")


BOMB = '<!DOCTYPE rss [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
)
HTML = "<!doctype html><html><head><title>News</title></head><body><rss></rss></body></html>"


@pytest.mark.parametrize(
    "content",
    [
        rss(item("&j;"), before='<?xml version="1.0"?>' + BOMB + "]>"),
        rss(item("&x;"), before='<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
        rss(item("&x;"), before='<!DOCTYPE rss [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]>'),
        rss(item("x"), before='<!DOCTYPE rss [<!ENTITY x "<rss>">]>'),
        rss(item("&j;"), before=BOMB + "]>").encode("utf-16"),
        HTML,
        HTML.replace("<!doctype html>", '<?xml version="1.0"?>'),
        "<!-- <rss> --><html><body><feed></feed></body></html>",
        "<html><body>" + RSS_20.partition("?>")[2] + "</body></html>",
        "<channel href='https://a.example/'><title>A format of 1997</title><item><title>a</title></item></channel>",
        "<svg xmlns='http://www.w3.org/2000/svg'></svg>",
        '{"version": "https://jsonfeed.org/version/1"}',
        "",
        "\0" * 4096,
        b"\xff\xfe" + b"<\0" * 40_000,
        "<" * 500_000,
        "<!--" * 500_000,
    ],
    ids=range(17),
)
async def test_what_is_no_feed_or_declares_entities_is_refused(content: str | bytes) -> None:
    began = time.monotonic()
    assert await is_refused(content)
    assert time.monotonic() - began < reading.SECONDS + 2


async def test_an_external_document_type_is_never_asked_for() -> None:
    """Nor is anything else that a feed names: its parser gets bytes, in a process that is told no address to open."""
    asked: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outside = f"http://127.0.0.1:{port}/x"
    content = rss(
        item("a", link=outside, summary=f"&lt;img src='{outside}'&gt;b"),
        before=f'<?xml version="1.0"?><?xml-stylesheet href="{outside}"?><!DOCTYPE rss SYSTEM "{outside}">',
    )
    assert await titles(content) == ["a"]
    assert await titles(rss(item("b"), before=f"<?xml version='1.0'?><!-- {outside} -->")) == ["b"]
    server.close()
    await server.wait_closed()
    assert asked == []


async def test_bytes_that_look_like_the_path_of_a_file_open_no_file(tmp_path: Path) -> None:
    file = tmp_path / "feed.xml"
    file.write_text(RSS_20, encoding="utf-8")
    assert await is_refused(str(file))


async def test_a_feed_that_takes_too_long_is_left() -> None:
    began = time.monotonic()
    deep = rss("<item>" * 200_000)
    with pytest.raises(MenagerieError) as caught:
        await read_feed(page(deep * 5), seconds=0.2)
    assert caught.value.code is ErrorCode.SOURCE_UNREADABLE
    assert time.monotonic() - began < 3


async def test_the_same_bytes_are_parsed_once_but_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = 0

    async def counted(given: object) -> Feed:
        nonlocal parsed
        parsed += 1
        return await read_feed(page(RSS_20))

    monkeypatch.setattr(reading, "read_feed", counted)
    reader = FeedReader()
    first, second = await reader.read(page(RSS_20)), await reader.read(page(RSS_20))
    await reader.read(page(RSS_10))
    assert parsed == 2
    assert first.entries == second.entries
    assert first.read is not None
    assert second.read is not None
    assert second.read > first.read


async def test_a_feed_at_an_address_reads_like_a_page() -> None:
    address = "https://a.example/feeds/all.xml"
    reader = ReaderOf(Settings(timezone="America/Toronto"), {address: page(RSS_20)})
    document = await reader.read(address, "ana")
    await reader.close()
    assert (document.title, document.address, document.language) == ("Nouvelles", address, "fr")
    assert [part.heading for part in document.parts] == [("Deux",), ("Un",)]
    assert document.text == (
        "Deux\n2026-03-03 10:00 EST\nLe second, qui est plus récent.\nhttps://a.example/2\n\n"
        "Un\n2026-03-02 10:00 EST\nLe premier.\nhttps://a.example/1"
    )
    assert document.characters == 0


async def test_a_feed_without_entries_is_none_to_rest_on_but_is_a_feed() -> None:
    address = "https://a.example/feeds/all.xml"
    reader = ReaderOf(Settings(), {address: page(rss(""))})
    with pytest.raises(MenagerieError) as caught:
        await reader.read(address, "ana")
    assert caught.value.code is ErrorCode.SOURCE_UNREADABLE
    assert (await reader.feed(address, "ana")).entries == ()
    await reader.close()


@pytest.mark.parametrize(("most", "kept"), [(10_000, 3), (250, 2), (210, 2), (209, 1), (20, 1)])
def test_a_document_has_whole_entries_as_far_as_they_fit_and_never_none(most: int, kept: int) -> None:
    feed = Feed(entries=tuple(Entry(f"{n}" * 4, summary="s" * 99) for n in range(3)))
    document = document_of(feed, most, ZoneInfo("UTC"))
    assert len(document.parts) == kept
    assert len(document.text) <= most
    assert document.characters == (0 if kept == 3 else 3 * 104 + 4)
