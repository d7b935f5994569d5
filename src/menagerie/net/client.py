"""The only way out of this machine: one kind of client, its trust, its limits, its redirects."""

from __future__ import annotations

import os
import ssl
from base64 import b64encode
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from menagerie import __version__
from menagerie.net.failure import NetworkError, Reason
from menagerie.net.inside import Inside
from menagerie.net.outbound import Leaving
from menagerie.settings import Settings

__all__ = [
    "NetworkError",
    "Reason",
    "basic_authorization",
    "fetch",
    "open_client",
    "read_limited",
    "send",
]

CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 60.0
MAX_REDIRECTS: Final = 10
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_WELL_KNOWN_AUTHORITIES: Final = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
    Path("/etc/ssl/cert.pem"),
)


def open_client(
    settings: Settings,
    *,
    authorities: Path | None = None,
    client_certificate: Path | None = None,
    proxy: str | None = None,
    proxies: bool = True,
    connections: int = 16,
    read_seconds: float = READ_SECONDS,
) -> aiohttp.ClientSession:
    """A client session for requests that leave the machine; use it with `fetch` or `send`. To be closed by the caller.

    Trusts the machine's authorities, those of `SSL_CERT_FILE` and `PIP_CERT`, and `authorities` (a PEM file). Takes
    proxies from the environment unless `proxy` names one, or not `proxies`. Keeps no cookies, and has no limit on the
    whole duration: 10 s to connect, `read_seconds` between two reads.

    Its addresses are the administrator's: what the settings say of pages is not heeded. But where nothing is to leave
    the machine, all that is outside ends in `NetworkError("outside")`, and no proxy is used.
    """
    inside = Inside(settings) if settings.outside == "off" else None
    limits: dict[str, Any] = inside.connector() if inside else {}
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=trust(authorities, client_certificate), limit=connections, **limits
        ),
        middlewares=[inside.check] if inside else [],
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=read_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"menagerie/{__version__}"},
        trust_env=proxies and not inside,
        proxy=None if inside else proxy,
    )


@asynccontextmanager
async def fetch(
    client: aiohttp.ClientSession,
    address: str | URL,
    *,
    headers: Mapping[str, str] | None = None,
    authorization: str = "",
    unverified: Collection[str] = (),
    purpose: str = "model",
) -> AsyncGenerator[aiohttp.ClientResponse, None]:
    """GET `address`, following redirects, and give the open response (status 2xx, or 416 for a range).

    `authorization`, and a user name and password in the address, go to that scheme, host and port only, never on to
    where a redirect leads. `unverified` are hosts whose certificate is not checked; `purpose` is what is told of it
    (`net/outbound`). Raises `NetworkError`, also for
    what breaks while the body is read.
    """
    url = _parse(address)
    origin = url.origin()
    authorization = authorization or (basic_authorization(url.user, url.password or "") if url.user else "")
    url = url.with_user(None)
    for _ in range(MAX_REDIRECTS + 1):
        sent = dict(headers or {})
        if authorization and url.origin() == origin:
            sent["Authorization"] = authorization
        async with get(client, url, sent, verify=url.host not in unverified, purpose=purpose) as response:
            if response.status not in REDIRECTS:
                _check_status(response)
                yield response
                return
            url = _next(url, response)
    raise NetworkError("redirect", host=url.host or "")


@asynccontextmanager
async def send(
    client: aiohttp.ClientSession,
    method: str,
    address: str | URL,
    body: bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    purpose: str = "service",
) -> AsyncGenerator[aiohttp.ClientResponse, None]:
    """Send `body` to `address` and give the open response, whatever its status. Nothing is redirected: what is sent
    is for that address. Raises `NetworkError`, also for what breaks while the body is read."""
    async with _open(client, method, _parse(address), headers or {}, body=body, purpose=purpose) as response:
        yield response


