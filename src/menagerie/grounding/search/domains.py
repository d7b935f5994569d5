"""Names of sites, as people write them, in one spelling; and what belongs to a site. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from menagerie.net.addresses import AddressRules
from menagerie.net.failure import NetworkError
from menagerie.net.location import host_name, is_inside

_LONGEST: Final = 300


def domain_of(written: str) -> str:
    """The domain, in ASCII and lower case, without a dot at its end; empty where it is none: an IP address, one word,
    an address of a page."""
    if len(written) > _LONGEST:
        return ""
    try:
        name = host_name(written.strip().removesuffix("."))
    except NetworkError:
        return ""
    return name if "." in name and not name.replace(".", "").isdigit() and ":" not in name else ""


def is_public(domain: str, rules: AddressRules) -> bool:
    """Whether a domain can be one of the public Web, or is allowed by the rules, and not denied."""
    return bool(domain) and not rules.denies(domain) and (not is_inside(domain) or rules.names(domain))


def host_of(address: str) -> str:
    """The host in an address of http or https; empty where there is none."""
    try:
        parts = urlsplit(address)
        return (
            host_name((parts.hostname or "").removesuffix(".")) if parts.scheme in {"http", "https"} else ""
        )
    except (ValueError, NetworkError):
        return ""


def within(host: str, domains: Iterable[str]) -> bool:
    """Whether a host is one of the domains, or below one."""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
