"""What was said on the stage, told as the service tells conversations: `GET /conversations/{id}`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Protocol

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from menagerie.conversation.running import TurnRequest
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import Accepted, AnyEvent, Done, Failed, Token


class Playing(Protocol):
    """What plays turns."""

    def run(self, request: TurnRequest) -> AsyncGenerator[AnyEvent, None]:
        """The events of one turn."""
        ...

    async def ended(self, turn: str) -> None:
        """A turn was cancelled."""
        ...


class Recording:
    """Plays turns as `actors` do, and remembers them by their session."""

    def __init__(self, actors: Playing) -> None:
        self._actors = actors
        self._told: dict[str, list[dict[str, Any]]] = {}

    async def run(self, request: TurnRequest) -> AsyncGenerator[AnyEvent, None]:
        """The events of one turn."""
        turn: dict[str, Any] = {}
        try:
            async with aclosing(self._actors.run(request)) as events:
                async for event in events:
                    match event:
                        case Accepted(turn=name, session=session):
                            told = self._told.setdefault(session, [])
                            turn = _begun(name, session, request, told)
                            told.append(turn)
                        case Token(text=piece):
                            turn["answer"] += piece
                        case Done(provenance=provenance):
                            turn |= {"outcome": "done", "provenance": msgspec.to_builtins(provenance)}
                        case Failed(code=code) if turn:
                            turn |= {"outcome": "failed", "code": code, "message": event.message}
                    yield event
        finally:
            if turn.get("outcome") == "accepted":
                turn["outcome"] = "interrupted"

    async def ended(self, turn: str) -> None:
        """A turn was cancelled."""
        for told in self._told.values():
            for one in told:
                if one["id"] == turn:
                    one["outcome"] = "cancelled"
        await self._actors.ended(turn)

    def router(self) -> APIRouter:
        """The route that tells."""
        router = APIRouter()

        @router.get("/conversations")
        async def conversations() -> Response:
            return Response(b'{"conversations":[],"next":null,"kept":false}', media_type="application/json")

        @router.get("/conversations/{conversation}")
        async def conversation(_: Request, conversation: str) -> Response:
            if conversation not in self._told:
                raise MenagerieError(ErrorCode.SESSION_UNKNOWN)
            turns = self._told[conversation]
            running = [turn["id"] for turn in turns if turn["outcome"] == "accepted"]
            told = {
                "id": conversation,
                "persona": turns[0]["persona"],
                "title": turns[0]["prompt"],
                "turns": turns,
                "leaf": turns[-1]["id"],
                "running": running[-1] if running else None,
            }
            return Response(msgspec.json.encode(told), media_type="application/json")

        return router


def _begun(name: str, session: str, request: TurnRequest, told: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": name,
        "parent": told[-1]["id"] if told else None,
        "session": session,
        "persona": request.persona,
        "prompt": request.prompt,
        "language": request.language,
        "outcome": "accepted",
        "code": "",
        "message": "",
        "answer": "",
        "provenance": None,
        "feedback": None,
    }
