"""Who asks, and from where. Headers are believed only from the proxies that the settings name."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from starlette.requests import HTTPConnection

from menagerie.core.identity import User, name_of_person
from menagerie.settings import Settings

NAME_HEADERS: Final = ("x-forwarded-user", "x-forwarded-email")
ADDRESS_HEADER: Final = "x-forwarded-for"
MAX_HOPS: Final = 32

Address = IPv4Address | IPv6Address


def identify(connection: HTTPConnection, settings: Settings) -> User:
    """The caller, as an authenticating proxy names them: `X-Forwarded-User` and `X-Forwarded-Email` are both names
    of theirs. Without such a proxy in `settings.trusted_proxies`, and where a header is repeated, too long or
    holds what no name holds, the caller is nobody in particular."""
    peer = _peer(connection)
    address = _client(connection, peer, settings)
    names = _names(connection) if _is_trusted(peer, settings) else ()
    return User(names=names, address=str(address or ""))


def client_address(connection: HTTPConnection, settings: Settings) -> str:
    """The address that the request comes from: that of the peer, or, through trusted proxies, the right-most hop
    of `X-Forwarded-For` that is none of them. Empty for a peer at a unix socket."""
    return str(_client(connection, _peer(connection), settings) or "")


def is_from_trusted_proxy(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether the peer is one of the proxies that the settings trust."""
    return _is_trusted(_peer(connection), settings)


def _peer(connection: HTTPConnection) -> Address | None:
    client = connection.client
    return _parsed(client.host) if client else None


def _client(connection: HTTPConnection, peer: Address | None, settings: Settings) -> Address | None:
    seen = peer
    if _is_trusted(peer, settings):
        hops = ",".join(connection.headers.getlist(ADDRESS_HEADER)).rsplit(",", MAX_HOPS)[-MAX_HOPS:]
        for hop in reversed(hops):
            address = _parsed(hop)
            if address is None:
                break
            seen = address
            if not _is_trusted(address, settings):
                break
    return seen


def _is_trusted(address: Address | None, settings: Settings) -> bool:
    return address is not None and any(address in network for network in settings.trusted_proxies)


def _parsed(text: str) -> Address | None:
    """An address without its port, brackets and zone; one of IPv4 inside IPv6 as IPv4; None where it is none."""
    host = text.strip()[:100]
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _names(connection: HTTPConnection) -> tuple[str, ...]:
    names: list[str] = []
    for header in NAME_HEADERS:
        values = [value for key, value in connection.scope["headers"] if key == header.encode()]
        if not values or values == [b""]:
            continue
        name = _name(values)
        if not name:
            return ()
        names.append(name)
    return tuple(dict.fromkeys(names))


def _name(values: Iterable[bytes]) -> str:
    """The one name that a header gives; empty where it gives none that could be believed."""
    value, *others = values
    if others:
        return ""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return name_of_person(text)
