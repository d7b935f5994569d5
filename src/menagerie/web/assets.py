"""The files of the pages, built and static: read once, served from memory under an address that names their content."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

FOREVER: Final = "public, max-age=31536000, immutable"
CHECK_FIRST: Final = "public, no-cache"
MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".md": "text/markdown",
}
MANIFEST: Final = "manifest.json"
"""What the build says of each page: its script, and the styles and modules that go with it."""

BASE: Final = "style/base.css"
"""The style that all pages share …"""
FRAME: Final = "frame/main.ts"
"""… and the script of what stands around them."""
FIRST_FONTS: Final = ("gcds-noto-sans-regular.woff2", "gcds-lato.woff2")
"""The fonts of what is seen first, as the design system calls them."""


@dataclass(frozen=True)
class Asset:
    """One static file: its bytes, the same compressed, and its entity tag."""

    content: bytes
    compressed: bytes
    media_type: str
    etag: str


@dataclass(frozen=True)
class Entry:
    """What a page loads: the addresses of its styles, of the script of the frame and its own, of the modules that
    these will ask for, and of the fonts that its first view needs."""

    styles: tuple[str, ...]
    frame: str
    script: str
    modules: tuple[str, ...]
    fonts: tuple[str, ...]


class Assets:
    """All files below `folders`. Only what is there at the start can be asked for, so no path leads outside.

    An address is `/static/<version>/<name>`: modules import one another by relative addresses, and all of them
    change together when any of them does.
    """

    def __init__(self, *folders: Traversable) -> None:
        self._assets = {name: _read(entry) for folder in folders for name, entry in _files(folder)}
        manifest = self._assets.pop(MANIFEST, None)
        self._manifest: Mapping[str, Any] = msgspec.json.decode(manifest.content) if manifest else {}
        digest = hashlib.sha256()
        for name, asset in sorted(self._assets.items()):
            digest.update(f"{name}\0{asset.etag}\0".encode())
        self.version: str = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """The address of a file; `KeyError` where there is none: a defect of ours."""
        if name not in self._assets:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"

    def entry(self, page: str) -> Entry:
        """What the page `page` of `ui/pages` loads; `KeyError` where it was not built: a defect of ours."""
        name = f"pages/{page}/main.ts"
        chunks = list(dict.fromkeys([*_reached(self._manifest, FRAME), *_reached(self._manifest, name)]))
        styles = [style for chunk in chunks for style in self._manifest[chunk].get("css", ())]
        return Entry(
            styles=tuple(map(self.url, dict.fromkeys([self._manifest[BASE]["file"], *styles]))),
            frame=self.url(self._manifest[FRAME]["file"]),
            script=self.url(self._manifest[name]["file"]),
            modules=tuple(
                self.url(self._manifest[chunk]["file"]) for chunk in chunks if chunk not in {FRAME, name}
            ),
            fonts=tuple(
                self.url(font)
                for font in self._manifest[BASE].get("assets", ())
                if _unhashed(font) in FIRST_FONTS
            ),
        )

    def respond(self, request: Request, version: str, name: str) -> Response | None:
        """The file, or 304 where the client has it, or None where there is no such file.

        A page from before an update still finds its files under the old version, but must ask again each time.
        """
        asset = self._assets.get(name)
        if asset is None:
            return None
        headers = {
            "Cache-Control": FOREVER if version == self.version else CHECK_FIRST,
            "ETag": asset.etag,
            "Vary": "Accept-Encoding",
        }
        if asset.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(asset.compressed, media_type=asset.media_type, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)


@cache
def assets() -> Assets:
    """The files that come with the service."""
    web = resources.files("menagerie.web")
    return Assets(web.joinpath("static"), web.joinpath("built"))


def _unhashed(name: str) -> str:
    """`gcds-lato.woff2` of `gcds-lato-cyq7vkAt.woff2`: the hash of a built file is eight letters, `-` and `_` too."""
    return re.sub(r"-[\w-]{8}(\.\w+)$", r"\1", name)


def _reached(manifest: Mapping[str, Any], name: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """A chunk and all that it imports at once, what is imported first."""
    for imported in manifest[name].get("imports", ()):
        if imported not in seen:
            yield from _reached(manifest, imported, seen | {name})
    yield name


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.name == "made-from":
            continue
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry


def _read(entry: Traversable) -> Asset:
    content = entry.read_bytes()
    suffix = entry.name[entry.name.rfind(".") :]
    media_type = MEDIA_TYPES.get(suffix) or mimetypes.guess_type(entry.name)[0] or "application/octet-stream"
    return Asset(
        content=content,
        compressed=gzip.compress(content, mtime=0),
        media_type=media_type,
        etag=f'"{hashlib.sha256(content).hexdigest()[:20]}"',
    )