def basic_authorization(user: str, password: str) -> str:
    """The header of a user name and a password (RFC 7617, in UTF-8)."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


async def read_limited(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body of `response`; `NetworkError("too_large")` as soon as it exceeds `limit` bytes (decompressed)."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > limit:
            raise NetworkError("too_large", host=response.url.host or "", limit=limit)
    return bytes(body)


@asynccontextmanager
async def get(
    client: aiohttp.ClientSession,
    url: URL,
    headers: Mapping[str, str],
    *,
    verify: bool = True,
    proxy: str | None = None,
    purpose: str,
) -> AsyncGenerator[aiohttp.ClientResponse, None]:
    """One GET, whatever its status, without following redirects. Raises `NetworkError`, for the body too."""
    async with _open(client, "GET", url, headers, verify=verify, proxy=proxy, purpose=purpose) as response:
        yield response


@asynccontextmanager
async def _open(
    client: aiohttp.ClientSession,
    method: str,
    url: URL,
    headers: Mapping[str, str],
    *,
    body: bytes | None = None,
    verify: bool = True,
    proxy: str | None = None,
    purpose: str,
) -> AsyncGenerator[aiohttp.ClientResponse, None]:
    asked = client.request(
        method, url, headers=headers, data=body, allow_redirects=False, ssl=verify, proxy=proxy
    )
    with Leaving(purpose, method, url) as leaving:
        async with _failures_told(url.host or "", leaving), asked as response:
            leaving.status = response.status
            try:
                yield response
            finally:
                leaving.bytes = response.content.total_bytes


@asynccontextmanager
async def _failures_told(host: str, leaving: Leaving) -> AsyncGenerator[None, None]:
    """Whatever fails in connecting and reading, as a `NetworkError`."""
    try:
        yield
    except aiohttp.ClientSSLError as failure:
        raise NetworkError("certificate", host=host) from failure
    except (aiohttp.InvalidURL, ValueError) as failure:
        if leaving.status:
            raise
        raise NetworkError("scheme", host=host) from failure
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as failure:
        raise NetworkError("interrupted" if leaving.status else "unreachable", host=host) from failure


def _parse(address: str | URL) -> URL:
    try:
        url = URL(address)
        known = url.scheme in {"http", "https"} and bool(url.host)
    except ValueError as failure:
        raise NetworkError("scheme") from failure
    if not known:
        raise NetworkError("scheme", host=url.host or "")
    return url


def _next(url: URL, response: aiohttp.ClientResponse) -> URL:
    """Where a redirect leads. One from https to http is refused: it would give away what is asked for."""
    location = response.headers.get("Location", "")
    try:
        target = _parse(url.join(URL(location)))
    except ValueError as failure:
        raise NetworkError("redirect", host=url.host or "") from failure
    if not location or (url.scheme == "https" and target.scheme != "https"):
        raise NetworkError("redirect", host=url.host or "")
    return target.with_user(None)


def _check_status(response: aiohttp.ClientResponse) -> None:
    if 200 <= response.status < 300 or response.status == 416:
        return
    wait = response.headers.get("Retry-After", "")
    raise NetworkError(
        "status",
        host=response.url.host or "",
        status=response.status,
        retry_after=float(wait) if wait.isdecimal() else 0.0,
    )


def trust(authorities: Path | None = None, client_certificate: Path | None = None) -> ssl.SSLContext:
    """The machine's authorities, those of `PIP_CERT`, and `authorities`. Raises `NetworkError("certificate")`."""
    context = ssl.create_default_context()
    chosen = {authorities, Path(os.environ["PIP_CERT"]) if os.environ.get("PIP_CERT") else None}
    if not context.get_ca_certs() and "SSL_CERT_FILE" not in os.environ and "SSL_CERT_DIR" not in os.environ:
        chosen.add(next((path for path in _WELL_KNOWN_AUTHORITIES if path.is_file()), None))
    try:
        for path in filter(None, chosen):
            context.load_verify_locations(
                cafile=None if path.is_dir() else path, capath=path if path.is_dir() else None
            )
        if client_certificate is not None:
            context.load_cert_chain(client_certificate)
    except OSError as failure:
        raise NetworkError("certificate") from failure
    return context
