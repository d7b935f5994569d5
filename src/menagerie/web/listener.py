"""The listeners: uvicorn's, with an end to their patience. Those set no bounds on headers, in time or in size, take a
trailer for a header, and keep whatever a websocket's client makes them answer."""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.frames import Frame

from menagerie.web.socket_protocol import ShortWayWebSocketProtocol

HEADER_SECONDS: Final = 20.0
HEADER_BYTES: Final = 65_536
UNREAD_BYTES: Final = 65_536
MOST_FRAGMENTS: Final = 4096

_POLICY_VIOLATION: Final = 1008

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"connection: close\r\ncontent-length: 44\r\n\r\nThe headers are too large. [request.invalid]\n"
)


class BoundedHttpProtocol(HttpToolsProtocol):
    """Ends a connection whose request headers are not there after 20 seconds, or are larger than 64 KiB.

    What follows a body (RFC 9110, section 6.5: trailers) is no header: who says there who a person is has not been
    checked by any proxy.
    """

    _headers_due: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _unparsed = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The clock of the first request begins to run, whether or not anything comes."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes; the parser keeps those of a header that has no end yet, and tells nothing of them."""
        due = self._headers_due
        super().data_received(data)
        if due is not None and due is self._headers_due:
            self._unparsed += len(data)
            if self._unparsed > HEADER_BYTES:
                self._refuse()

    def on_message_begin(self) -> None:
        """Another request: its clock begins to run."""
        self._await_headers()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the address counts as header."""
        if self._has_room_for(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, unless it comes after the headers are complete."""
        if self._headers_due is not None and self._has_room_for(len(name) + len(value)):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The request is the application's now."""
        self._stop_waiting()
        if self._header_bytes <= HEADER_BYTES:
            super().on_headers_complete()

    def _has_room_for(self, more: int) -> bool:
        self._header_bytes += more
        if self._header_bytes <= HEADER_BYTES:
            return True
        self._refuse()
        return False

    def _refuse(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _await_headers(self) -> None:
        self._stop_waiting()
        self._header_bytes = self._unparsed = 0
        self._headers_due = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class BoundedWebSocketProtocol(ShortWayWebSocketProtocol):
    """Answers no ping of a client that reads no answers (RFC 6455, section 5.5.3: the newest is enough), and ends a
    connection on which one message comes in more than 4,096 fragments."""

    def handle_ping(self) -> None:
        """A ping; its answer waits inside the connection."""
        answer = b"".join(self.conn.data_to_send())
        if self.transport.get_write_buffer_size() <= UNREAD_BYTES:
            self.transport.write(answer)

    def handle_cont(self, event: Frame) -> None:
        """Another fragment, which costs far more to keep than to send."""
        if len(self.frames) < MOST_FRAGMENTS:
            super().handle_cont(event)
        elif not self.transport.is_closing():
            self.conn.fail(_POLICY_VIOLATION)
            self.handle_parser_exception()
