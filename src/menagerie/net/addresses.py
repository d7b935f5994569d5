"""Which addresses of the network may be connected to when somebody gives the address of a page. Pure.

The special blocks are those of IANA's registries (RFC 6890 and what updates it); forms of IPv6 that carry an IPv4
address are judged by that one too, since a gateway may deliver there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import msgspec

from menagerie.settings import Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL_4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared by carriers (RFC 6598)
            "127.0.0.0/8",
            "168.63.129.16/32",  # the inside of a well-known cloud, at an address that looks public
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
        ),
    )
)
_GLOBAL_6: Final = IPv6Network("2000::/3")
"""All that has been given out as global unicast (RFC 4291, IANA); what lies outside is special or nobody's."""
_SPECIAL_6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # assignments to protocols, Teredo among them
            "2001:db8::/32",
            "2002::/16",  # 6to4 (deprecated by RFC 7526)
            "3fff::/20",
        ),
    )
)
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_COMPATIBLE: Final = IPv6Network("::/96")
_TRANSLATED: Final = IPv6Network("::ffff:0:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL: Final = IPv6Network("64:ff9b:1::/48")
_6TO4: Final = IPv6Network("2002::/16")
_TEREDO: Final = IPv6Network("2001::/32")
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
_32_BITS: Final = 0xFFFF_FFFF


class AddressRules(msgspec.Struct, frozen=True, kw_only=True):
    """What an administrator allows and denies beyond the rule that a page's address is global.

    Names are in lower case; `*.example.org` is any name below `example.org`. What is denied is denied, allowed or not.
    """

    allowed_networks: tuple[Network, ...] = ()
    allowed_names: tuple[str, ...] = ()
    denied_networks: tuple[Network, ...] = ()
    denied_names: tuple[str, ...] = ()
    ports: frozenset[int] = frozenset({80, 443})
    outside: bool = True
    """Whether anything may be asked for that is not allowed by name or by network."""

    @classmethod
    def of(cls, settings: Settings) -> AddressRules:
        """The rules of the settings `MENAGERIE_FETCH_…`."""
        allowed, denied = settings.fetch_allow, settings.fetch_deny
        return cls(
            allowed_networks=tuple(one for one in allowed if not isinstance(one, str)),
            allowed_names=tuple(one for one in allowed if isinstance(one, str)),
            denied_networks=tuple(one for one in denied if not isinstance(one, str)),
            denied_names=tuple(one for one in denied if isinstance(one, str)),
            ports=frozenset(settings.fetch_ports),
            outside=settings.outside == "on",
        )

    def names(self, host: str) -> bool:
        """Whether a host is allowed by its name."""
        return _named(host, self.allowed_names)

    def denies(self, host: str) -> bool:
        """Whether a host is denied by its name."""
        return _named(host, self.denied_names)

    def reach(self, host: str) -> bool:
        """Whether anything at all may be asked of a host, a name or an IP address, where nothing is to go outside. What
        is allowed by its network alone is so by its IP address: looking its name up would go outside."""
        if self.outside or self.names(host):
            return True
        try:
            return _within(ip_address(host), self.allowed_networks)
        except ValueError:
            return False

    def permit(self, host: str, address: Address) -> bool:
        """Whether `address`, which belongs to the name `host` or is written in its place, may be connected to.

        It is global, or in a network that is allowed, or that of a name that is allowed; and so is every IPv4 address
        inside it. A name that is allowed does not open what no name should lead to: this machine, link-local,
        multicast, reserved.
        """
        if self.denies(host):
            return False
        forms = (address, *embedded(address))
        if any(_within(form, self.denied_networks) for form in forms):
            return False
        judged = forms[1:] if _only_carries(address) else forms
        return all(self._permit_form(host, form) for form in judged)

    def permit_some(self, address: Address) -> bool:
        """Whether there may be a host at whose `address` one may connect."""
        return any(self.permit(host, address) for host in ("", *self.allowed_names))

    def _permit_form(self, host: str, address: Address) -> bool:
        if _within(address, self.allowed_networks) or (self.outside and is_global(address)):
            return True
        never = (
            address.is_loopback
            or address.is_link_local
            or address.is_multicast
            or address.is_unspecified
            or address.is_reserved
        )
        return self.names(host) and not never


def is_global(address: Address) -> bool:
    """Whether it is a unicast address of the public Internet, by itself: what is embedded is not looked at."""
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv4Address):
        return not _within(address, _SPECIAL_4)
    return address in _GLOBAL_6 and not _within(address, _SPECIAL_6)


def embedded(address: Address) -> tuple[IPv4Address, ...]:
    """Every IPv4 address that an IPv6 address carries by one of the ways in use."""
    return tuple(_embedded(address)) if isinstance(address, IPv6Address) else ()


def _embedded(address: IPv6Address) -> Iterator[IPv4Address]:
    bits = int(address)
    last = IPv4Address(bits & _32_BITS)
    if any(address in network for network in (_MAPPED, _COMPATIBLE, _TRANSLATED, _NAT64, _NAT64_LOCAL)):
        yield last
    if address in _NAT64_LOCAL:  # RFC 6052, section 2.2: a prefix of 48 bits puts it around the 64th to 71st
        yield IPv4Address((bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF)
    if address in _6TO4:
        yield IPv4Address(bits >> 80 & _32_BITS)
    if address in _TEREDO:
        yield IPv4Address(bits >> 64 & _32_BITS)
        yield IPv4Address(bits & _32_BITS ^ _32_BITS)
    if bits >> 32 & _32_BITS in _ISATAP:
        yield last


def _only_carries(address: Address) -> bool:
    """Whether it is nothing but another way to write an IPv4 address, or to reach it from a network without IPv4."""
    return isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _named(host: str, names: Iterable[str]) -> bool:
    return any(host.endswith(name[1:]) if name.startswith("*.") else host == name for name in names)
