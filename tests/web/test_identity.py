"""Who asks: headers count only from the proxies that the settings name."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from menagerie.core.identity import User
from menagerie.settings import Settings
from menagerie.web.identity import client_address, identify

PROXY = "10.1.2.3"
BEHIND = Settings(trusted_proxies="10.0.0.0/8,fd00::/8")  # type: ignore[arg-type]


def a_request(peer: str | None, *headers: tuple[str, str | bytes]) -> HTTPConnection:
    """A request from `peer`; None: from a unix socket."""
    raw = [
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in headers
    ]
    return HTTPConnection(
        {"type": "http", "path": "/", "client": (peer, 5) if peer else None, "headers": raw}
    )


def test_a_trusted_proxy_names_the_user_and_their_e_mail() -> None:
    connection = a_request(
        PROXY,
        ("X-Forwarded-User", " Ève.Tremblay "),
        ("X-Forwarded-Email", "Eve.Tremblay@Example.CA"),
        ("X-Forwarded-For", "203.0.113.7"),
    )
    assert identify(connection, BEHIND) == User(("ève.tremblay", "eve.tremblay@example.ca"), "203.0.113.7")


def test_a_user_known_by_one_header_is_the_same_under_the_other() -> None:
    by_name = identify(a_request(PROXY, ("X-Forwarded-User", "EVE@example.ca")), BEHIND)
    by_mail = identify(a_request(PROXY, ("X-Forwarded-Email", "eve@example.ca")), BEHIND)
    assert by_name.names == by_mail.names == ("eve@example.ca",)


@pytest.mark.parametrize("peer", ["203.0.113.9", "11.0.0.1", "::1", "127.0.0.1", None, "testclient"])
def test_headers_of_any_other_peer_are_ignored(peer: str | None) -> None:
    connection = a_request(
        peer,
        ("X-Forwarded-User", "eve"),
        ("X-Forwarded-Email", "eve@example.ca"),
        ("X-Forwarded-For", "8.8.8.8"),
    )
    user = identify(connection, BEHIND)
    assert user.names == ()
    assert user.address == ("" if peer in {None, "testclient"} else peer)


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert identify(a_request("127.0.0.1", ("X-Forwarded-User", "eve")), Settings()) == User((), "127.0.0.1")


def test_an_ipv4_proxy_on_a_dual_stack_socket_is_the_same_proxy() -> None:
    assert identify(a_request(f"::ffff:{PROXY}", ("X-Forwarded-User", "eve")), BEHIND).names == ("eve",)


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Forwarded-User", "eve"), ("X-Forwarded-User", "mallory")],
        [("X-Forwarded-User", "eve"), ("X-Forwarded-Email", "a@b.ca"), ("X-Forwarded-Email", "c@d.ca")],
        [("X-Forwarded-User", "eve\x00")],
        [("X-Forwarded-User", "eve\u202e")],
        [("X-Forwarded-User", "e\u200bve")],
        [("X-Forwarded-User", "eve\r\nX: y")],
        [("X-Forwarded-User", "e" * 201)],
        [("X-Forwarded-User", "e" * 1_000_000)],
        [("X-Forwarded-User", "ß" * 150)],
        [("X-Forwarded-User", "   ")],
        [("X-Forwarded-User", "Anon")],
        [("X-Forwarded-User", "")],
    ],
)
def test_a_name_that_could_mean_two_people_means_nobody(headers: list[tuple[str, str]]) -> None:
    assert identify(a_request(PROXY, *headers), BEHIND).names == ()


def test_an_empty_header_does_not_hide_the_other_one() -> None:
    connection = a_request(PROXY, ("X-Forwarded-User", ""), ("X-Forwarded-Email", "eve@example.ca"))
    assert identify(connection, BEHIND).names == ("eve@example.ca",)


def test_a_name_in_either_encoding_is_the_same_name() -> None:
    names = {
        identify(a_request(PROXY, ("X-Forwarded-User", "André".encode(how))), BEHIND).id
        for how in ("utf-8", "latin-1")
    }
    assert names == {"andré"}


@pytest.mark.parametrize(
    ("hops", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7, 10.9.9.9", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("10.9.9.9", "10.9.9.9"),
        ("6.6.6.6, nonsense", PROXY),
        ("6.6.6.6, nonsense, 10.9.9.9", "10.9.9.9"),
        ("", PROXY),
        ("6.6.6.6," * 100_000 + "203.0.113.7", "203.0.113.7"),
        ("6.6.6.6," + "10.9.9.9," * 100_000 + "10.9.9.8", "10.9.9.9"),
    ],
)
def test_the_right_most_hop_that_is_no_proxy_is_the_client(hops: str, address: str) -> None:
    assert client_address(a_request(PROXY, ("X-Forwarded-For", hops)), BEHIND) == address


def test_hops_on_several_lines_are_one_list() -> None:
    connection = a_request(PROXY, ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "203.0.113.7"))
    assert client_address(connection, BEHIND) == "203.0.113.7"


def test_nobody_in_particular_shares_with_the_others_of_the_address_and_of_ipv6_with_the_whole_household() -> (
    None
):
    assert User(names=("ana",), address="10.0.0.1").share == "ana"
    assert User(address="10.0.0.1").share != User(address="10.0.0.2").share
    assert User(address="2001:db8::1").share == User(address="2001:db8::ffff:1").share
    assert User(address="2001:db8::1").share != User(address="2001:db8:0:1::1").share
    assert User().share == User().share
