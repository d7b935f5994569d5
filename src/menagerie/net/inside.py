"""Where the administrator's own requests may go when nothing is to leave the machine: to itself, and to what is allowed
by name or by network. No proxy is asked then, for that is a way outside."""

from __future__ import annotations

import socket
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final

import aiohttp
import msgspec

from menagerie.net.addresses import AddressRules
from menagerie.net.failure import NetworkError
from menagerie.net.lookup import CheckedResolver, SystemResolver
from menagerie.settings import Settings

_HERE: Final = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_HERE_NAMES: Final = ("localhost", "*.localhost")


class Inside:
    """What a client session is made with to stay inside."""

    def __init__(self, settings: Settings) -> None:
        rules = AddressRules.of(settings)
        self._rules = msgspec.structs.replace(
            rules,
            allowed_networks=(*rules.allowed_networks, *_HERE),
            allowed_names=(*rules.allowed_names, *_HERE_NAMES),
        )

    async def check(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """A middleware: pass on what may be asked for; raises `NetworkError("outside")` for all else, before its name
        is looked up."""
        host = request.url.raw_host or ""
        if not self._rules.reach(host):
            raise NetworkError("outside", host=host)
        return await handler(request)

    def connector(self) -> dict[str, Any]:
        """The arguments of a connector that connects to nothing else, whatever a name leads to."""
        resolver = CheckedResolver(self._rules, SystemResolver(), "outside")
        return {"resolver": resolver, "socket_factory": self._socket, "use_dns_cache": False}

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, place = info
        if not self._rules.permit_some(ip_address(place[0])):
            raise NetworkError("outside")
        return socket.socket(family, kind, protocol)
