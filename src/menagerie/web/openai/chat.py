"""`/v1/chat/completions`: a conversation that the caller keeps, answered by a persona or a bare model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final, Literal

import msgspec

from menagerie.conversation.running import TurnRequest
from menagerie.core.events import Called, Token
from menagerie.core.probabilities import TokenLogprob
from menagerie.locales import Language
from menagerie.web.keys import Caller
from menagerie.web.openai import options
from menagerie.web.openai.answer import Answer
from menagerie.web.openai.attached import documents
from menagerie.web.openai.fields import Many, read, refuse_field
from menagerie.web.openai.messages import ChatMessage, said
from menagerie.web.openai.models import who
from menagerie.web.openai.stream import data
from menagerie.web.services import Services

CHANNEL: Final = "openai.chat"
UNSUPPORTED: Final = frozenset(
    {
        "audio",
        "function_call",
        "functions",
        "logit_bias",
        "moderation",
        "prediction",
        "reasoning_effort",
        "verbosity",
        "web_search_options",
    }
)
"""Fields of OpenAI's that would change the answer, and that nothing here can heed."""


class _ToolPart(msgspec.Struct, forbid_unknown_fields=True):
    function: options.FunctionPart
    type: Literal["function"]


class _NamedFunction(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class _NamedTool(msgspec.Struct, forbid_unknown_fields=True):
    function: _NamedFunction
    type: Literal["function"]


class ChatBody(options.Drawing, forbid_unknown_fields=True, kw_only=True):
    """The fields of a request. Those that nothing is done with change no answer."""

    model: str
    messages: Many[ChatMessage]
    stream: bool = False
    stream_options: options.StreamOptions = msgspec.field(default_factory=options.StreamOptions)
    max_tokens: options.Tokens | None = None
    max_completion_tokens: options.Tokens | None = None
    logprobs: bool = False
    top_logprobs: options.Alternatives | None = None
    n: Literal[1] = 1
    response_format: options.AnyText | options.JsonObject | options.JsonSchema | None = None
    tools: list[_ToolPart] = msgspec.field(default_factory=list)
    tool_choice: options.Choice | _NamedTool = "auto"
    parallel_tool_calls: bool = True
    store: bool = False
    modalities: list[Literal["text"]] = msgspec.field(default_factory=list)
    metadata: options.Metadata = msgspec.field(default_factory=dict)
    service_tier: Literal["auto", "default", "flex", "priority"] = "auto"
    user: str = ""
    safety_identifier: str = ""
    prompt_cache_key: str = ""
    prompt_cache_retention: str = ""


class Chat(msgspec.Struct, frozen=True):
    """A decoded request."""

    turn: TurnRequest
    model: str
    stream: bool
    usage: bool
    """Whether the stream ends with the usage."""
    logprobs: bool


async def decode(
    services: Services, caller: Caller, language: Language, body: Mapping[str, object], *, batch: bool = False
) -> Chat:
    """The turn that a request asks for. Raises `request.invalid`, `model.unknown`, `schema.invalid` …, each with the
    field that is wrong."""
    asked = read(body, ChatBody, UNSUPPORTED)
    found = await who(services, caller, asked.model)
    conversation = await asyncio.to_thread(said, asked.messages)
    compiled = await _compiled(asked)
    named, choice = _choice(asked)
    functions = [(f"tools[{index}].function", tool.function) for index, tool in enumerate(asked.tools)]
    tools = await options.toolbox(functions, choice, named, parallel=asked.parallel_tool_calls)
    _check_logprobs(asked, constrained=compiled is not None or tools is not None)
    turn = TurnRequest(
        persona=found.name,
        prompt=conversation.last.content,
        user=caller.user,
        language=language,
        channel=CHANNEL,
        documents=await documents(conversation.files, services.uploads, caller.user),
        batch=batch,
        compiled=compiled,
        tools=tools,
        sampling=asked.sampling(
            asked.max_completion_tokens or asked.max_tokens,
            (asked.top_logprobs or 0) if asked.logprobs else None,
        ),
        history=conversation.history,
        last=conversation.last,
        instructions=conversation.instructions,
        bypass=found.bare or (caller.may_bypass and bool(conversation.instructions)),
        kept=asked.store,
        charge=partial(services.rates.charge, caller.key),
    )
    return Chat(turn, asked.model, asked.stream, asked.stream_options.include_usage, asked.logprobs)


def whole(chat: Chat, answer: Answer) -> dict[str, Any]:
    """The answer as a `chat.completion`."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.calls:
        message["content"] = answer.text or None
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.calls
        ]
    choice = {
        "index": 0,
        "message": message,
        "logprobs": _logprobs(answer.logprobs) if chat.logprobs else None,
        "finish_reason": finish(chat, answer),
    }
    return {
        **_head(chat, answer, "chat.completion"),
        "choices": [choice],
        "usage": answer.usage(),
        "menagerie": answer.account(),
    }


def finish(chat: Chat, answer: Answer) -> str:
    """Why the answer ended. JSON under a schema is always whole, though we may have had to close it."""
    closed = chat.turn.compiled is not None and answer.finish == "length"
    return "stop" if closed else answer.finish


class ChatStream:
    """The answer as `chat.completion.chunk` events."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._calls = 0

    def begin(self, answer: Answer) -> Iterator[bytes]:
        """Who speaks."""
        yield self._chunk(answer, {"role": "assistant", "content": "", "refusal": None})

    def tell(self, event: Token | Called, answer: Answer) -> Iterator[bytes]:
        """Words, or a whole call."""
        if isinstance(event, Token):
            logprobs = _logprobs(event.logprobs) if self._chat.logprobs else None
            yield self._chunk(answer, {"content": event.text}, logprobs=logprobs)
            return
        function = {"name": event.name, "arguments": event.arguments}
        call = {"index": self._calls, "id": event.id, "type": "function", "function": function}
        self._calls += 1
        yield self._chunk(answer, {"tool_calls": [call]})

    def end(self, answer: Answer) -> Iterator[bytes]:
        """Why it ends, what it cost, and that it is whole."""
        yield self._chunk(answer, {}, finish=finish(self._chat, answer), more={"menagerie": answer.account()})
        if self._chat.usage:
            head = _head(self._chat, answer, "chat.completion.chunk")
            yield data({**head, "choices": [], "usage": answer.usage()})
        yield b"data: [DONE]\n\n"

    def fail(self, answer: Answer, error: dict[str, object]) -> Iterator[bytes]:
        """The error; without `[DONE]` behind it."""
        yield data(error)

    def _chunk(
        self,
        answer: Answer,
        delta: dict[str, Any],
        *,
        finish: str | None = None,
        logprobs: dict[str, Any] | None = None,
        more: dict[str, Any] | None = None,
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        usage = {"usage": None} if self._chat.usage else {}
        head = _head(self._chat, answer, "chat.completion.chunk")
        return data({**head, "choices": [choice], **usage, **(more or {})})


def _head(chat: Chat, answer: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.turn}",
        "object": kind,
        "created": answer.created,
        "model": chat.model,
        "system_fingerprint": answer.fingerprint(),
    }


def _logprobs(tokens: list[TokenLogprob] | tuple[TokenLogprob, ...]) -> dict[str, Any]:
    return {"content": msgspec.to_builtins(tokens), "refusal": None}


async def _compiled(asked: ChatBody) -> Any:
    if isinstance(asked.response_format, options.JsonObject):
        return await options.compiled(None, "response_format")
    if isinstance(asked.response_format, options.JsonSchema):
        part = asked.response_format.json_schema
        schema = {"type": "object"} if part.schema is None else part.schema
        return await options.compiled(schema, "response_format.json_schema.schema")
    return None


def _choice(asked: ChatBody) -> tuple[dict[str, str], str]:
    """The function that must be called, if a certain one must, and how free the choice is otherwise."""
    if isinstance(asked.tool_choice, str):
        return {}, asked.tool_choice
    return {"name": asked.tool_choice.function.name, "path": "tool_choice.function.name"}, "required"


def _check_logprobs(asked: ChatBody, *, constrained: bool) -> None:
    """Probabilities are told of free text only: a constrained answer is not what the model alone would have said."""
    if asked.logprobs and constrained:
        raise refuse_field("logprobs", "field_unsupported")
    if asked.top_logprobs is not None and not asked.logprobs:
        raise refuse_field("top_logprobs")
    if asked.stop and constrained:
        raise refuse_field("stop", "field_unsupported")
