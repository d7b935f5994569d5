"""Every hostile address is refused before anything is sent, and a listener on this machine sees nobody."""

from __future__ import annotations

import pytest
from aiohttp import web

from menagerie.net.client import NetworkError
from menagerie.net.page import PageClient
from menagerie.settings import Settings
from tests.net.cutting import Cut
from tests.net.hostile_addresses import (
    INSIDE_HOSTS,
    LOOPBACK_HOSTS,
    NAMES,
    OTHER,
    listening,
    loopback,
    outcome_of,
    written,
)
from tests.net.pages import Names, server


def test_the_list_is_long_and_tells_nothing_twice() -> None:
    for part in (LOOPBACK_HOSTS, INSIDE_HOSTS, OTHER):
        assert len(set(part)) == len(part)
    assert len({*LOOPBACK_HOSTS, *INSIDE_HOSTS, *OTHER, *NAMES}) > 200


async def test_all_are_refused_and_nothing_is_sent() -> None:
    async with listening() as listener:
        settings = Settings(fetch_ports=f"80,443,{listener.port}")  # type: ignore[arg-type]
        found = await outcome_of(written(listener.port), settings, listener)
    assert (found.taken, found.left, found.connections) == ([], [], 0)


async def test_no_way_to_write_this_machine_leads_to_its_listener() -> None:
    async with listening() as listener:
        settings = Settings(fetch_ports=f"{listener.port}")  # type: ignore[arg-type]
        found = await outcome_of(loopback(listener.port), settings, listener)
    assert (found.taken, found.connections) == ([], 0)


async def test_the_listener_is_there_for_who_may_come() -> None:
    async with listening() as listener:
        settings = Settings(fetch_ports=f"{listener.port}", fetch_allow="127.0.0.0/8")  # type: ignore[arg-type]
        found = await outcome_of([f"http://127.0.0.1:{listener.port}/"], settings, listener)
    assert (len(found.taken), found.connections) == (1, 1)


async def test_no_redirect_leads_to_any_of_them() -> None:
    targets: list[str] = []

    async def to(request: web.Request) -> web.StreamResponse:
        number = request.path.removeprefix("/redirect/")
        if not number.isdecimal():  # to a place on this site: that is no way out
            return web.Response(body=b"\x00", status=200)
        return web.Response(status=302, headers={"Location": targets[int(number)]})

    async with listening() as listener, server(to, host="127.0.0.3") as site:
        settings = Settings(
            fetch_allow="127.0.0.3/32",  # type: ignore[arg-type]
            fetch_ports=f"80,443,{site.port},{listener.port}",  # type: ignore[arg-type]
        )
        hosts = (*LOOPBACK_HOSTS, *INSIDE_HOSTS, *NAMES)
        everywhere = [*written(listener.port), *(f"//{host}:{listener.port}/" for host in hosts)]
        targets += [one for one in everywhere if min(one, default="a") >= " "]
        addresses = [str(site.make_url(f"/redirect/{number}")) for number in range(len(targets))]
        found = await outcome_of(addresses, settings, listener)
        assert (found.left, found.connections) == ([], 0)
        assert len(found.taken) == 2  # to the page itself, and to a path called 127.0.0.1 beside it
        assert [targets[int(one.split("/")[4].partition("'")[0])] for one in found.taken] == ["", "127.0.0.1"]


async def test_a_name_that_changes_between_two_look_ups_leads_nowhere_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cut = Cut(monkeypatch)
    async with listening() as listener:
        settings = Settings(fetch_ports=f"{listener.port}")  # type: ignore[arg-type]
        names = Names(rebind_example_org=[["8.8.8.8"], ["127.0.0.1"]])
        pages = PageClient(settings, names)
        reasons = []
        for _ in range(3):
            with pytest.raises(NetworkError) as caught:
                await pages.get(f"http://rebind.example.org:{listener.port}/")
            reasons.append(caught.value.reason)
        await pages.close()
        assert reasons == ["unreachable", "refused", "refused"]
        assert (cut.connected, listener.connections) == (["8.8.8.8"], 0)
