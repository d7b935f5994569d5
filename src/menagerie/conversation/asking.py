"""From a turn to its engine: which messages fit, and the answer under what was asked of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final

import msgspec

from menagerie.conversation.prompt import (
    for_template,
    instructed,
    sources_message,
    spoken,
    user_message,
    with_schema,
)
from menagerie.conversation.running import RunningTurn
from menagerie.conversation.window import Fit, fit
from menagerie.core.errors import MenagerieError
from menagerie.core.marks import without_marks
from menagerie.core.messages import Message
from menagerie.engines.chat import ChatRequest, Chunk
from menagerie.engines.engine import RunningEngine

_SHORT: Final = 256
"""Bytes of a message up to which it is not counted by the engine before the turn, only by its usage after it."""
_PICTURE_TOKENS: Final = 1024
"""What a picture takes of the window, at least for the models in use."""
_NO_SYSTEM: Final = Message("system", "", 0)


async def fitted_to(turn: RunningTurn, engine: RunningEngine, window: int, answer_tokens: int) -> Fit:
    """What of the conversation is sent: counted by the engine, cut to the window. Fills in `turn.user`; of what was
    found for the turn, less is sent where the window has no room for it.

    Raises `prompt.too_long`, and what the engine raises.
    """
    conversation, request = turn.conversation, turn.request
    assert conversation is not None
    if request.raw:
        turn.user = await _counted(Message("user", request.prompt), engine)
        return fit(_NO_SYSTEM, (), turn.user, window, answer_tokens)
    system, history = instructed(conversation.messages, request.instructions)
    if request.tools is not None:
        tools = without_marks(request.tools.told(request.language))
        system = Message("system", f"{tools}\n\n{system.content}" if system.content else tools)
    system = await _counted_system(system, engine)
    last_at = conversation.last_at if history else None
    said = [await _counted(message, engine) for message in (*history, *request.history)]
    while True:
        turn.user = await _counted(_last(turn, last_at, window), engine)
        try:
            return fit(system, said, turn.user, window, answer_tokens)
        except MenagerieError:
            if not turn.shorten_found():
                raise


def answer_of(
    turn: RunningTurn, engine: RunningEngine, fitted: Fit, until: float
) -> AsyncGenerator[Chunk, None]:
    """The answer to come, by `until` of the event loop's time: free text, JSON under a schema, or calls of tools."""
    asked, sampling = turn.request, turn.request.sampling
    own = turn.persona.temperature if turn.persona else None
    request = ChatRequest(
        messages=for_template(fitted.messages, engine.takes_system, asked.language),
        max_tokens=fitted.answer_tokens,
        until=until,
        temperature=own if sampling.temperature is None else sampling.temperature,
        seed=sampling.seed,
        top_p=sampling.top_p,
        frequency_penalty=sampling.frequency_penalty,
        presence_penalty=sampling.presence_penalty,
        stop=sampling.stop,
        logprobs=sampling.logprobs,
        raw=asked.raw,
    )
    if asked.compiled is None and asked.tools is None:
        return engine.chat(request)
    from menagerie.structured.answer import Account, constrained  # slow to import, and for some turns only
    from menagerie.structured.tools import calling

    turn.account = Account()
    if asked.tools is not None:
        return calling(engine.chat, request, asked.tools, asked.language, asked.compiled, turn.account)
    assert asked.compiled is not None
    return constrained(engine.chat, request, asked.compiled, language=asked.language, account=turn.account)


def _last(turn: RunningTurn, last_at: datetime | None, window: int) -> Message:
    """The message that is answered."""
    request = turn.request
    if request.last is not None and request.last.role != "user":
        return request.last
    language = request.language
    turn.plain_user = user_message(request.prompt, request.given, turn.started, last_at, language)
    strict = turn.persona is not None and turn.persona.strict
    found = sources_message(turn.grounded, language, turn.first_number, strict=strict)
    content = f"{found}\n\n{turn.plain_user}" if found else turn.plain_user
    if request.compiled is not None:
        content = with_schema(content, request.compiled.schema, window, request.language)
    return Message("user", content, images=request.last.images if request.last else ())


async def _counted(message: Message, engine: RunningEngine) -> Message:
    """The message with its length. Of a short one, its bytes are bound enough: no token is less than a byte."""
    if message.tokens is not None:
        return message
    sent = spoken(message)
    size = len(sent.encode("utf-8", "replace"))
    tokens = size + 1 if size <= _SHORT else await engine.count(sent)
    return msgspec.structs.replace(message, tokens=tokens + _PICTURE_TOKENS * len(message.images))


async def _counted_system(system: Message, engine: RunningEngine) -> Message:
    """The system prompt with its length. What stands before its last paragraph, the time, is the same for everybody
    and counted once."""
    if system.tokens is not None:
        return system
    lasting, _, now = system.content.rpartition("\n\n")
    size = len(now.encode("utf-8", "replace"))
    if size > _SHORT:
        return Message("system", system.content, await engine.count(system.content))
    tokens = await engine.count(lasting) if lasting else 0
    return Message("system", system.content, tokens + size + 1)
