"""What stands before every route: which hosts and origins, how much and how fast, and headers on every answer."""

from __future__ import annotations

import re
import secrets
from typing import Final

import structlog
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.settings import Settings
from menagerie.web.errors import refuse
from menagerie.web.hosts import HostRule, OriginRule
from menagerie.web.identity import client_address
from menagerie.web.language import language_of
from menagerie.web.limits import BODY_PATIENCE, ConnectionLimits, LimitedBody

log = structlog.get_logger("menagerie.web")

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
PERMISSIONS: Final = ", ".join(
    (
        *(f"{name}=(self)" for name in ("camera", "clipboard-read", "clipboard-write")),
        *(f"{name}=()" for name in ("geolocation", "microphone", "payment", "usb")),
    )
)
"""Pictures and what was copied are for our own pages, where a person asks for them."""
LISTENING: Final = PERMISSIONS.replace("microphone=()", "microphone=(self)")
"""Of a page on which people may dictate."""

HEADERS: Final = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"permissions-policy", PERMISSIONS.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
NO_STORE: Final = (b"cache-control", b"no-store")

SEND: Final = "menagerie.send"
"""Where a websocket's scope has the server's own `send`, without what the framework puts around it."""

FILES: Final = "/v1/files"
"""Where files are sent to …"""
DOCUMENTS: Final = re.compile(r"/facts/[^/]+/documents")
"""… and documents of collections."""
_FORM_AROUND: Final = 65_536
"""Bytes of a form beside the file in it."""
_DRAIN_BYTES: Final = 16 * 1024 * 1024
_DRAIN_SECONDS: Final = 2.0
_REFUSED: Final = 1008


class Guard:
    """An ASGI application around another, outside all that answers, so that what it promises holds for every answer.

    It gives each request a number (`scope["state"]["request_id"]`, `X-Request-Id`), refuses foreign hosts and
    origins, ends bodies that are too large or too slow, counts websockets, and adds the security headers that a
    route has not set itself. An exception that nothing else has told becomes `internal`.
    """

    def __init__(self, app: ASGIApp, settings: Settings, *, body_patience: float = BODY_PATIENCE) -> None:
        self._app = app
        self._settings = settings
        self._body_patience = body_patience
        self._hosts = HostRule(settings)
        self._origins = OriginRule(settings)
        self.connections = ConnectionLimits(settings.max_connections, settings.connections_per_address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["request_id"] = secrets.token_hex(8)
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._websocket(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = Request(scope)
        largest = self._largest_body(scope)
        body = LimitedBody(receive, largest, self._body_patience)
        answer = _Answer(scope, send)
        try:
            self._check(connection)
            self._check_length(connection, largest)
            await self._app(scope, body, answer)
        except MenagerieError as error:
            await self._tell(connection, error, body, answer)
        except ClientDisconnect:
            return  # in the middle of its body: there is nobody to tell, and nothing went wrong here
        except Exception:
            log.exception("request_failed", request=answer.request_id, path=scope["path"])
            if not answer.started:
                await self._tell(connection, MenagerieError(ErrorCode.INTERNAL), body, answer)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        address = client_address(connection, self._settings)
        try:
            self._check(connection)
            self.connections.enter(address)
        except MenagerieError as error:
            await self._deny(connection, error, receive, send)
            return
        scope[SEND] = send
        try:
            await self._app(scope, receive, send)
        finally:
            self.connections.leave(address)

    def _check(self, connection: HTTPConnection) -> None:
        if not self._hosts.allows(connection):
            raise MenagerieError(ErrorCode.HOST_REFUSED)
        if not self._origins.allows(connection):
            raise MenagerieError(ErrorCode.ORIGIN_REFUSED)

    def _largest_body(self, scope: Scope) -> int:
        """The most bytes of a body. A route that takes a file writes it away as it comes."""
        settings = self._settings
        if scope["method"] == "POST":
            if scope["path"] == FILES:
                return max(settings.max_file, settings.max_document, settings.max_body) + _FORM_AROUND
            if DOCUMENTS.fullmatch(scope["path"]):
                return max(settings.max_document, settings.max_body) + _FORM_AROUND
        return self._settings.max_body

    def _check_length(self, connection: HTTPConnection, largest: int) -> None:
        length = connection.headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > largest:
            raise MenagerieError(ErrorCode.BODY_TOO_LARGE, limit=largest)

    async def _tell(
        self, connection: HTTPConnection, error: MenagerieError, body: LimitedBody, answer: _Answer
    ) -> None:
        """Answer with `error`, unless an answer has begun: that one is then cut off by the server."""
        if answer.started:
            log.warning("answer_cut_off", request=answer.request_id, code=error.code.value)
            return
        response = refuse(connection, error, language_of(connection, self._settings))
        if body.complete or not _has_body(connection):
            await response(connection.scope, body, answer)
            return
        response.headers["Connection"] = "close"
        await answer(
            {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        )
        await answer({"type": "http.response.body", "body": response.body, "more_body": True})
        if "expect" not in connection.headers:
            await body.drain(_DRAIN_BYTES, _DRAIN_SECONDS)
        await answer({"type": "http.response.body", "body": b"", "more_body": False})

    async def _deny(
        self, connection: HTTPConnection, error: MenagerieError, receive: Receive, send: Send
    ) -> None:
        """Refuse a websocket before it is accepted: with a whole answer where the server can send one."""
        await receive()
        if "websocket.http.response" not in connection.scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": _REFUSED, "reason": error.code.value})
            return
        answer = _Answer(connection.scope, send)
        response = refuse(connection, error, language_of(connection, self._settings))
        await response(connection.scope, receive, answer)


class _Answer:
    """An ASGI `send` that adds the headers every answer has."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._cacheable = scope["path"].startswith("/static/")
        self.request_id: str = scope["state"]["request_id"]
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"].endswith("http.response.start"):
            self.started = True
            message = {**message, "headers": [*message.get("headers", ()), *self._missing(message)]}
        await self._send(message)

    def _missing(self, message: Message) -> list[tuple[bytes, bytes]]:
        given = {name.lower() for name, _ in message.get("headers", ())}
        wanted = HEADERS if self._cacheable else (*HEADERS, NO_STORE)
        missing = [header for header in wanted if header[0] not in given]
        return [*missing, (b"x-request-id", self.request_id.encode())]


def _has_body(connection: HTTPConnection) -> bool:
    headers = connection.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
