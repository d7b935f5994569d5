"""What a site wants of programs that nobody sent, and how fast one host is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from menagerie.net.client import NetworkError, Reason
from menagerie.net.pace import AT_A_TIME, CRAWLING, GAP, Pace
from menagerie.net.page import PageClient
from menagerie.net.robots import FRESH, FRESH_FAILURE, LARGEST, LONGEST_GAP, Robots
from menagerie.settings import Settings
from tests.net.pages import Answer, Names, allowing, asked, server

SITE = URL("https://example.org/private/page")


class Sites:
    """Gives the rules of sites as a test says, and counts who asks."""

    def __init__(self, rules: str | NetworkError) -> None:
        self.rules = rules
        self.asked: list[str] = []
        self.now = 0.0

    async def __call__(self, address: str) -> bytes:
        self.asked.append(address)
        await asyncio.sleep(0)
        if isinstance(self.rules, NetworkError):
            raise self.rules
        return self.rules.encode()

    def robots(self) -> Robots:
        return Robots(self, lambda: self.now)


async def allowed(robots: Robots, url: URL = SITE) -> bool:
    try:
        return await robots.gap(url) > 0
    except NetworkError as failure:
        return failure.reason != "robots"


@pytest.mark.parametrize(
    ("rules", "is_allowed"),
    [
        ("", True),
        ("User-agent: *\nDisallow: /private", False),
        ("User-agent: *\nDisallow: /private\nAllow: /private/page", True),
        ("User-agent: menagerie\nDisallow: /\n\nUser-agent: *\nDisallow:", False),
        ("User-agent: other\nDisallow: /", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: Menagerie\nAllow: /", True),
        ("\ufeffUser-agent: *\nDisallow: /*page$", False),
        ("<!doctype html><p>Not found", True),
        ("\x00\x01 nonsense : : :\n" * 50, True),
    ],
)
async def test_rules_are_heeded(rules: str, is_allowed: bool) -> None:
    assert await allowed(Sites(rules).robots()) is is_allowed


@pytest.mark.parametrize(
    ("reason", "status", "is_allowed"),
    [
        ("status", 404, True),
        ("status", 403, True),
        ("status", 500, False),
        ("status", 503, False),
        ("unreachable", 0, False),
        ("interrupted", 0, False),
        ("too_large", 0, False),
        ("redirect", 0, True),
        ("content", 0, True),
    ],
)
async def test_who_has_no_rules_allows_all_and_who_cannot_say_allows_nothing(
    reason: Reason, status: int, is_allowed: bool
) -> None:
    sites = Sites(NetworkError(reason, status=status))
    robots = sites.robots()
    assert await allowed(robots) is is_allowed
    sites.now = FRESH_FAILURE + 1
    await allowed(robots)
    assert len(sites.asked) == (1 if is_allowed else 2)


async def test_rules_are_asked_for_once_an_hour_whoever_asks() -> None:
    sites = Sites("")
    robots = sites.robots()
    await asyncio.gather(*(allowed(robots, URL(f"https://example.org/{number}")) for number in range(9)))
    assert sites.asked == ["https://example.org/robots.txt"]
    await allowed(robots, URL("http://example.org/"))
    sites.now = FRESH + 1
    await allowed(robots)
    assert len(sites.asked) == 3


@pytest.mark.parametrize(
    ("written", "seconds"), [("2", 2), ("0.01", GAP), ("9999", LONGEST_GAP), ("inf", GAP), ("soon", GAP)]
)
async def test_a_site_may_ask_for_a_slower_pace_within_reason(written: str, seconds: float) -> None:
    robots = Sites(f"User-agent: *\nCrawl-delay: {written}").robots()
    assert await robots.gap(SITE) == seconds


async def test_more_rules_than_are_heeded_are_cut_and_quickly_read() -> None:
    rules = "User-agent: *\nDisallow: /private\n" + "Disallow: /*a*b*c*d*e$\n" * (LARGEST // 8)
    began = time.monotonic()
    assert not await allowed(Sites(rules).robots(), URL("https://example.org/private/" + "abcd" * 400))
    assert time.monotonic() - began < 10


@asynccontextmanager
async def crawler(settings: Settings) -> AsyncIterator[PageClient]:
    made = PageClient(settings, Names())
    try:
        yield made
    finally:
        await made.close()


def with_rules(rules: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text=rules if request.path == "/robots.txt" else "text")

    return answer


async def test_only_who_crawls_asks_for_the_rules() -> None:
    async with server(with_rules("User-agent: *\nDisallow: /no")) as site:
        no, yes = str(site.make_url("/no")), str(site.make_url("/yes"))
        async with crawler(allowing(site)) as pages:
            assert (await pages.get(no)).body == b"text"
            with pytest.raises(NetworkError, match="robots"):
                await pages.get(no, crawling=True)
            assert (await pages.get(yes, crawling=True)).body == b"text"
        assert asked(site) == ["/no", "/robots.txt", "/yes"]
        async with crawler(allowing(site, robots="off")) as pages:
            assert (await pages.get(no, crawling=True)).body == b"text"
        assert asked(site)[3:] == ["/no"]


async def test_where_a_redirect_leads_is_asked_for_its_rules_too() -> None:
    async def to(request: web.Request) -> web.StreamResponse:
        if request.path == "/robots.txt":
            return web.Response(status=404)
        return web.Response(status=302, headers={"Location": f"{other.make_url('/no')}"})

    async with server(with_rules("User-agent: *\nDisallow: /no")) as other, server(to) as site:
        async with crawler(allowing(site, other)) as pages:
            with pytest.raises(NetworkError, match="robots"):
                await pages.get(str(site.make_url("/")), crawling=True)
        assert asked(other) == ["/robots.txt"]


async def test_an_address_that_may_not_be_asked_for_is_refused_before_its_rules_are_asked_for() -> None:
    async with server(with_rules("")) as site, crawler(Settings(fetch_ports=f"{site.port}")) as pages:  # type: ignore[arg-type]
        with pytest.raises(NetworkError, match="refused"):
            await pages.get(str(site.make_url("/")), crawling=True)
        assert asked(site) == []


class Counted:
    """How many are at a host at a time, and when each came."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.times: list[float] = []

    async def visit(self, pace: Pace, host: str = "a", **how: Any) -> None:
        async with pace.place(host, **how):
            self.now += 1
            self.most = max(self.most, self.now)
            self.times.append(time.monotonic())
            await asyncio.sleep(0.02)
            self.now -= 1


