"""Small servers on the loopback that stand in for a hub, a package index and a download site."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Self

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.models.failures import ModelError


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Site:
    """Serves `files` by path, whole or in ranges, and remembers what it was asked.

    `break_at` ends a response after so many bytes of it, as often as there are numbers.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.begun = asyncio.Event()
        self.asked: list[web.BaseRequest] = []
        self.break_at: list[int] = []
        self.ranges = True
        self.entity = "first"
        self.pause = 0.0
        self.redirect_to = ""
        self.pages: dict[str, tuple[str, str]] = {}
        self.status: list[int] = []
        self._server = TestServer(web.Application(client_max_size=0), host="127.0.0.1")
        self._server.app.router.add_get("/{path:.*}", self._answer)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    def address(self, path: str = "", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self._server.port}{path}"

    def asked_for(self, path: str) -> list[web.BaseRequest]:
        return [request for request in self.asked if request.path == path]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.begun.set()
        if self.status:
            return web.Response(status=self.status.pop(0))
        if request.path in self.pages:
            kind, text = self.pages[request.path]
            return web.Response(text=text, content_type=kind)
        if request.path not in self.files:
            return web.Response(status=404)
        if self.redirect_to:
            return web.Response(status=302, headers={"Location": f"{self.redirect_to}{request.path}"})
        return await self._file(request, self.files[request.path])

    async def _file(self, request: web.Request, content: bytes) -> web.StreamResponse:
        start = self._start(request)
        headers = {"ETag": f'"{self.entity}"', "Content-Length": str(len(content) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        response = web.StreamResponse(status=206 if start else 200, headers=headers)
        await response.prepare(request)
        if self.break_at:
            await response.write(content[start : start + self.break_at.pop(0)])
            await asyncio.sleep(0.05)
            assert request.transport is not None
            request.transport.abort()
            return response
        for position in range(start, len(content), 65_536):
            await response.write(content[position : position + 65_536])
            await asyncio.sleep(self.pause)
        return response

    def _start(self, request: web.Request) -> int:
        wanted = request.headers.get("Range", "")
        same = request.headers.get("If-Range", f'"{self.entity}"') == f'"{self.entity}"'
        return int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges and same else 0


def hub_tree(*files: tuple[str, bytes]) -> str:
    """The file list of a repository, as a hub gives it."""
    return json.dumps(
        [
            {"type": "file", "path": path, "size": len(content), "oid": "0" * 40,
             "lfs": {"oid": sha256(content), "size": len(content), "pointerSize": 134}}
            for path, content in files
        ]
        + [{"type": "directory", "path": "docs", "oid": "0" * 40, "size": 0}]
    )  # fmt: skip


def wheel_of(files: Mapping[str, bytes]) -> bytes:
    """A wheel with these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def assert_told(caught: pytest.ExceptionInfo[MenagerieError], code: ErrorCode, reason: str) -> None:
    """The failure has its code and its reason, and a text of its own in each language."""
    failure = caught.value
    assert isinstance(failure, ModelError)
    assert (failure.code, failure.reason) == (code, reason)
    english, french = failure.message("en"), failure.message("fr")
    assert english != french
    assert "{" not in english + french
