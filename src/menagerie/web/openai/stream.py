"""Server-sent events of a turn, begun as late as can be: what fails before anything was said has its status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from typing import Final, Protocol

import msgspec
import structlog
from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from menagerie.conversation.running import TurnRequest
from menagerie.core.errors import ErrorCode
from menagerie.core.events import AnyEvent, Called, Done, Failed, Queued, Token
from menagerie.web.errors import failed, request_id, status_of
from menagerie.web.openai.answer import Answer
from menagerie.web.openai.errors import error_object
from menagerie.web.services import Services
from menagerie.web.streaming import ClientGoneError, while_connected

log = structlog.get_logger("menagerie.web")

_COMMENT: Final = b": waiting\n\n"
"""Tells proxies and clients that somebody is still there."""


class Encoder(Protocol):
    """How one kind of stream is told."""

    def begin(self, answer: Answer) -> Iterator[bytes]:
        """What comes first."""
        ...

    def tell(self, event: Token | Called, answer: Answer) -> Iterator[bytes]:
        """A piece of the answer."""
        ...

    def end(self, answer: Answer) -> Iterator[bytes]:
        """What comes after the last piece of a whole answer."""
        ...

    def fail(self, answer: Answer, error: dict[str, object]) -> Iterator[bytes]:
        """What comes instead of the end."""
        ...


def data(body: object, event: str = "") -> bytes:
    """One server-sent event."""
    named = f"event: {event}\n".encode() if event else b""
    return b"%sdata: %s\n\n" % (named, msgspec.json.encode(body))


class EventStream(Response):
    """One turn as server-sent events."""

    media_type = "text/event-stream"

    def __init__(
        self,
        request: Request,
        services: Services,
        turn: TurnRequest,
        encoder: Encoder,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store", **headers})
        del self.headers["content-length"]
        self._request = request
        self._services = services
        self._turn = turn
        self._encoder = encoder
        self._started = False
        self._waits = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: Failed | None = None
        try:
            async with while_connected(receive), aclosing(self._services.turns.run(self._turn)) as events:
                refused = await self._stream(events, send)
        except ClientGoneError:
            return
        except TimeoutError:
            number = request_id(self._request)
            log.warning("answer_cut_off", request=number, code=ErrorCode.CLIENT_TOO_SLOW.value)
        if refused is not None:
            await failed(self._request, refused, self._turn.language)(scope, receive, send)

    async def _stream(self, events: AsyncGenerator[AnyEvent, None], send: Send) -> Failed | None:
        """Send the answer; returns the failure that came before anything was sent."""
        answer = Answer()
        async for event in events:
            answer.take(event)
            match event:
                case Token() | Called():
                    await self._start(answer, send)
                    await self._send(send, b"".join(self._encoder.tell(event, answer)))
                case Queued():
                    await self._wait(answer, send)
                case Done():
                    await self._start(answer, send)
                    await self._send(send, b"".join(self._encoder.end(answer)), more=False)
                case Failed() if not self._started:
                    return event
                case Failed(code=code, message=message):
                    error = error_object(code, message, status_of(code), "", request_id(self._request))
                    await self._send(send, b"".join(self._encoder.fail(answer, error)), more=False)
                case _:
                    pass
        return None

    async def _wait(self, answer: Answer, send: Send) -> None:
        """From the second word of a waiting turn on, tell the client that it waits: the first comes at once."""
        self._waits += 1
        if self._waits > 1:
            await self._start(answer, send)
            await self._send(send, _COMMENT)

    async def _start(self, answer: Answer, send: Send) -> None:
        if not self._started:
            self._started = True
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._send(send, b"".join(self._encoder.begin(answer)))

    async def _send(self, send: Send, body: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(self._services.settings.send_timeout):
            await send({"type": "http.response.body", "body": body, "more_body": more})