async def test_one_host_is_asked_by_few_at_a_time_and_another_meanwhile() -> None:
    pace, here, there = Pace(), Counted(), Counted()
    visits = [here.visit(pace, crawling=False) for _ in range(3 * AT_A_TIME)]
    await asyncio.gather(*visits, there.visit(pace, "b", crawling=False))
    assert (here.most, there.most) == (AT_A_TIME, 1)
    assert there.times[0] < here.times[AT_A_TIME]


async def test_crawling_is_slower_and_leaves_room_for_people() -> None:
    pace, crawling, people = Pace(), Counted(), Counted()
    visits = [crawling.visit(pace, crawling=True, gap=0.05) for _ in range(6)]
    await asyncio.gather(*visits, *(people.visit(pace, crawling=False) for _ in range(4)))
    assert crawling.most <= CRAWLING
    gaps = [later - earlier for earlier, later in zip(crawling.times, crawling.times[1:], strict=False)]
    assert sum(gaps) > 5 * 0.05 - 0.02
    assert people.times[-1] < crawling.times[-1]


async def test_hosts_that_nobody_asks_are_forgotten() -> None:
    pace, seen = Pace(), Counted()
    await asyncio.gather(*(seen.visit(pace, f"{number}", crawling=False) for number in range(3000)))
    await seen.visit(pace, crawling=False)
    assert len(pace._hosts) < 1100


async def test_who_gives_up_gives_the_place_back() -> None:
    pace, seen = Pace(), Counted()
    waiting = [asyncio.create_task(seen.visit(pace, crawling=True, gap=5)) for _ in range(4)]
    await asyncio.sleep(0.01)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.wait_for(seen.visit(pace, crawling=False), 1)
    assert pace._hosts["a"].users == 0
