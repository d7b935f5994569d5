"""Which host names the service answers to, and pages of which sites may use it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from menagerie.settings import Settings

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""What tells only whether the service lives; a prober asks by whatever address it was given."""
COMPUTING_PATHS: Final = ("/gpt/",)
"""Where a GET costs an answer, so that another site's image or frame must not send it."""

_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?", re.IGNORECASE | re.ASCII)


class Host(NamedTuple):
    """A host as a header gives it: its name in lower case, and its port where it has one."""

    name: str
    port: int | None


def parse_host(text: str) -> Host | None:
    """A `Host` header, or the part of an origin after its scheme; None where it is malformed."""
    match = _HOST.fullmatch(text)
    if match is None:
        return None
    return Host(match[1].lower().rstrip("."), int(match[2]) if match[2] else None)


class HostRule:
    """Host names that are answered to, against pages that had their own name resolve to this machine.

    `settings.allowed_hosts` names them (`*.example.org`: any below it; `*`: any). With none named, a service that
    listens on loopback answers to loopback names, and any other to every name.
    """

    def __init__(self, settings: Settings) -> None:
        self._names = tuple(name.lower().rstrip(".") for name in settings.allowed_hosts)
        if not self._names:
            self._names = LOOPBACK_NAMES if is_loopback(settings.host) else ("*",)

    def allows(self, connection: HTTPConnection) -> bool:
        """Whether this request names a host that is answered to."""
        if connection.scope["path"] in OPEN_PATHS:
            return True
        hosts = connection.headers.getlist("host")
        if len(hosts) != 1:
            return not hosts and "*" in self._names
        host = parse_host(hosts[0])
        return host is not None and any(_covers(name, host.name) for name in self._names)


class OriginRule:
    """Sites whose pages may change something here or open a websocket: this one, and `settings.allowed_origins`.

    Programs send no `Origin` and are not meant: nobody can make them come.
    """

    def __init__(self, settings: Settings) -> None:
        self._origins = frozenset(origin.lower().rstrip("/") for origin in settings.allowed_origins)

    def allows(self, connection: HTTPConnection) -> bool:
        """Whether this request may be what a page of another site sends."""
        headers = connection.headers
        origins = headers.getlist("origin")
        if self._harmless(connection):
            return True
        site = headers.get("sec-fetch-site", "none" if not origins else "")
        if origins and not (origins == ["null"] and site == "same-origin"):
            return len(origins) == 1 and self._admits(origins[0], headers.getlist("host"))
        return site in {"none", "same-origin"}

    def _harmless(self, connection: HTTPConnection) -> bool:
        scope = connection.scope
        if scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS:
            return False
        if not scope["path"].startswith(COMPUTING_PATHS):
            return True
        headers = connection.headers
        return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"

    def _admits(self, origin: str, hosts: Iterable[str]) -> bool:
        if origin.lower().rstrip("/") in self._origins:
            return True
        try:
            scheme, netloc, path, query, fragment = urlsplit(origin)
        except ValueError:
            return False
        default = DEFAULT_PORTS.get(scheme)
        theirs = parse_host(netloc)
        if theirs is None or default is None or path or query or fragment:
            return False
        ours = [parse_host(host) for host in hosts]
        return len(ours) == 1 and _with_port(theirs, default) == _with_port(ours[0], default)


def is_loopback(host: str) -> bool:
    """Whether a service that listens at `host` is reached from this machine alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _covers(allowed: str, name: str) -> bool:
    if allowed.startswith("*."):
        return name.endswith(allowed[1:])
    return allowed in {"*", name}


def _with_port(host: Host | None, default: int) -> Host | None:
    return host and Host(host.name, host.port or default)
