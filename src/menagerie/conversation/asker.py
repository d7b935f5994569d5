"""Small questions to a model while a turn is prepared: what to look up, whether a text is about it. They are asked
under a schema, of the persona's own model or of the one that helps it, and nobody waits for them long."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec
import structlog

from menagerie.conversation.prompt import for_template
from menagerie.conversation.running import RunningTurn
from menagerie.core.errors import MenagerieError
from menagerie.core.marks import without_marks
from menagerie.core.messages import Message
from menagerie.engines.chat import ChatRequest
from menagerie.engines.residency import Engines
from menagerie.personas.resolve import Resolution, Resolver

log = structlog.get_logger("menagerie.turns")

SECONDS: Final = 30.0
_TOKENS: Final = 256
_AROUND: Final = 64
_BYTES_A_TOKEN: Final = 4


class Asker:
    """Asks on behalf of one turn."""

    def __init__(self, resolver: Resolver, engines: Engines, turn: RunningTurn) -> None:
        self._resolver = resolver
        self._engines = engines
        self._turn = turn

    async def __call__(self, messages: Sequence[Message], schema: object) -> Mapping[str, Any] | None:
        """The answer, which meets `schema`; None where there is none within `SECONDS`."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._asked(messages, schema)
        except (MenagerieError, TimeoutError) as failure:
            log.info("turn.not_decided", turn=self._turn.id, failure=str(failure) or "timeout")
            return None

    async def _asked(self, messages: Sequence[Message], schema: object) -> Mapping[str, Any]:
        compiler = await asyncio.to_thread(importlib.import_module, "menagerie.structured.schema")
        compiled = await compiler.compile_soon(schema)
        from menagerie.structured.answer import Account, constrained

        resolution = await self._resolution()
        turn = self._turn
        said = [msgspec.structs.replace(one, content=without_marks(one.content)) for one in messages]
        size = sum(len(one.content.encode("utf-8", "replace")) + _AROUND for one in said)
        tokens = min(resolution.window, size + _TOKENS)
        share = turn.request.user.share
        async with self._engines.use(resolution.target, share, tokens, batch=turn.request.batch) as engine:
            request = ChatRequest(
                messages=for_template(said, engine.takes_system, turn.request.language),
                max_tokens=_TOKENS,
                until=asyncio.get_running_loop().time() + SECONDS,
                temperature=0.0,
            )
            answer = ""
            spent = 0
            account = Account()
            chunks = constrained(
                engine.chat, request, compiled, language=turn.request.language, account=account
            )
            try:
                async with aclosing(chunks):
                    async for chunk in chunks:
                        answer += chunk.text
                        if chunk.usage:
                            spent = chunk.usage.prompt + chunk.usage.answer
            finally:  # of what is broken off, the engine tells nothing
                turn.asked_tokens += spent or size // _BYTES_A_TOKEN + account.written
        decided: dict[str, Any] = msgspec.json.decode(answer)
        return decided

    async def _resolution(self) -> Resolution:
        """Of the persona that helps, where there is one and its own model is there; else of the turn's."""
        own, persona = self._turn.resolution, self._turn.persona
        assert own is not None
        assert persona is not None
        if not persona.rag_helper:
            return own
        try:
            return await self._resolver.resolve(await self._resolver.persona(persona.rag_helper))
        except MenagerieError as failure:
            log.warning("persona.no_helper", helper=persona.rag_helper, failure=str(failure))
            return own
