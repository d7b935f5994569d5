"""What somebody wrote as the address of a page, read once and strictly: whatever two programs could read differently
is refused. Pure.

The grammar is that of RFC 3986, appendix B; host names go by IDNA (UTS #46).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import idna
from yarl import URL

from menagerie.net.addresses import Address, AddressRules
from menagerie.net.failure import NetworkError

LONGEST: Final = 2000
"""Characters of an address."""

_PARTS: Final = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@%]+)(?::([1-9]\d{0,4}))?", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"(?:([^:/?#]*):)?(//[^/?#]*)?", re.DOTALL)
_NEVER: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ufeff]|[\ud800-\udfff]")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)
_INSIDE: Final = frozenset(
    {"local", "localhost", "internal", "intranet", "lan", "home", "corp", "private", "arpa"}
)
"""Last parts of names that no public page has; whether there is such a host is nobody's business."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def parse_location(address: str, rules: AddressRules) -> URL:
    """The address as it is to be asked for, without its fragment.

    Raises `NetworkError("refused")` for what is not plainly the address of a page: another scheme or port, a user
    name, a host that is denied, spelt oddly, or written as an IP address that may not be connected to; and
    `NetworkError("outside")` where the settings let nothing go to its host.
    """
    parts = _PARTS.fullmatch(address) if len(address) <= LONGEST and not _NEVER.search(address) else None
    authority = _AUTHORITY.fullmatch(parts[2]) if parts else None
    if parts is None or authority is None:
        raise NetworkError("refused")
    scheme = parts[1].lower()
    host = host_name(authority[1])
    port = int(authority[2] or _DEFAULT_PORTS[scheme])
    literal = literal_address(host)
    refused = (
        port not in rules.ports
        or rules.denies(host)
        or (literal is not None and not rules.permit(host, literal))
        or (literal is None and is_inside(host) and not rules.names(host))
    )
    if not rules.reach(host):
        raise NetworkError("outside", host=host)
    if refused:
        raise NetworkError("refused", host=host)
    return _built(scheme, host, port, (parts[3] or "/") + (parts[4] or ""))


def parse_reference(reference: str, base: URL, rules: AddressRules) -> URL:
    """Where a redirect from `base` leads: its scheme and host are read as strictly as those of an address, before any
    library has made them smoother. Raises `NetworkError` like `parse_location`, and `redirect` for what is no
    reference."""
    parts = _REFERENCE.match(reference)
    named: URL | None = None
    if parts and (parts[1] is not None or parts[2] is not None):
        scheme = base.scheme if parts[1] is None else parts[1]
        named = parse_location(f"{scheme}:{parts[2] or ''}", rules)
    try:
        joined = base.join(URL(reference)) if reference else None
    except ValueError as failure:
        raise NetworkError("redirect", host=base.host or "") from failure
    if joined is None:
        raise NetworkError("redirect", host=base.host or "")
    target = parse_location(str(joined), rules)
    if origin_of(target) != origin_of(named or base):
        raise NetworkError("refused", host=target.host or "")
    return target


def origin_of(url: URL) -> tuple[str, str, int]:
    """Scheme, host and port: what credentials are for."""
    return url.scheme, url.raw_host or "", url.port or 0


def literal_address(host: str) -> Address | None:
    """The IP address that stands in the place of a host's name; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def host_name(written: str) -> str:
    """The host in its one spelling: an IP address without brackets, or a name in ASCII and lower case.

    Raises `NetworkError("refused")` for what is spelt oddly.
    """
    try:
        if written.startswith("["):
            return IPv6Address(written[1:-1]).compressed
        name = written.lower() if written.isascii() else idna.encode(written, uts46=True).decode()
        labels = name.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return _canonical_ipv4(written)
    except ValueError as failure:
        raise NetworkError("refused") from failure
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise NetworkError("refused")
    return name


def _canonical_ipv4(written: str) -> str:
    """A name whose last part is a number is an IPv4 address to some programs (WHATWG URL): only as four plain ones."""
    return str(IPv4Address(written))


def is_inside(name: str) -> bool:
    """Whether a name is one that no public page has."""
    *rest, last = name.split(".")
    return not rest or last in _INSIDE


def _built(scheme: str, host: str, port: int, rest: str) -> URL:
    """The one that is asked for, made of the parts that were checked; that the library reads it alike is made sure."""
    written = f"[{host}]" if ":" in host else host
    try:
        url = URL(f"{scheme}://{written}:{port}{rest}")
        alike = (url.scheme, url.raw_host, url.port, url.raw_user) == (scheme, host, port, None)
    except ValueError as failure:
        raise NetworkError("refused", host=host) from failure
    if not alike:
        raise NetworkError("refused", host=host)
    return url
