"""How much of the service one caller may take."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Receive

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.web.limits import ConnectionLimits, LimitedBody


def _enters(limits: ConnectionLimits, address: str) -> bool:
    try:
        limits.enter(address)
    except MenagerieError as full:
        return full.code is not ErrorCode.CONNECTIONS_FULL
    return True


def test_one_address_leaves_room_for_others() -> None:
    limits = ConnectionLimits(10, 2)
    assert [_enters(limits, "192.0.2.1") for _ in range(3)] == [True, True, False]
    assert _enters(limits, "192.0.2.2")
    limits.leave("192.0.2.1")
    assert _enters(limits, "192.0.2.1")


def test_all_together_take_no_more_than_the_most() -> None:
    limits = ConnectionLimits(2, 2)
    assert [_enters(limits, f"192.0.2.{n}") for n in range(3)] == [True, True, False]
    assert limits.open == 2


def test_a_refused_connection_is_not_counted() -> None:
    limits = ConnectionLimits(10, 1)
    for _ in range(5):
        _enters(limits, "192.0.2.1")
    limits.leave("192.0.2.1")
    assert limits.open == 0
    assert _enters(limits, "192.0.2.1")


def test_addresses_of_one_ipv6_network_count_as_one() -> None:
    limits = ConnectionLimits(10, 1)
    assert _enters(limits, "2001:db8::1")
    assert not _enters(limits, "2001:db8::ffff:2")
    assert _enters(limits, "2001:db8:0:1::1")


def test_peers_without_an_address_count_only_among_all() -> None:
    limits = ConnectionLimits(3, 1)
    assert [_enters(limits, "") for _ in range(4)] == [True, True, True, False]


def _receiving(*messages: Message) -> Receive:
    waiting = list(messages)

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    return receive


def _piece(body: bytes, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not() -> None:
    within = LimitedBody(_receiving(_piece(b"12"), _piece(b"34", more=False)), 4)
    assert [(await within())["body"] for _ in range(2)] == [b"12", b"34"]
    assert within.complete
    beyond = LimitedBody(_receiving(_piece(b"12"), _piece(b"345", more=False)), 4)
    await beyond()
    with pytest.raises(MenagerieError) as refused:
        await beyond()
    assert (refused.value.code, refused.value.values) == (ErrorCode.BODY_TOO_LARGE, {"limit": 4})


async def test_a_body_that_never_ends_is_given_up() -> None:
    body = LimitedBody(_receiving(_piece(b"1")), 100, patience=0.05)
    await body()
    with pytest.raises(MenagerieError) as refused:
        async with asyncio.timeout(2):
            await body()
    assert refused.value.code is ErrorCode.IDLE


async def test_what_comes_in_good_pace_may_take_longer() -> None:
    body = LimitedBody(_receiving(_piece(b"x" * 8192)), 100_000, patience=0.05)
    await body()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await body()


async def test_after_the_body_there_is_no_hurry() -> None:
    body = LimitedBody(_receiving(_piece(b"", more=False)), 100, patience=0.05)
    await body()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await body()
