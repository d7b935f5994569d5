"""Which addresses may be connected to: global ones, whatever they are written inside of."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from menagerie.net.addresses import Address, AddressRules, embedded, is_global

NONE = AddressRules()
V4 = st.ip_addresses(v=4)
V6 = st.one_of(
    st.ip_addresses(v=6),
    *(st.ip_addresses(network=network) for network in ("2000::/3", "::ffff:0:0/96", "64:ff9b::/95", "::/90")),
)
INSIDE_4 = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]


@st.composite
def inside_4(draw: st.DrawFn) -> IPv4Address:
    network = draw(st.sampled_from(INSIDE_4))
    return draw(st.ip_addresses(network=network))  # type: ignore[return-value]


def forms(address: Address) -> list[IPv6Address]:
    """An IPv4 address in every form of IPv6 that carries one, under prefixes that are global where they can be."""
    bits = int(address)
    words = f"{bits >> 16:x}:{bits & 0xFFFF:x}"
    flipped = bits ^ 0xFFFF_FFFF
    split = (bits >> 16) << 64 | (bits & 0xFFFF) << 40
    return [
        IPv6Address(f"::ffff:{words}"),
        IPv6Address(f"::{words}"),
        IPv6Address(f"::ffff:0:{words}"),
        IPv6Address(f"64:ff9b::{words}"),
        IPv6Address(f"64:ff9b:1::{words}"),
        IPv6Address(int(IPv6Address("64:ff9b:1::")) | split),
        IPv6Address(f"2002:{words}::1"),
        IPv6Address(f"2001:0:{words}::"),
        IPv6Address(f"2001:0:808:808:0:0:{flipped >> 16:x}:{flipped & 0xFFFF:x}"),
        IPv6Address(f"2606:4700::5efe:{words}"),
        IPv6Address(f"2606:4700::200:5efe:{words}"),
    ]


@given(inside_4())
def test_no_special_ipv4_address_is_connected_to_in_any_form(address: IPv4Address) -> None:
    assert not NONE.permit("example.org", address)
    for form in forms(address):
        assert address in embedded(form), form
        assert not NONE.permit("example.org", form), form


@given(V4)
def test_a_global_ipv4_address_is_connected_to_by_itself_mapped_and_through_nat64(address: Address) -> None:
    assume(is_global(address))
    mapped, _, _, nat64, *_ = forms(address)
    assert all(NONE.permit("example.org", one) for one in (address, mapped, nat64))


@given(V6)
def test_what_is_connected_to_is_global_in_all_its_forms(address: Address) -> None:
    if not NONE.permit("example.org", address):
        return
    carried = embedded(address)
    assert address in ip_network("2000::/3") or carried
    assert all(one.is_global and not one.is_multicast for one in carried)


@pytest.mark.parametrize(
    "address",
    [
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "100::1",
        "2001:db8::1",
        "2001:20::1",
        "3fff::1",
        "5f00::1",
        "4000::1",
        "::ffff:a9fe:a9fe",
        "168.63.129.16",
        "255.255.255.255",
    ],
)
def test_what_is_special_is_not_connected_to(address: str) -> None:
    assert not NONE.permit("example.org", ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "142.250.1.1", "2606:4700::1111", "2a00:1450::1"])
def test_what_is_public_is_connected_to(address: str) -> None:
    assert NONE.permit("example.org", ip_address(address))


def test_an_allowed_network_is_connected_to_whatever_the_name_and_no_other() -> None:
    rules = AddressRules(allowed_networks=(ip_network("10.1.0.0/16"),))
    assert rules.permit("wiki.example.org", ip_address("10.1.2.3"))
    assert rules.permit("", ip_address("::ffff:10.1.2.3"))
    assert not rules.permit("wiki.example.org", ip_address("10.2.0.1"))
    assert not rules.permit("wiki.example.org", ip_address("2002:a01:203::1"))


def test_an_allowed_name_may_lead_inside_but_not_to_this_machine_or_its_cloud() -> None:
    rules = AddressRules(allowed_names=("wiki.inside.example", "*.docs.example"))
    inside = ip_address("10.1.2.3")
    assert rules.permit("wiki.inside.example", inside)
    assert rules.permit("a.docs.example", inside)
    for other in ("docs.example", "evilwiki.inside.example", "a.wiki.inside.example", ""):
        assert not rules.permit(other, inside)
    for address in (
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "fe80::1",
        "0.0.0.0",
        "224.0.0.1",
        "::ffff:127.0.0.1",
    ):
        assert not rules.permit("wiki.inside.example", ip_address(address)), address


def test_what_is_denied_is_denied_in_every_form_whatever_is_allowed() -> None:
    rules = AddressRules(
        allowed_networks=(ip_network("10.0.0.0/8"),),
        allowed_names=("bad.example.org",),
        denied_networks=(ip_network("10.9.0.0/16"), ip_network("1.1.1.0/24")),
        denied_names=("bad.example.org",),
    )
    for address in ("10.9.0.1", "1.1.1.1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2606:4700::5efe:101:101"):
        assert not rules.permit("example.org", ip_address(address)), address
    assert not rules.permit("bad.example.org", ip_address("8.8.8.8"))


def test_where_nothing_goes_outside_only_what_is_allowed_is_connected_to() -> None:
    rules = AddressRules(
        allowed_networks=(ip_network("10.1.0.0/16"),), allowed_names=("*.example.org",), outside=False
    )
    assert rules.permit("", ip_address("10.1.2.3"))
    assert rules.permit("wiki.example.org", ip_address("8.8.8.8"))
    assert not rules.permit("example.com", ip_address("8.8.8.8"))
    assert not rules.permit("", ip_address("::ffff:8.8.8.8"))
    assert [rules.reach(host) for host in ("10.1.2.3", "wiki.example.org", "8.8.8.8", "example.com")] == [
        True,
        True,
        False,
        False,
    ]
