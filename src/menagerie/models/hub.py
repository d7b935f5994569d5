"""Models on a hub: the files of a repository, by glob.

Protocol: the hub's HTTP API, `GET /api/models/<repo>/tree/<revision>` (pages linked by `rel="next"`) and
`GET /<repo>/resolve/<revision>/<path>`; the `oid` of a large file is its SHA-256.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from menagerie.core.errors import ErrorCode
from menagerie.models.catalogue import is_plain_name, matches
from menagerie.models.download import Remote, network_failure
from menagerie.models.failures import ModelError
from menagerie.models.gguf import shard_names
from menagerie.models.wish import ModelWish
from menagerie.net.client import NetworkError, fetch, read_limited
from menagerie.settings import Settings

REVISION: Final = "main"
MAX_PAGE: Final = 16 * 2**20
MAX_PAGES: Final = 20
_NOT_A_MODEL: Final = ("mmproj", "imatrix")


class _LargeFile(msgspec.Struct, frozen=True):
    oid: str
    size: int


class _Entry(msgspec.Struct, frozen=True):
    path: str
    type: str = "file"
    size: int = 0
    lfs: _LargeFile | None = None


async def find_files(client: aiohttp.ClientSession, wish: ModelWish, settings: Settings) -> list[Remote]:
    """The files of a `hub` wish: one, or all shards of one model, in order.

    Raises `model.download_failed`: no such repository, not allowed, no file fits the glob, several models fit it,
    a shard is missing.
    """
    token = settings.hub_token.get_secret_value()
    authorization = f"Bearer {token}" if token else ""
    try:
        entries = await _entries(client, wish, settings.hub.rstrip("/"), authorization)
    except NetworkError as failure:
        raise network_failure(failure, wish.label) from failure
    files = {entry.path: entry for entry in entries if entry.type == "file"}
    chosen = _choose(files, wish)
    return [_remote(files[path], wish, settings.hub.rstrip("/"), authorization) for path in chosen]


async def _entries(
    client: aiohttp.ClientSession, wish: ModelWish, hub: str, authorization: str
) -> list[_Entry]:
    page: URL | None = URL(f"{hub}/api/models/{quote(wish.repo)}/tree/{REVISION}?recursive=true")
    entries: list[_Entry] = []
    for _ in range(MAX_PAGES):
        if page is None:
            break
        async with fetch(client, page, authorization=authorization) as response:
            body = await read_limited(response, MAX_PAGE)
            page = _next_page(response)
        try:
            entries += msgspec.json.decode(body, type=list[_Entry])
        except msgspec.DecodeError as failure:
            raise NetworkError("unreachable", host=URL(hub).host or "") from failure
    return entries


def _next_page(response: aiohttp.ClientResponse) -> URL | None:
    """The next page of the list, as long as the same server has it: the token goes along."""
    link = response.links.get("next")
    address = link.get("url") if link else None
    if not isinstance(address, URL) or address.origin() != response.url.origin():
        return None
    return address


def _choose(files: dict[str, _Entry], wish: ModelWish) -> list[str]:
    fitting = sorted(
        path
        for path in files
        if is_plain_name(path.rpartition("/")[2])
        and matches(path, wish.filename)
        and not any(word in path.rpartition("/")[2].lower() for word in _NOT_A_MODEL)
    )
    models = dict.fromkeys(tuple(_all_shards(path)) for path in fitting)
    if not models:
        raise ModelError(
            ErrorCode.MODEL_DOWNLOAD_FAILED, "hub_no_match", model=wish.label, pattern=wish.filename
        )
    if len(models) > 1:
        names = ", ".join(shards[0].rpartition("/")[2] for shards in list(models)[:4])
        raise ModelError(
            ErrorCode.MODEL_DOWNLOAD_FAILED, "hub_ambiguous", model=wish.label, count=len(models), files=names
        )
    shards = next(iter(models))
    for path in shards:
        if path not in files:
            raise ModelError(ErrorCode.MODEL_DOWNLOAD_FAILED, "shard_missing", model=wish.label, file=path)
    return list(shards)


def _all_shards(path: str) -> list[str]:
    folder, slash, name = path.rpartition("/")
    return [f"{folder}{slash}{shard}" for shard in shard_names(name)]


def _remote(entry: _Entry, wish: ModelWish, hub: str, authorization: str) -> Remote:
    oid = entry.lfs.oid.lower().removeprefix("sha256:") if entry.lfs else ""
    return Remote(
        url=f"{hub}/{quote(wish.repo)}/resolve/{REVISION}/{quote(entry.path)}",
        name=entry.path.rpartition("/")[2],
        size=entry.lfs.size if entry.lfs else entry.size or None,
        sha256=oid,
        authorization=authorization,
    )
