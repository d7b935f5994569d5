"""`/gpt-socket/<persona>`: prompts in, answers out, several on one socket, in either way of speaking."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, MutableMapping
from functools import partial
from typing import Any, Final

import msgspec
import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.types import Send

from menagerie.conversation.frames import Frame
from menagerie.conversation.running import TurnRequest
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import Accepted, AnyEvent, Done, Ended, Failed, Token
from menagerie.core.identity import User
from menagerie.locales import Language
from menagerie.web.codecs import EVENTS, PONG, Cancel, Codec, EventsCodec, Ping, PlainCodec, Resume
from menagerie.web.errors import refuse
from menagerie.web.following import Following
from menagerie.web.guard import SEND
from menagerie.web.identity import identify
from menagerie.web.inbox import Inbox
from menagerie.web.language import language_of
from menagerie.web.services import Services, services_of

router = APIRouter()
log = structlog.get_logger("menagerie.socket")

_MOST_AHEAD: Final = 8
"""Frames of the greatest length, or many more short ones, that a client may send ahead; with more, the socket is read
on only when one is answered."""
_GONE: Final = (WebSocketDisconnect, OSError)
"""What is raised where the client has gone away."""
_CLOSE_TOO_SLOW: Final = 1008
_CLOSE_IDLE: Final = 1000


@router.websocket("/gpt-socket/{persona}")
async def gpt_socket(socket: WebSocket, persona: str) -> None:
    """Serve one socket. A persona that does not exist is refused before the handshake is complete."""
    services = services_of(socket)
    language = language_of(socket, services.settings)
    try:
        name = services.personas.get(persona).name
    except MenagerieError as unknown:
        await socket.send_denial_response(refuse(socket, unknown, language))
        return
    speaks_events = EVENTS in socket.scope.get("subprotocols", ())
    await socket.accept(subprotocol=EVENTS if speaks_events else None)
    user = identify(socket, services.settings)
    codec: Codec = EventsCodec() if speaks_events else PlainCodec()
    await _Connection(socket, services, name, user, language, codec).serve()


@router.websocket("/{path:path}")
async def nowhere(socket: WebSocket, path: str) -> None:
    """Any other address: refused as HTTP would."""
    language = language_of(socket, services_of(socket).settings)
    await socket.send_denial_response(refuse(socket, MenagerieError(ErrorCode.NOT_FOUND), language))


class _Connection:
    """One socket: a task that reads, and one that answers what was read, in order."""

    def __init__(
        self,
        socket: WebSocket,
        services: Services,
        persona: str,
        user: User,
        language: Language,
        codec: Codec,
    ) -> None:
        self._socket = socket
        self._services = services
        self._settings = services.settings
        self._persona = persona
        self._user = user
        self._language = language
        self._codec = codec
        self._send_message: Send = socket.scope.get(SEND, socket.send)
        self._clock = asyncio.get_running_loop().time
        self._inbox: Inbox[Frame | Resume | MenagerieError] = Inbox(_MOST_AHEAD * services.settings.max_frame)
        self._session: str | None = None
        self._cancel: Callable[[], object] | None = None
        self._accepted: Accepted | None = None
        self._sending_since: float | None = None

    async def serve(self) -> None:
        """Until the client goes away, is silent for too long, or does not take what it asked for."""
        reading = asyncio.create_task(self._read(), name="socket-read")
        answering = asyncio.create_task(self._answer(), name="socket-answer")
        try:
            await asyncio.wait({reading, answering}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, answering):
                task.cancel()
            for outcome in await asyncio.gather(reading, answering, return_exceptions=True):
                if isinstance(outcome, Exception) and not isinstance(outcome, _GONE):
                    log.error("socket.broke", failure=repr(outcome))

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                received = self._decoded(message)
            except MenagerieError as failure:
                await self._inbox.put(failure, 0)
                continue
            if isinstance(received, Cancel):
                if self._cancel is not None:
                    self._cancel()
            elif isinstance(received, Ping):
                await self._send_message({"type": "websocket.send", "text": PONG})
            else:
                await self._inbox.put(received, len(message["text"]))

    def _decoded(self, message: MutableMapping[str, Any]) -> Frame | Resume | Cancel | Ping:
        text = message.get("text")
        if not isinstance(text, str):
            raise MenagerieError(ErrorCode.FRAME_BINARY)
        limit = self._settings.max_frame
        if len(text) > limit or (len(text) * 4 > limit and len(text.encode("utf-8", "replace")) > limit):
            raise MenagerieError(ErrorCode.FRAME_TOO_LARGE, limit=limit)
        return self._codec.decode(text)

    async def _answer(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._settings.idle_timeout):
                    received = await self._inbox.get()
            except TimeoutError:
                await self._close(_CLOSE_IDLE, ErrorCode.IDLE)
                return
            if isinstance(received, MenagerieError):
                await self._tell(self._failure(received))
            elif not await self._run_watched(received):
                await self._close(_CLOSE_TOO_SLOW, ErrorCode.CLIENT_TOO_SLOW)
                return

    async def _run_watched(self, frame: Frame | Resume) -> bool:
        """Run one turn; False if the client stopped taking what it is sent, for which nobody waits."""
        patience = self._settings.send_timeout
        self._accepted = None
        following = self._following(frame)
        running = self._run(following) if isinstance(following, TurnRequest) else self._follow(following)
        turn = asyncio.create_task(running, name="socket-turn")
        self._cancel = partial(_cancel, turn, following)
        try:
            while not turn.done():
                await asyncio.wait({turn}, timeout=patience / 2)
                since = self._sending_since
                if since is not None and self._clock() - since > patience:
                    return False
        finally:
            self._cancel = None
            turn.cancel()
            await asyncio.gather(turn, return_exceptions=True)
        if turn.cancelled():
            await self._tell_cancelled()
        else:
            turn.result()
        return True

    async def _tell_cancelled(self) -> None:
        """The end of a turn that the client stopped; the next one begins after it is stored."""
        if self._accepted:
            await self._services.turns.ended(self._accepted.turn)
        await self._tell(self._failure(MenagerieError(ErrorCode.TURN_CANCELLED)))

    def _following(self, frame: Frame | Resume) -> Following | TurnRequest:
        """How the turn of a frame is followed, where it can be resumed; else it is this socket's alone."""
        wanted = self._request(frame) if isinstance(frame, Frame) else frame
        if isinstance(wanted, TurnRequest) and not wanted.request:
            return wanted
        return Following(self._services.live, self._user, self._language, wanted)

    def _request(self, frame: Frame) -> TurnRequest:
        return TurnRequest(
            persona=self._persona,
            prompt=frame.prompt,
            user=self._user,
            language=self._language,
            channel="socket",
            session=self._session if frame.session is None else frame.session or None,
            after=frame.after,
            request=frame.request,
            given=frame.given,
            address=frame.address,
            sources=frame.sources,
            documents=frame.documents,
            pictures=frame.pictures,
        )

    async def _run(self, request: TurnRequest) -> None:
        """A turn that ends when this socket does."""
        async with contextlib.aclosing(self._services.turns.run(request)) as events:
            async for event in events:
                if type(event) is Token:
                    await self._send(self._codec.token(event.text))
                else:
                    await self._pass_on(event)

    async def _follow(self, following: Following) -> None:
        """A turn that goes on without this socket."""
        async with contextlib.aclosing(following.events()) as events:
            async for number, event in events:
                if type(event) is Token:
                    await self._send(self._codec.token(event.text, number))
                else:
                    await self._pass_on(event, number)

    async def _pass_on(self, event: AnyEvent, number: int = 0) -> None:
        if isinstance(event, Accepted):
            self._accepted = event
        if isinstance(event, Accepted | Done | Ended | Failed) and event.session:
            self._session = event.session
        if isinstance(event, Failed) and not event.session and self._session:
            event = msgspec.structs.replace(event, session=self._session)
        await self._send(self._codec.encode(event, number))

    async def _tell(self, event: AnyEvent) -> None:
        await self._send(self._codec.encode(event))

    async def _send(self, frames: Iterable[str]) -> None:
        self._sending_since = self._clock()
        for frame in frames:
            await self._send_message({"type": "websocket.send", "text": frame})
        self._sending_since = None

    async def _close(self, status: int, code: ErrorCode) -> None:
        with contextlib.suppress(TimeoutError, RuntimeError, *_GONE):
            async with asyncio.timeout(1.0):
                if code is ErrorCode.IDLE:
                    await self._tell(self._failure(MenagerieError(code)))
                await self._socket.close(status, code.value)

    def _failure(self, failure: MenagerieError) -> Failed:
        accepted = self._accepted
        return Failed(
            code=failure.code.value,
            message=failure.message(self._language),
            turn=accepted.turn if accepted else "",
            session=self._session or "",
            retry_after=failure.retry_after,
        )


def _cancel(turn: asyncio.Task[None], following: Following | TurnRequest) -> None:
    """End a turn for all who follow it; one that does not run here, or is this socket's alone, for this socket."""
    if isinstance(following, TurnRequest) or not following.cancel():
        turn.cancel()
